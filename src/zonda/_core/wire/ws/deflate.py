"""Messages compressed and inflated (RFC 7692 section 7.2)."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .deflate_memory import Share

#: What ends a flushed block, and is not sent (section 7.2.1).
_TAIL = b"\x00\x00\xff\xff"

_LEVEL = zlib.Z_DEFAULT_COMPRESSION
MEM_LEVEL = 8


#: Final blocks in one message; each begins a new stream, and a message of nothing else would cost its square.
_RESTARTS = 64


class DecompressTooLargeError(Exception):
    """A message inflates to more than is allowed."""


@dataclass(frozen=True, slots=True)
class DeflateSettings:
    """How one side compresses: what two connections have in common if they can share a frame."""

    wbits: int = zlib.MAX_WBITS
    level: int = _LEVEL
    mem_level: int = MEM_LEVEL

    def options(self) -> dict[str, int]:
        return {"compression_level": self.level, "mem_level": self.mem_level}


#: How far zlib looks ahead in its window: the rest of it is for what lies behind.
_LOOK_AHEAD = 262


class Compressor:
    """Compresses messages.  `persistent`: a message may refer to those before it (context takeover).

    zlib's state, up to 256 KB, is there only from the first message on, and only if it is persistent; `share`
    is what was drawn for it.
    """

    __slots__ = ("_deflater", "_persistent", "_share", "settings")

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        compression_options: Mapping[str, Any] | None = None,
        share: Share | None = None,
    ) -> None:
        """Raises `ValueError` for a window that zlib cannot write: 9 to 15 bits are allowed."""
        options = compression_options or {}
        wbits = zlib.MAX_WBITS if max_wbits is None else max_wbits
        if not 9 <= wbits <= zlib.MAX_WBITS:
            raise ValueError(f"a compression window of {wbits} bits: 9 to {zlib.MAX_WBITS} are allowed")
        self.settings = DeflateSettings(
            wbits, options.get("compression_level", _LEVEL), options.get("mem_level", MEM_LEVEL)
        )
        self._persistent = persistent
        self._share = share
        self._deflater: Any = None

    def compress(self, data: bytes) -> bytes:
        """The payload of a frame."""
        deflater = self._deflater
        if deflater is None:
            settings = self.settings
            wbits, mem_level = settings.wbits, settings.mem_level
            if not self._persistent:
                # A message alone needs a window and tables for itself; larger ones cost more than it does.
                bits = (len(data) + _LOOK_AHEAD).bit_length()
                wbits = min(wbits, max(bits, 9))
                mem_level = min(mem_level, max(bits - 6, 1))
            deflater = zlib.compressobj(settings.level, zlib.DEFLATED, -wbits, mem_level)
            if self._persistent:
                self._deflater = deflater
        printed: bytes = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        # An empty message is an empty block, of which the first byte stays (section 7.2.3.6).
        return printed[:-4]

    def forget(self) -> None:
        """The next message refers to none before it: the peer was sent one that we have not seen."""
        self._deflater = None


class Decompressor:
    """Inflates messages of at most `max_message_size` bytes, piece by piece or whole."""

    __slots__ = ("_inflater", "_limit", "_persistent", "_restarts", "_share", "_size", "_wbits")

    def __init__(
        self,
        persistent: bool,
        max_wbits: int | None,
        max_message_size: int,
        compression_options: Mapping[str, Any] | None = None,
        share: Share | None = None,
    ) -> None:
        wbits = zlib.MAX_WBITS if max_wbits is None else max_wbits
        if not 8 <= wbits <= zlib.MAX_WBITS:
            raise ValueError(f"a compression window of {wbits} bits: 8 to {zlib.MAX_WBITS} are allowed")
        self._wbits = wbits
        self._persistent = persistent
        self._limit = max_message_size
        self._share = share
        self._inflater: Any = None
        self._size = 0
        self._restarts = 0

    def feed(self, piece: bytes | bytearray) -> bytes:
        """What a piece of a message inflates to.

        Raises `DecompressTooLargeError`, before more than the limit is in memory, and `ValueError` for what
        is not deflated data.
        """
        inflated = self._inflate(piece)
        inflater = self._inflater
        if not inflater.eof:
            return inflated
        # A block said that it is the last: what follows begins anew (section 7.2.3.4).
        pieces = [inflated]
        while inflater.eof:
            self._restarts += 1
            if self._restarts > _RESTARTS:
                raise ValueError(f"more than {_RESTARTS} final blocks in one message")
            rest = inflater.unused_data
            inflater = self._inflater = zlib.decompressobj(-self._wbits)
            if rest:
                pieces.append(self._inflate(rest))
        return b"".join(pieces)

    def _inflate(self, piece: bytes | bytearray) -> bytes:
        inflater = self._inflater
        if inflater is None:
            inflater = self._inflater = zlib.decompressobj(-self._wbits)
        room = self._limit - self._size
        try:
            data: bytes = inflater.decompress(piece, room + 1)
        except zlib.error as error:
            raise ValueError(f"invalid deflated data: {error}") from None
        self._size += len(data)
        if len(data) > room:
            raise DecompressTooLargeError(f"more than {self._limit} bytes")
        return data

    def end(self) -> bytes:
        """The message is complete: the rest of it.  Raises as `feed` does."""
        rest = self.feed(_TAIL)
        self._size = self._restarts = 0
        if not self._persistent:
            self._inflater = None
        return rest

    def decompress(self, data: bytes) -> bytes:
        """A message whose payload is here whole."""
        inflated = self.feed(data)
        return inflated + self.end()
