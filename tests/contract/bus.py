"""A bus of the tests' own: a real process on a listening socket that outlives it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10


class BusProcess:
    """`path` can be connected to all the time, whether the process runs or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bus"
        self.log = folder / "log"
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(self.path))
        self._sock.listen(128)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unixbus://{self.path}"

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ZONDA_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "zonda._core.channels.brokers.unixbus_server",
                    "--fd",
                    str(self._sock.fileno()),
                ],
                pass_fds=[self._sock.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def kill(self) -> None:
        """kill -9: everything that it kept is gone."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(SECONDS)

    def close(self) -> None:
        if self.process is not None:
            self.kill()
        self._sock.close()


@contextmanager
def running_bus() -> Iterator[BusProcess]:
    # Not under `tmp_path`: the path of a socket may have no more than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="zonda-bus-") as name:
        bus = BusProcess(Path(name))
        bus.start()
        try:
            yield bus
        finally:
            bus.close()
