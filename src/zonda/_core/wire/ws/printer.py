"""Prints frames (RFC 6455 section 5.2)."""

import os
from struct import Struct, pack

from zonda._core.base.masking import masked

from .deflate import Compressor, DeflateSettings
from .events import BINARY, TEXT

_FIN = 0x80
_RSV1 = 0x40
_MASKED = 0x80

#: First two bytes of short unmasked frames.
_SHORT_TEXT = [bytes((_FIN | TEXT, size)) for size in range(126)]
_SHORT_BINARY = [bytes((_FIN | BINARY, size)) for size in range(126)]

_MEDIUM_HEAD = Struct("!BBH").pack


def print_frame(opcode: int, payload: bytes, mask: bool, rsv1: bool = False, fin: bool = True) -> bytes:
    """One frame; `mask`: we are the client (section 5.3)."""
    first = opcode | (_FIN if fin else 0) | (_RSV1 if rsv1 else 0)
    size = len(payload)
    bit = _MASKED if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 0x10000:
        head = _MEDIUM_HEAD(first, bit | 126, size)
    else:
        head = pack("!BBQ", first, bit | 127, size)
    if not mask:
        return head + payload
    # Unpredictable, so that no script in a browser can choose the bytes on the wire (section 10.3).
    key = os.urandom(4)
    return head + key + masked(payload, 0, key)


def print_message(payload: bytes, binary: bool) -> bytes:
    """A whole message as one frame of a server, not compressed."""
    size = len(payload)
    if size < 126:
        return (_SHORT_BINARY if binary else _SHORT_TEXT)[size] + payload
    if size < 0x10000:
        return _MEDIUM_HEAD(_FIN | (BINARY if binary else TEXT), 126, size) + payload
    return print_frame(BINARY if binary else TEXT, payload, False)


class PreparedMessage:
    """A message to many of a server's connections: framed once, and compressed once for each setting.

    `message` is text, or bytes; `binary` says which of the two the peers are told.
    """

    __slots__ = ("_binary", "_deflated", "_plain", "payload")

    def __init__(self, message: str | bytes, binary: bool = False) -> None:
        self.payload = message.encode() if isinstance(message, str) else message
        self._binary = binary
        self._plain: bytes | None = None
        self._deflated: dict[DeflateSettings, bytes] = {}

    def plain(self) -> bytes:
        """The frame for connections without compression."""
        if self._plain is None:
            self._plain = print_message(self.payload, self._binary)
        return self._plain

    def deflated(self, settings: DeflateSettings) -> bytes:
        """The frame for connections that compress so.  It refers to no message before it."""
        frame = self._deflated.get(settings)
        if frame is None:
            payload = Compressor(False, settings.wbits, settings.options()).compress(self.payload)
            frame = print_frame(BINARY if self._binary else TEXT, payload, False, rsv1=True)
            self._deflated[settings] = frame
        return frame
