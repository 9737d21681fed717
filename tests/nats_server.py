"""A NATS server of the tests' own, on a free port of 127.0.0.1; the program is that of Debian's package."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.programs import free_port, required, wait_for_port

# Debian puts it where only root's path leads.
PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")

needs_nats = pytest.mark.skipif(
    PROGRAM is None and not required(), reason="no NATS: apt-get install nats-server"
)


@dataclass
class NatsServer:
    folder: Path
    jetstream: bool = True
    password: str = ""
    #: More lines of its configuration.
    options: str = ""
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"nats://tests:{self.password}@127.0.0.1:{self.port}" if self.password else self.bare_url

    @property
    def bare_url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert PROGRAM is not None, "no NATS: apt-get install nats-server"
        lines = [f"listen: 127.0.0.1:{self.port}", self.options]
        if self.jetstream:
            lines.append(f'jetstream {{ store_dir: "{self.folder}" }}')
        if self.password:
            lines.append(f"authorization {{ user: tests, password: {self.password} }}")
        (self.folder / "conf").write_text("\n".join(lines))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "-c", str(self.folder / "conf")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
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

    def empty(self) -> None:
        """Removes what it keeps; only while it does not run."""
        assert self.process is None
        shutil.rmtree(self.folder / "jetstream", ignore_errors=True)


@contextmanager
def running_nats(options: str = "", *, jetstream: bool = True, password: str = "") -> Iterator[NatsServer]:
    """Starts one, and stops and removes it."""
    with tempfile.TemporaryDirectory(prefix="zonda-nats-") as name:
        server = NatsServer(Path(name), jetstream, password, options)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)  # nothing of it is kept
