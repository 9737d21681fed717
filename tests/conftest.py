"""What every test gets: silence is expected, and sockets are closed.

A record of WARNING or above on a `zonda` logger, or of INFO or above on asyncio's, fails the test
unless it was announced with `expect_log`.  Warnings are errors (pyproject.toml).
"""

import gc
import logging
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests import programs


@dataclass
class ExpectedLog:
    """One announced kind of record; `records` are those seen so far."""

    logger: str
    pattern: str
    required: bool
    records: list[logging.LogRecord] = field(default_factory=list)

    def takes(self, record: logging.LogRecord) -> bool:
        if record.name != self.logger or not re.search(self.pattern, record.getMessage()):
            return False
        self.records.append(record)
        return True


def pytest_configure() -> None:
    # What a script runs in the background ignores SIGINT, and so would all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class LogWatch(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.expected: list[ExpectedLog] = []
        self.unexpected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("zonda") and record.levelno < logging.WARNING:
            return
        if not any(kind.takes(record) for kind in self.expected):
            text = logging.Formatter("%(levelname)s %(name)s: %(message)s").format(record)
            self.unexpected.append(text)


@pytest.fixture(autouse=True)
def _log_watch() -> Iterator[LogWatch]:
    watch = LogWatch()
    loggers = [logging.getLogger("zonda"), logging.getLogger("asyncio")]
    for logger in loggers:
        logger.addHandler(watch)
    yield watch
    for logger in loggers:
        logger.removeHandler(watch)
    unseen = [e for e in watch.expected if e.required and not e.records]
    if watch.unexpected:
        pytest.fail("log lines that no expect_log announced:\n" + "\n".join(watch.unexpected), pytrace=False)
    if unseen:
        pytest.fail(f"announced log lines that did not come: {unseen}", pytrace=False)


@pytest.fixture
def expect_log(_log_watch: LogWatch) -> Callable[..., ExpectedLog]:
    """`expect_log("zonda.general", "pattern")`: such records are right, and at least one must come.

    The pattern is searched for in the message.  `required=False`: none need come.  Returns an object
    whose `.records` are what came so far.
    """

    def expect(logger: str, pattern: str, *, required: bool = True) -> ExpectedLog:
        kind = ExpectedLog(logger, pattern, required)
        _log_watch.expected.append(kind)
        return kind

    return expect


def _open_sockets() -> int:
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
        except OSError:  # the descriptor of this very listing
            continue
    return count


@pytest.fixture(autouse=True)
def _sockets_closed(_log_watch: LogWatch) -> Iterator[None]:
    """A test leaves no more open sockets than it found (seen where /proc is)."""
    if not os.path.isdir("/proc/self/fd"):
        yield
        return
    before = _open_sockets()
    yield
    if _open_sockets() > before:
        gc.collect()  # a forgotten socket in a cycle warns here (ResourceWarning), in the test that forgot it
        left = _open_sockets() - before
        if left > 0:
            pytest.fail(f"the test left {left} socket(s) open", pytrace=False)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives TCP ports of 127.0.0.1 that were free a moment ago, for programs that cannot take port 0."""
    return programs.free_port
