"""HTTP/1 over an `IOStream`: the public module `zonda.http1connection`."""

from zonda._core.base.face import show
from zonda._core.link.http1_stream_server import HTTP1ServerConnection
from zonda._core.link.http1_streams import HTTP1Connection, HTTP1ConnectionParameters
from zonda._core.wire.http1.framing import (
    CR_OR_LF_RE,
    DIGITS,
    HEXDIGITS,
    is_transfer_encoding_chunked,
    parse_hex_int,
    parse_int,
)
from zonda._core.wire.http1.response_reader import MAX_INTERIM as _MAX_1XX_RESPONSES  # noqa: F401

__all__ = [
    "CR_OR_LF_RE",
    "DIGITS",
    "HEXDIGITS",
    "HTTP1Connection",
    "HTTP1ConnectionParameters",
    "HTTP1ServerConnection",
    "is_transfer_encoding_chunked",
    "parse_hex_int",
    "parse_int",
]

show(__name__, globals(), __all__)
