"""The two servers, started once: Tornado in a process that cannot see zonda, and zonda."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.differential.compare import Side
from tests.shared import SITE, genuine_tornado

HERE = Path(__file__).parent


@contextmanager
def running(package: str, path: Path) -> Iterator[Side]:
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONWARNINGS": "ignore", "TZ": "UTC"}
    process = subprocess.Popen(
        [sys.executable, HERE / "app" / "main.py", package],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        with closing(Side(package, json.loads(line))) as side:
            yield side
    finally:
        try:
            process.communicate(timeout=10)  # closing its standard input ends it
        finally:
            process.kill()


@pytest.fixture(scope="session")
def genuine() -> Iterator[Side]:
    with running("tornado", genuine_tornado()) as side:
        yield side


@pytest.fixture(scope="session")
def ours() -> Iterator[Side]:
    with running("zonda", SITE) as side:
        yield side
