"""Request bodies that come compressed, for servers that ask for it (`decompress_request`)."""

import asyncio
from collections.abc import Iterator

from zonda._core.wire.http1.events import RequestHead
from zonda._core.wire.inflate import Inflater, mark_consumed

from .exchange import Peer
from .http1_exchange import Carrier, Http1Exchange


class InflatingExchange(Http1Exchange):
    """Undoes `Content-Encoding: gzip`, piece by piece, up to `Limits.decompressed_body_bytes`.

    The field is shown to the application as X-Consumed-Content-Encoding, as Tornado does.
    """

    def __init__(self, connection: Carrier, head: RequestHead, peer: Peer) -> None:
        super().__init__(connection, head, peer)
        mark_consumed(head)
        limits = connection.limits
        self._inflater = Inflater(limits.chunk_size, limits.decompressed_body_bytes)

    def set_max_body_size(self, max_body_size: int) -> None:
        super().set_max_body_size(max_body_size)
        self._inflater.limit = max_body_size

    def take(self, data: bytes) -> "asyncio.Future[None] | None":
        return None if self.finished else self._hand_on(self._inflate(data))

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        for piece in self._inflater.feed(data):
            yield piece
            if self.connection is None:
                return

    def end(self) -> None:
        self._inflater.end()
        super().end()
