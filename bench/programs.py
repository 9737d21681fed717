"""A program of the benches that is asked by lines on its standard input, and answers with lines."""

from __future__ import annotations

import select
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from bench.contest import BenchError

STOP_SECONDS = 5.0


class Program:
    def __init__(self, title: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.title = title
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=dict(environment),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._failed("it has ended")

    def answer(self, seconds: float) -> str:
        """Its next line; BenchError when it ends instead, or says nothing for so long."""
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], seconds)[0]:
            self._failed(f"no answer within {seconds:.0f} s")
        line = stdout.readline()
        if not line:
            self._failed("it has ended")
        return line.strip()

    def _failed(self, why: str) -> None:
        self.stop()
        self._errors.seek(0)
        # The traceback of an exception group is framed: its last line says nothing.
        said = [line.strip(" |") for line in self._errors.read().splitlines() if any(map(str.isalnum, line))]
        raise BenchError(f"{self.title}: {why}: {' '.join(said[-1:]) or 'it says nothing of why'}")

    def stop(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        for end in (self._process.stdin.close, self._process.terminate, self._process.kill):
            try:
                end()
                self._process.wait(STOP_SECONDS)
                break
            except (OSError, subprocess.TimeoutExpired):
                continue
        self._process.stdout.close()


@contextmanager
def program(title: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Program]:
    """Runs it, and ends it afterwards: by the end of its input, or by force."""
    running = Program(title, command, environment)
    try:
        yield running
    finally:
        running.stop()
