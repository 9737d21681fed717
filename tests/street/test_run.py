"""`zonda.run`."""

import asyncio
import subprocess
import sys

import pytest
import uvloop

import zonda


async def answer() -> tuple[int, bool]:
    loop = asyncio.get_running_loop()
    return 42, isinstance(loop, uvloop.Loop)


def test_runs_a_function_on_uvloop() -> None:
    assert zonda.run(answer) == (42, True)


def test_runs_a_coroutine() -> None:
    assert zonda.run(answer()) == (42, True)


def test_the_function_may_use_the_loop() -> None:
    assert zonda.run(lambda: asyncio.ensure_future(answer())) == (42, True)


def test_debug_mode() -> None:
    async def mode() -> bool:
        return asyncio.get_running_loop().get_debug()

    assert zonda.run(mode, debug=True) is True
    assert zonda.run(mode, debug=False) is False


def test_failures_come_out() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        zonda.run(fail)


def test_importing_zonda_does_not_import_it() -> None:
    program = "import sys, zonda; assert 'asyncio' not in sys.modules; assert 'run' in dir(zonda)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
