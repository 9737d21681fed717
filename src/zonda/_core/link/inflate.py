"""Request bodies that come compressed, for servers that ask for it (`decompress_request`)."""

import asyncio
import zlib
from collections.abc import Iterator

from zonda._core.base.errors import ProtocolError
from zonda._core.wire.http1.events import RequestHead
from zonda.util import GzipDecompressor

from .exchange import Peer
from .http1_exchange import Carrier, Http1Exchange


def wants_inflating(head: RequestHead) -> bool:
    """Whether the body of this request is one that `InflatingExchange` undoes."""
    coding = head.field(b"content-encoding")
    return coding is not None and coding.lower() == b"gzip"


class InflatingExchange(Http1Exchange):
    """Undoes `Content-Encoding: gzip`, piece by piece, up to `Limits.decompressed_body_bytes`.

    The field is shown to the application as X-Consumed-Content-Encoding, as Tornado does.
    """

    def __init__(self, connection: Carrier, head: RequestHead, peer: Peer) -> None:
        super().__init__(connection, head, peer)
        at = head.lower.index(b"\r\ncontent-encoding:")
        head.block = head.block[: at + 2] + b"X-Consumed-" + head.block[at + 2 :]
        head.lower = head.block.lower()
        self._inflater = GzipDecompressor()
        self._inflated = 0
        self._allowed = connection.limits.decompressed_body_bytes

    def set_max_body_size(self, max_body_size: int) -> None:
        super().set_max_body_size(max_body_size)
        self._allowed = max_body_size

    def take(self, data: bytes) -> "asyncio.Future[None] | None":
        return None if self.finished else self._hand_on(self._inflate(data))

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        size = self._limits.chunk_size
        while data and self.connection is not None:
            try:
                piece = self._inflater.decompress(data, size)
            except (zlib.error, ValueError, EOFError) as error:
                raise ProtocolError(f"invalid gzip data: {error}") from None
            data = self._inflater.unconsumed_tail
            self._inflated += len(piece)
            if self._inflated > self._allowed:
                raise ProtocolError(f"decompressed body too large: more than {self._allowed} bytes")
            if piece:
                yield piece

    def end(self) -> None:
        try:
            self._inflater.flush()
        except (zlib.error, ValueError, EOFError) as error:
            raise ProtocolError(f"invalid gzip data: {error}") from None
        super().end()
