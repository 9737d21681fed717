"""What the servers that tests start for themselves share: a free port, and waiting until somebody listens."""

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

SECONDS = 30


def required() -> bool:
    """Whether a program that is not there is a fault: a test that quietly does not run in CI is worse than a
    red run.
    """
    return bool(os.environ.get("CI"))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot take port 0."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns once the program listens; fails with its log if it ends before, or does not for too long."""
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    ended = process.poll()
    process.kill()
    process.wait(SECONDS)
    said = log.read_text(errors="replace")[-4000:]
    pytest.fail(f"{process.args}: {'listens not' if ended is None else f'ended with {ended}'}\n{said}")
