"""What a reader of a stream can ask for, and when the bytes received suffice for it."""

import asyncio
import re
from typing import Any

from .errors import UnsatisfiableReadError


class Read:
    """One read that waits.  `size()` says whether, and with how many bytes, it is answered."""

    def __init__(self, future: asyncio.Future[Any], target: int | None = None) -> None:
        self.future = future
        #: No more than this has to be buffered for the answer; `None` = as much as comes.
        self.target = target

    def size(self, buffer: bytearray) -> int | None:
        """How many bytes of the front of `buffer` are the answer; `None` = not yet.

        Raises: `UnsatisfiableReadError` if there will never be one.
        """
        return None


class ReadBytes(Read):
    """A number of bytes; `partial`: as soon as there is any."""

    def __init__(self, future: asyncio.Future[Any], num_bytes: int, partial: bool) -> None:
        super().__init__(future, min(1, num_bytes) if partial else num_bytes)
        self.num_bytes = num_bytes
        self.partial = partial

    def size(self, buffer: bytearray) -> int | None:
        have = len(buffer)
        if have >= self.num_bytes:
            return self.num_bytes
        return have if self.partial and have else None


class ReadUntil(Read):
    """Everything up to and with a delimiter; each byte is searched once."""

    def __init__(self, future: asyncio.Future[Any], delimiter: bytes, max_bytes: int | None) -> None:
        super().__init__(future, max_bytes)
        self.delimiter = delimiter
        self._searched = 0

    def size(self, buffer: bytearray) -> int | None:
        found = buffer.find(self.delimiter, self._searched)
        if found < 0:
            self._searched = max(0, len(buffer) - len(self.delimiter) + 1)
            end = None
        else:
            end = found + len(self.delimiter)
        return _within(self.target, end, buffer, "delimiter", self.delimiter)


class ReadUntilRegex(Read):
    """Everything up to the end of the first match of a regular expression.

    The search starts afresh whenever bytes have come: a match may have begun anywhere.
    """

    def __init__(self, future: asyncio.Future[Any], regex: bytes, max_bytes: int | None) -> None:
        super().__init__(future, max_bytes)
        self.regex = re.compile(regex)

    def size(self, buffer: bytearray) -> int | None:
        match = self.regex.search(buffer)
        end = None if match is None else match.end()
        del match  # it holds the buffer, which has to be cut next
        return _within(self.target, end, buffer, "regex", self.regex.pattern)


class ReadUntilClose(Read):
    """Everything until the other side closes."""


class ReadInto(Read):
    """Bytes straight into the caller's buffer, which is full (`partial`: not empty) at the end."""

    def __init__(self, future: asyncio.Future[Any], into: bytearray | memoryview, partial: bool) -> None:
        with memoryview(into) as view:
            super().__init__(future, view.nbytes)
        self.into = into
        self.partial = partial
        self.filled = 0

    def fill_from(self, buffer: bytearray) -> None:
        """Takes what fits from the front of `buffer`."""
        with memoryview(self.into) as view, view.cast("B") as into:
            count = min(len(into) - self.filled, len(buffer))
            into[self.filled : self.filled + count] = buffer[:count]
        del buffer[:count]
        self.filled += count

    def done(self) -> bool:
        return self.filled == self.target or (self.partial and self.filled > 0)


def _within(
    max_bytes: int | None, end: int | None, buffer: bytearray, kind: str, wanted: bytes
) -> int | None:
    if max_bytes is not None and (len(buffer) >= max_bytes if end is None else end > max_bytes):
        raise UnsatisfiableReadError(f"{kind} {wanted!r} not found within {max_bytes} bytes")
    return end
