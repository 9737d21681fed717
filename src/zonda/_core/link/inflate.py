"""Request bodies that come compressed, for servers that ask for it (`decompress_request`)."""

import asyncio
import zlib
from typing import Any

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
    """Undoes `Content-Encoding: gzip`, in pieces of `Limits.chunk_size`, up to the bound of the body.

    The field is shown to the application as X-Consumed-Content-Encoding, as Tornado does.
    """

    __slots__ = ("_inflated", "_inflater")

    def __init__(self, connection: Carrier, head: RequestHead, peer: Peer) -> None:
        super().__init__(connection, head, peer)
        at = head.lower.index(b"\r\ncontent-encoding:")
        head.block = head.block[: at + 2] + b"X-Consumed-" + head.block[at + 2 :]
        head.lower = head.block.lower()
        self._inflater: Any = GzipDecompressor()
        self._inflated = 0

    def take(self, data: bytes) -> "asyncio.Future[None] | None":
        if self.finished:
            return None
        connection = self.connection
        assert connection is not None
        size = connection.limits.chunk_size
        waiting: asyncio.Future[None] | None = None
        pieces = []
        while data:
            try:
                piece = self._inflater.decompress(data, size)
            except (zlib.error, ValueError, EOFError) as error:
                raise ProtocolError(f"invalid gzip data: {error}") from None
            self._inflated += len(piece)
            if self._inflated > connection.body_limit:
                raise ProtocolError(f"decompressed body too large: more than {connection.body_limit} bytes")
            data = self._inflater.unconsumed_tail
            if not piece:
                continue
            if self.on_body is None:
                self._gather(piece)
            else:
                pieces.append(piece)
        if pieces:
            waiting = super().take(b"".join(pieces))
        return waiting

    def end(self) -> None:
        try:
            self._inflater.flush()
        except (zlib.error, ValueError, EOFError) as error:
            raise ProtocolError(f"invalid gzip data: {error}") from None
        super().end()
