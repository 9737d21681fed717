"""Errors of streams."""

import errno
import ssl

#: How a peer's going away is reported while reading or writing.
_CONNECTION_LOST = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT})


class StreamClosedError(OSError):
    """Reading from or writing to a stream that is closed.

    `real_error` is what closed it, or None if it was closed on purpose.
    Source: Tornado documentation, `tornado.iostream`.
    """

    def __init__(self, real_error: BaseException | None = None) -> None:
        super().__init__("Stream is closed")
        self.real_error = real_error


class UnsatisfiableReadError(Exception):
    """A read that can no longer succeed: what it looks for is not within its `max_bytes`.

    It is the `real_error` of the `StreamClosedError` that the reader gets.
    Source: Tornado documentation, `tornado.iostream`.
    """


class StreamBufferFullError(Exception):
    """A buffer of a stream has reached its bound (`max_buffer_size`, `max_write_buffer_size`).

    Source: Tornado documentation, `tornado.iostream`.
    """


def is_connection_lost(error: BaseException | None) -> bool:
    """True for the errors that mean no more than that the peer has gone."""
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's
        return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    return isinstance(error, OSError) and error.errno in _CONNECTION_LOST
