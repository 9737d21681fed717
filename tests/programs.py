"""What the servers that tests start for themselves share: a free port, and waiting until somebody listens."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

SECONDS = 30


def required() -> bool:
    """Whether a program that is not there is a fault: a test that quietly does not run in CI is worse than a
    red run.
    """
    return bool(os.environ.get("CI"))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot take port 0.

    Below those that the kernel gives to connections and to port 0: one of another test may have it before the
    program does.
    """
    while True:
        port = random.randint(12_000, 32_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


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


@dataclass
class LocalServer:
    """A program on a port of its own; what it keeps and its log are in `folder`.  Subclasses start it."""

    folder: Path
    port: int = field(default_factory=free_port, kw_only=True)
    process: "subprocess.Popen[bytes] | None" = field(default=None, kw_only=True)

    def start(self) -> None:
        raise NotImplementedError

    def launch(self, *command: str) -> None:
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for_port(self.port, self.process, self.folder / "log")

    def kill(self) -> None:
        """As a crash does; `start` brings it back on the same port."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(SECONDS)
            self.process = None


S = TypeVar("S", bound=LocalServer)


@contextmanager
def running(make: Callable[[Path], S]) -> Iterator[S]:
    """Starts one in a folder of its own, and stops and removes it."""
    with tempfile.TemporaryDirectory(prefix="zonda-server-") as name:
        server = make(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.kill()  # nothing of it is kept
