"""`PipeIOStream`: a stream over one end of a pipe."""

import errno
import os
from typing import Any

from .iostream_base import BaseIOStream


class PipeIOStream(BaseIOStream):
    """A stream over a file descriptor (not a file object) of a pipe, which it owns from then on.

    A pipe goes one way: read from one end, or write to the other.  Not for Windows.
    Source: Tornado documentation, `tornado.iostream`.
    """

    def __init__(self, fd: int, *args: Any, **kwargs: Any) -> None:
        self.fd = fd
        os.set_blocking(fd, False)
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        return self.fd

    def close_fd(self) -> None:
        os.close(self.fd)

    def write_to_fd(self, data: memoryview) -> int:
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return os.readv(self.fd, [buf])
        except BlockingIOError:
            return None
        except OSError as e:
            # The writing end is called readable when its reader has gone.
            if e.errno == errno.EBADF:
                return 0
            raise
