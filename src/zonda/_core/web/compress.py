"""Output transforms: what an answer goes through on its way out; compression is the one there is.

Source: Tornado documentation, `tornado.web` (setting `compress_response`).
"""

from typing import Any, ClassVar

from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.codings import accepted_codings
from zonda._core.wire.headers import HTTPHeaders

from .packers import Packer, installed, make_packer

_NO_BODY = frozenset({204, 304})


class OutputTransform:
    """Changes answers: subclass it, and pass the class to `Application(transforms=[...])`.

    There is one object per request.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        pass

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Gets the head and the first piece of the body, `finishing` if that is all; returns what to send."""
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Gets every further piece of the body, `finishing` for the last; returns what to send."""
        return chunk


class GZipContentEncoding(OutputTransform):
    """Compresses text for clients that take gzip (RFC 9110, 8.4.1.3 and 12.5.3).

    An answer that is whole must have `MIN_LENGTH` bytes; one that is streamed is always compressed, and
    each piece that is flushed can be unpacked at once.
    """

    #: Types to compress besides `text/*`.
    CONTENT_TYPES: ClassVar[set[str]] = {
        "application/atom+xml",
        "application/javascript",
        "application/json",
        "application/x-javascript",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
    }
    #: The order among content codings of equal weight.
    CODINGS: ClassVar[tuple[str, ...]] = ("gzip",)
    #: From 1 (fast) to 9 (small).
    GZIP_LEVEL = 6
    #: Bytes below which compression does not pay.
    MIN_LENGTH = 1024

    def __init__(self, request: HTTPServerRequest) -> None:
        accepted = request.headers.get("Accept-Encoding", "")
        self._codings = accepted_codings(accepted, installed(self.CODINGS))
        self._gzipping = bool(self._codings)
        self._packer: Packer | None = None

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        vary_by_encoding(headers)
        if self._gzipping:
            self._gzipping = (
                self._compressible(headers.get("Content-Type", ""))
                and (not finishing or len(chunk) >= self.MIN_LENGTH)
                and status_code not in _NO_BODY
                and "Content-Encoding" not in headers
                # A range of the file is no range of the compressed file.
                and "Content-Range" not in headers
            )
        if self._gzipping:
            coding = self._codings[0]
            headers["Content-Encoding"] = coding
            etag = headers.get("Etag", "")
            if etag.startswith('"'):
                # A strong tag stands for these very bytes (RFC 9110, 8.8.3); they change here.
                headers["Etag"] = "W/" + etag
            self._packer = make_packer(coding, self._level_of(coding), finishing)
            chunk = self._packer.pack(chunk, finishing)
            if finishing:
                headers["Content-Length"] = str(len(chunk))
            elif "Content-Length" in headers:
                del headers["Content-Length"]
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk if self._packer is None else self._packer.pack(chunk, finishing)

    def _level_of(self, coding: str) -> int:
        return self.GZIP_LEVEL

    def _compressible(self, content_type: str) -> bool:
        media_type = content_type.partition(";")[0].strip().lower()
        return media_type.startswith("text/") or media_type in self.CONTENT_TYPES


class ContentEncoding(GZipContentEncoding):
    """Compresses with Zstandard, brotli or gzip: what the client likes best of what is installed.

    The setting `compress_response` uses it.  Without the extra `compress` it is `GZipContentEncoding`.
    Subclasses may set levels, and the order among equals; pass them to `Application(transforms=[...])`.
    """

    # Beside gzip: Zstandard takes 0.15 to 0.6 of the time for 2 to 7 % more bytes, brotli 1.0 to 1.5 for
    # 3 to 10 % less (HTML and JSON of 1 to 84 KB).
    CODINGS = ("zstd", "br", "gzip")
    #: From 1 (fast) to 22 (small).
    ZSTD_LEVEL = 3
    #: From 0 (fast) to 11 (small).
    BROTLI_QUALITY = 5

    def _level_of(self, coding: str) -> int:
        return {"zstd": self.ZSTD_LEVEL, "br": self.BROTLI_QUALITY}.get(coding, self.GZIP_LEVEL)


def leaves_body(transform: Any) -> bool:
    """Whether a transform that has seen the head sends the body as it is."""
    return type(transform).transform_chunk is GZipContentEncoding.transform_chunk and not transform._gzipping


def vary_by_encoding(headers: HTTPHeaders) -> None:
    """Tells caches that the answer depends on Accept-Encoding (RFC 9110, 12.5.5)."""
    vary = headers.get("Vary")
    if not vary:
        headers["Vary"] = "Accept-Encoding"
    elif not {"*", "accept-encoding"}.intersection(name.strip().lower() for name in vary.split(",")):
        headers["Vary"] = vary + ", Accept-Encoding"
