"""What tests of many rooms need to know: where things are, and which build of zonda is tested."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

import zonda
from zonda._core.base.native import COMPILED

#: The repository.
ROOT = Path(__file__).resolve().parents[1]
#: The folder that holds the package under test: `src`, or where the wheel is installed.
SITE = Path(zonda.__file__).resolve().parents[1]

#: The folder shared by the project's sessions: Tornado's suite and its API list.
SHARED = Path(os.environ.get("ZONDA_SHARED") or ROOT.parent / "shared")
TORNADO_SUITE = SHARED / "tools" / "tornado-suite"

_MISSING = f"no {TORNADO_SUITE}: set ZONDA_SHARED to the folder that holds tools/tornado-suite"
needs_shared = pytest.mark.skipif(not TORNADO_SUITE.is_dir(), reason=_MISSING)


def pure_python(reason: str) -> pytest.MarkDecorator:
    """Marks what makes no sense on the compiled build."""
    return pytest.mark.skipif(COMPILED, reason=f"compiled: {reason}")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """What is installed in a folder for all runs of the suite is installed by one at a time."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def genuine_tornado() -> Path:
    """The folder of Tornado's distribution, by the install steps of the suite's runner."""
    if not TORNADO_SUITE.is_dir():
        pytest.skip(_MISSING)
    program = """
import runpy, sys
suite = runpy.run_path(sys.argv[1])
suite["dependencies"](sys.executable)
print(suite["distribution"](sys.executable))
"""
    with alone(Path(os.environ.get("TORNADO_SUITE_CACHE") or Path.home() / ".cache" / "tornado-suite")):
        done = subprocess.run(
            [sys.executable, "-c", program, TORNADO_SUITE / "run"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode:
        pytest.skip(f"Tornado 6.6.1 cannot be had: {done.stderr.strip()[-300:]}")
    return Path(done.stdout.strip())
