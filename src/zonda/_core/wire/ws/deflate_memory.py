"""What all WebSockets of a process may hold, together, to compress and inflate their next messages.

A context that is carried over from message to message (RFC 7692 section 7.1.1) is there for as long as its
connection, idle or not: 304 KB with zlib's defaults, both ways.  So memory for it is drawn from one account
before it is agreed on; a connection for which none is left has a context for each message only.
"""

from collections import deque
from threading import Lock

#: What zlib and Python keep besides a context's window and tables.
_OVERHEAD = 8192


def deflater_bytes(wbits: int, mem_level: int) -> int:
    """What a compressor holds (zlib's manual, `zconf.h`)."""
    return (1 << (wbits + 2)) + (1 << (mem_level + 9)) + _OVERHEAD


def inflater_bytes(wbits: int) -> int:
    """What a decompressor holds."""
    return (1 << wbits) + _OVERHEAD


class Share:
    """Bytes drawn from an account; given back when nobody holds the share any more.

    The contexts that it is for hold it: it is given back when they are gone, however a connection ends.
    """

    __slots__ = ("_account", "size")

    def __init__(self, account: "DeflateMemory", size: int) -> None:
        self._account = account
        self.size = size

    def shrink(self, size: int) -> None:
        """Less is needed than was drawn."""
        self._account.returned.append(self.size - size)
        self.size = size

    def __del__(self) -> None:
        self._account.returned.append(self.size)


class DeflateMemory:
    """An account: how many bytes are drawn, by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._drawn = 0
        #: What was given back and is not yet subtracted.  An object may die anywhere, even in the middle of a
        #: sum of ours and in this thread; appending needs no lock.
        self.returned: deque[int] = deque()

    def draw(self, size: int, allowed: int | None) -> Share | None:
        """Draws `size` bytes, if no more than `allowed` are drawn then; None = there is no bound."""
        with self._lock:
            self._settle()
            if allowed is not None and self._drawn + size > allowed:
                return None
            self._drawn += size
        return Share(self, size)

    @property
    def drawn(self) -> int:
        """Bytes that are drawn now."""
        with self._lock:
            self._settle()
            return self._drawn

    def _settle(self) -> None:
        while self.returned:
            self._drawn -= self.returned.popleft()


#: The process's account.
MEMORY = DeflateMemory()
