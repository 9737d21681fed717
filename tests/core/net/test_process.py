"""Child processes on both loops, with and without pidfd."""

import os
import subprocess
import sys

import pytest

from tests.core.net.loops import Run
from zonda.process import Subprocess


@pytest.fixture(params=["pidfd", "thread"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open")
    return str(request.param)


def test_the_end_of_a_child_is_told_once_by_its_code(run: Run, way: str) -> None:
    async def main() -> None:
        children = [Subprocess([sys.executable, "-Ic", f"raise SystemExit({code})"]) for code in (0, 3)]
        assert await children[0].wait_for_exit() == 0
        with pytest.raises(subprocess.CalledProcessError) as failure:
            await children[1].wait_for_exit()
        assert failure.value.returncode == children[1].returncode == 3

    run(main())


def test_a_child_that_others_have_waited_for(run: Run) -> None:
    async def main() -> None:
        child = Subprocess([sys.executable, "-Ic", "raise SystemExit(4)"])
        child.proc.wait()
        assert await child.wait_for_exit(raise_error=False) == 4

    run(main())


def test_a_program_that_does_not_exist_leaves_no_pipe_open(run: Run) -> None:
    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(FileNotFoundError):
            Subprocess(["/nowhere"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        assert len(os.listdir("/proc/self/fd")) == before

    run(main())


def test_streams_both_ways(run: Run) -> None:
    async def main() -> None:
        child = Subprocess(["cat"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
        await child.stdin.write(b"through\n")
        assert await child.stdout.read_until(b"\n") == b"through\n"
        child.stdin.close()
        assert await child.stdout.read_until_close() == b""
        assert await child.wait_for_exit() == 0
        child.stdout.close()

    run(main())
