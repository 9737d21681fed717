"""A Redis of the tests' own, on a free port of 127.0.0.1; the program is that of Debian's package."""

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.programs import free_port, required, wait_for_port

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")

needs_redis = pytest.mark.skipif(
    PROGRAM is None and not required(), reason="no Redis: apt-get install redis-server"
)


@dataclass
class RedisServer:
    """`durable`: every write is in a file before it is answered; otherwise nothing outlives the process."""

    folder: Path
    durable: bool = False
    password: str = ""
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0" if self.password else self.bare_url

    @property
    def bare_url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert PROGRAM is not None, "no Redis: apt-get install redis-server"
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        if self.durable:
            options += ["--appendonly", "yes", "--appendfsync", "always"]
        if self.password:
            options += ["--requirepass", self.password]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, *options, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for_port(self.port, self.process, self.folder / "log")

    def kill(self) -> None:
        """As a crash does; `start` brings it back on the same port."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def command(self, *words: str) -> bytes:
        """What the server answers, as it travels; for what the broker does not ask."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
            sock.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
            return sock.recv(65536)


@contextmanager
def running_redis(*options: str, durable: bool = False, password: str = "") -> Iterator[RedisServer]:
    """Starts one, and stops and removes it."""
    with tempfile.TemporaryDirectory(prefix="zonda-redis-") as name:
        server = RedisServer(Path(name), durable, password, options)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)  # nothing of it is kept
