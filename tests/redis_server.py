"""A Redis of the tests' own, on a free port of 127.0.0.1; the program is that of Debian's package."""

import shutil
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.programs import LocalServer, required, running

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")

needs_redis = pytest.mark.skipif(
    PROGRAM is None and not required(), reason="no Redis: apt-get install redis-server"
)


@dataclass
class RedisServer(LocalServer):
    """`durable`: every write is in a file before it is answered; otherwise nothing outlives the process."""

    durable: bool = False
    password: str = ""
    options: tuple[str, ...] = ()

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
        self.launch(PROGRAM, *options, *self.options)

    def command(self, *words: str) -> bytes:
        """What the server answers, as it travels; for what the broker does not ask."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
            sock.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
            return sock.recv(65536)


def running_redis(
    *options: str, durable: bool = False, password: str = ""
) -> AbstractContextManager[RedisServer]:
    """Starts one, and stops and removes it."""
    return running(lambda folder: RedisServer(folder, durable, password, options))
