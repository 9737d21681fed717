"""Bodies that come with `Content-Encoding: gzip`, undone in pieces and up to a bound (RFC 9110, 8.4.1.3)."""

import zlib
from collections.abc import Iterator

from zonda._core.base.errors import ProtocolError
from zonda._core.wire.http1.events import Head
from zonda.util import GzipDecompressor


def is_gzipped(head: Head) -> bool:
    """Whether the body of this message is one that `Inflater` undoes."""
    coding = head.field("content-encoding")
    return coding is not None and coding.lower() == "gzip"


def mark_consumed(head: Head) -> None:
    """Shows Content-Encoding as X-Consumed-Content-Encoding, as Tornado does: the body has it no more."""
    at = head.lower.index("\r\ncontent-encoding:")
    head.block = f"{head.block[: at + 2]}X-Consumed-{head.block[at + 2 :]}"
    head.lowered = None


class Inflater:
    """Undoes gzip in pieces of at most `chunk_size` bytes, `limit` bytes in all."""

    def __init__(self, chunk_size: int, limit: int) -> None:
        self._chunk_size = chunk_size
        #: May change while the body comes.
        self.limit = limit
        self._inflated = 0
        self._gzip = GzipDecompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, piece by piece, each made when it is asked for.

        Raises `ProtocolError` if it is not gzip, or unpacks to more than the limit.
        """
        while data:
            try:
                piece = self._gzip.decompress(data, self._chunk_size)
            except (zlib.error, ValueError, EOFError) as error:
                raise ProtocolError(f"invalid gzip data: {error}") from None
            data = self._gzip.unconsumed_tail
            self._inflated += len(piece)
            if self._inflated > self.limit:
                raise ProtocolError(f"decompressed body too large: more than {self.limit} bytes")
            if piece:
                yield piece

    def end(self) -> None:
        """The body is over.  Raises `ProtocolError` if the data are not."""
        try:
            self._gzip.flush()
        except (zlib.error, ValueError, EOFError) as error:
            raise ProtocolError(f"invalid gzip data: {error}") from None
