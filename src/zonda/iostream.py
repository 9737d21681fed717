"""Streams over sockets and pipes: the public module `zonda.iostream` (Tornado: `tornado.iostream`)."""

from zonda._core.base.face import show
from zonda._core.net.errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from zonda._core.net.iostream_base import BaseIOStream
from zonda._core.net.iostream_buffer import StreamBuffer as _StreamBuffer  # noqa: F401  # Tornado's tests use it
from zonda._core.net.iostream_pipe import PipeIOStream
from zonda._core.net.iostream_socket import IOStream, SSLIOStream

__all__ = [
    "BaseIOStream",
    "IOStream",
    "PipeIOStream",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
]

show(__name__, globals(), __all__)
