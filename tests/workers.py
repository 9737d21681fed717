"""`zonda run` with several processes, seen from outside: its lines, its pids, its end."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: For anything that a healthy program does within a second or two; the machine may be busy.
PATIENCE = 40.0


class Running:
    """The supervisor's process, and what it has said so far (both streams, in `lines`)."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self._ended = True
            self._said.notify_all()

    def seen(self, pattern: str) -> list[re.Match[str]]:
        return [match for line in list(self.lines) if (match := re.search(pattern, line))]

    def wait_for(self, pattern: str, count: int = 1, within: float = PATIENCE) -> list[re.Match[str]]:
        """Waits until so many lines hold the pattern; their matches."""
        with self._said:
            enough = self._said.wait_for(
                lambda: len(self.seen(pattern)) >= count or self._ended, timeout=within
            )
            found = self.seen(pattern)
            assert enough and len(found) >= count, f"{count} of {pattern!r} wanted:\n" + "\n".join(self.lines)
            return found

    @property
    def address(self) -> str:
        return self.wait_for(r"zonda is listening on (.*)")[0][1]

    @property
    def workers(self) -> dict[int, int]:
        """The pid of the last that was ready at each place."""
        return {int(m[1]): int(m[2]) for m in self.seen(r"worker (\d+) is ready \(pid (\d+)\)")}

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, within: float = PATIENCE) -> int:
        """The return code, once it has ended and everything it started has closed its output."""
        code = self.process.wait(within)
        self._reader.join(within)
        assert not self._reader.is_alive(), "somebody it started is still there"
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()


@contextmanager
def running(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """`zonda run ARGUMENTS --port 0` in `folder`; killed at the end, with all that it started."""
    command = [sys.executable, "-m", "zonda", "run", *arguments]
    if "--uds" not in arguments:
        command += ["--port", "0"]
    with running_command(command, folder, environment) as site:
        yield site


@contextmanager
def running_command(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    site = Running(command, folder, environment)
    try:
        yield site
    finally:
        site.process.kill()
        site.process.wait()
        for match in site.seen(r"is ready \(pid (\d+)\)"):
            _kill_if_ours(int(match[1]), site)
        site._reader.join(PATIENCE)
        assert site.process.stdout is not None
        site.process.stdout.close()


def _kill_if_ours(pid: int, site: Running) -> None:
    """A pid may be another's by now: ours have our pipe as their output."""
    try:
        assert site.process.stdout is not None
        if os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/self/fd/{site.process.stdout.fileno()}"):
            os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_until_gone(pid: int, within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while is_alive(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.02)
