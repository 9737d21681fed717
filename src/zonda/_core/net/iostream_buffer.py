"""What a stream has still to write, and room to read into."""

import threading
from collections import deque

#: From this size on a piece is not copied.
_LARGE = 2048

Bytes = bytes | bytearray | memoryview


class StreamBuffer:
    """A queue of bytes: added at the end, looked at and taken from the front.

    Large pieces are held by reference: a `bytearray` cannot be resized by its owner until it
    has been taken or `clear()` was called.  Every operation costs at most the size of its piece.
    """

    def __init__(self) -> None:
        # bytearrays are ours and may grow at the end of the queue; memoryviews are the callers'.
        self._buffers: deque[bytearray | memoryview] = deque()
        self._first_pos = 0
        self._size = 0
        self._large_buf_threshold = _LARGE

    def __len__(self) -> int:
        return self._size

    def append(self, data: Bytes) -> None:
        """Adds `data` at the end."""
        with memoryview(data) as view:
            size = view.nbytes
            if size > self._large_buf_threshold:
                self._buffers.append(view.cast("B"))
            elif size:
                last = self._buffers[-1] if self._buffers else None
                if not isinstance(last, bytearray) or len(last) >= self._large_buf_threshold:
                    last = bytearray()
                    self._buffers.append(last)
                last += view.cast("B")
        self._size += size

    def peek(self, size: int) -> memoryview:
        """A view of up to `size` bytes at the front, at least one if there is any.

        Release it (`with`) before the buffer is changed.
        """
        if not self._buffers:
            return memoryview(b"")
        start = self._first_pos
        return memoryview(self._buffers[0])[start : start + size]

    def advance(self, size: int) -> None:
        """Takes `size` bytes, no more than there are, from the front."""
        assert 0 < size <= self._size, f"cannot take {size} of {self._size} bytes"
        self._size -= size
        pos = self._first_pos + size
        while self._buffers and pos >= len(self._buffers[0]):
            first = self._buffers.popleft()
            pos -= len(first)
            if isinstance(first, memoryview):
                first.release()
        self._first_pos = pos

    def clear(self) -> None:
        """Drops everything and lets go of the callers' data."""
        for buffer in self._buffers:
            if isinstance(buffer, memoryview):
                buffer.release()
        self._buffers.clear()
        self._first_pos = 0
        self._size = 0


_scratches = threading.local()


def scratch(size: int) -> memoryview:
    """`size` bytes to read into and copy from at once; one buffer serves all streams of a thread."""
    view: memoryview | None = getattr(_scratches, "view", None)
    if view is None or len(view) < size:
        view = _scratches.view = memoryview(bytearray(size))
    return view if len(view) == size else view[:size]
