"""Compression: who gets it, and that what is sent can be unpacked."""

import gzip
import sys
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest

from tests.core.web.asking import Answer, Ask, ask, ask_all
from tests.core.wire.growth import assert_linear
from zonda._core.web import packers
from zonda.httputil import HTTPHeaders, HTTPServerRequest
from zonda.web import Application, ContentEncoding, GZipContentEncoding, RequestHandler

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNPACK: dict[str | None, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
    None: bytes,
}
CODINGS = ["br", "gzip", "zstd"]
each_coding = pytest.mark.parametrize("coding", CODINGS)
TEXT = b"to and fro " * 200


class Page(RequestHandler):
    async def get(self) -> None:
        for name in ("Content-Type", "Content-Encoding", "Content-Range", "Etag", "Vary"):
            value = self.get_query_argument(name, None)
            if value is not None:
                self.set_header(name, value)
        pieces = int(self.get_query_argument("pieces", "1"))
        for _ in range(pieces - 1):
            self.write(TEXT)
            await self.flush()
        self.write(TEXT)

    head = get


def application() -> Application:
    return Application([("/", Page)], compress_response=True)


def page(query: str = "", accept: str | None = "gzip", method: str = "GET") -> Answer:
    return ask(application(), method, f"/?{query}", headers=[("Accept-Encoding", accept)] if accept else [])


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0.7, gzip;q=0.8", "gzip"),
        ("deflate, gzip;q=1.0, *;q=0.5", "gzip"),
        # As browsers say it.
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("zstd;q=0, br", "br"),
        (None, None),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip; q=0.000, br;q=0", None),
        ("notgzip, gzipped, brotli", None),
        ("gzip;q=bad", None),
    ],
)
def test_who_takes_it(accept, coding):
    answer = page(accept=accept)
    assert answer["Content-Encoding"] == coding
    assert (len(answer.body) < len(TEXT)) is (coding is not None)
    assert UNPACK[coding](answer.body) == TEXT
    assert answer["Content-Length"] == str(len(answer.body))
    assert answer.all("Vary") == ["Accept-Encoding"]


@pytest.mark.parametrize(
    ("query", "compressed"),
    [
        ("Content-Type=text/plain", True),
        ("Content-Type=Text/HTML;charset=utf-8", True),
        ("Content-Type=application/json", True),
        ("Content-Type=image/png", False),
        ("Content-Type=textual/x", False),
        ("Content-Encoding=br", False),
        # Part of the bytes of the file are no part of the compressed bytes.
        ("Content-Range=bytes%200-9/10", False),
    ],
)
@each_coding
def test_what_is_compressed(query, compressed, coding):
    answer = page(query, coding)
    if "Content-Encoding=br" in query:
        # It comes compressed already.
        assert (answer["Content-Encoding"], answer.body) == ("br", TEXT)
    else:
        assert answer["Content-Encoding"] == (coding if compressed else None)


@each_coding
def test_a_strong_tag_becomes_a_weak_one_that_still_answers_304(coding):
    """RFC 9110, 8.8.3: a strong tag stands for one sequence of bytes."""
    answers = ask_all(
        application(),
        Ask(headers=[("Accept-Encoding", coding)]),
        Ask(),
        Ask(uri="/?Etag=W/%22x%22", headers=[("Accept-Encoding", coding)]),
    )
    packed, plain, weak = (answer["Etag"] or "" for answer in answers)
    assert packed == "W/" + plain
    assert weak == 'W/"x"'
    for tag in (packed, plain):
        answer = ask(application(), headers=[("Accept-Encoding", coding), ("If-None-Match", tag)])
        assert (answer.status, answer.body, answer["Vary"]) == (304, b"", "Accept-Encoding")


@pytest.mark.parametrize(
    ("vary", "expected"),
    [("Cookie", "Cookie, Accept-Encoding"), ("*", "*"), ("cookie,accept-encoding", "cookie,accept-encoding")],
)
def test_vary_names_it_once(vary, expected):
    assert page(f"Vary={vary}").all("Vary") == [expected]


@each_coding
def test_head_has_the_head_of_get(coding):
    get, head = page(accept=coding), page(accept=coding, method="HEAD")
    assert head.body == b""
    names = ("Content-Length", "Content-Encoding", "Etag", "Vary")
    assert [head[name] for name in names] == [get[name] for name in names]


def transform(accept: str = "gzip", kind: type[GZipContentEncoding] = ContentEncoding) -> GZipContentEncoding:
    headers = HTTPHeaders({"Accept-Encoding": accept})
    return kind(HTTPServerRequest("GET", "/", headers=headers))


def first(
    chunk: bytes, finishing: bool, packer: GZipContentEncoding, **fields: str
) -> tuple[HTTPHeaders, bytes]:
    headers = HTTPHeaders({"Content-Type": "text/plain", **fields})
    _, headers, packed = packer.transform_first_chunk(200, headers, chunk, finishing)
    return headers, packed


def unpacker(coding: str) -> Callable[[bytes], bytes]:
    """Unpacks piece by piece."""
    if coding == "br":
        decompressor = brotli.Decompressor()

        def unpack(packed: bytes) -> bytes:
            # It gives what it has in parts.
            pieces = [decompressor.process(packed)]
            while pieces[-1]:
                pieces.append(decompressor.process(b""))
            return b"".join(pieces)

    elif coding == "zstd":
        unpack = zstd.ZstdDecompressor().decompress
    else:
        unpack = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress
    return unpack


@each_coding
def test_every_piece_can_be_unpacked_at_once(coding):
    packer = transform(coding)
    headers, packed = first(b"a" * 50, False, packer, **{"Content-Length": "150"})
    assert "Content-Length" not in headers
    unpack = unpacker(coding)
    assert unpack(packed) == b"a" * 50
    whole = packed
    for piece, finishing in ((b"b" * 50, False), (b"", False), (b"c" * 100_000, False), (b"d", True)):
        packed = packer.transform_chunk(piece, finishing)
        assert unpack(packed) == piece
        whole += packed
    # It has its end, too.
    assert UNPACK[coding](whole) == b"a" * 50 + b"b" * 50 + b"c" * 100_000 + b"d"


@each_coding
def test_a_stream_may_end_with_nothing(coding):
    packer = transform(coding)
    _, packed = first(b"", False, packer)
    assert UNPACK[coding](packed + packer.transform_chunk(b"", True)) == b""


@each_coding
def test_pieces_arrive(coding):
    answer = page("pieces=3", coding)
    assert answer["Transfer-Encoding"] == "chunked"
    body, rest = b"", answer.body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    assert UNPACK[coding](body) == TEXT * 3


@each_coding
def test_gzip_alone_stays_gzip_alone(coding):
    application = Application([("/", Page)], transforms=[GZipContentEncoding])
    answer = ask(application, headers=[("Accept-Encoding", f"{coding}, gzip;q=0.1")])
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == TEXT


@pytest.mark.parametrize(
    ("missing", "coding"), [("backports.zstd", "br"), ("brotli", "zstd"), ("backports.zstd brotli", "gzip")]
)
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="zstd is Python's own")
def test_what_is_not_installed_is_not_offered(monkeypatch, missing, coding):
    packers._load.cache_clear()
    packers.installed.cache_clear()
    try:
        with monkeypatch.context() as patch:
            for name in missing.split():
                patch.setitem(sys.modules, name, None)
            if "backports.zstd" in missing:
                # Not raising: setuptools, once imported, has put a `backports` of its own there.
                patch.delattr("backports.zstd", raising=False)
            answer = page(accept="br, zstd, gzip")
        assert answer["Content-Encoding"] == coding
        assert UNPACK[coding](answer.body) == TEXT
    finally:
        packers._load.cache_clear()
        packers.installed.cache_clear()


class Small(ContentEncoding):
    CODINGS = ("br", "zstd", "gzip")
    BROTLI_QUALITY = 11
    ZSTD_LEVEL = 19
    GZIP_LEVEL = 9


class Fast(ContentEncoding):
    BROTLI_QUALITY = 0
    ZSTD_LEVEL = 1
    GZIP_LEVEL = 1


def test_order_and_levels_are_a_subclass_s_to_set():
    text = b" ".join(b"%d" % (number * number) for number in range(5000))
    for coding in CODINGS:
        sizes = [len(first(text, True, transform(coding, kind))[1]) for kind in (Small, Fast)]
        assert sizes[0] < sizes[1]
    headers, _ = first(text, True, transform("gzip, zstd, br", Small))
    assert headers["Content-Encoding"] == "br"


def test_what_a_stream_may_hold_is_little():
    """RFC 9659: a decoder of the coding need not have a window of more than 8 MB; ours is 128 KB."""
    _, packed = first(b"x" * 100_000, False, transform("zstd"))
    # RFC 8878, 3.1.1.1.2: exponent and mantissa of the window.
    assert not packed[4] & 0x20
    assert packed[5] == (17 - 10) << 3


@pytest.mark.parametrize(("size", "compressed"), [(0, False), (1023, False), (1024, True)])
@each_coding
def test_small_answers_stay_as_they_are(size, compressed, coding):
    headers, _ = first(b"a" * size, True, transform(coding))
    assert ("Content-Encoding" in headers) is compressed


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_no_coding(status):
    _, headers, chunk = transform().transform_first_chunk(status, HTTPHeaders(), b"", False)
    assert (dict(headers), chunk) == ({"Vary": "Accept-Encoding"}, b"")


def growing(n: int) -> Any:
    return HTTPServerRequest("GET", "/", headers=HTTPHeaders({"Accept-Encoding": "gzip;q=0," * n}))


def test_growth():
    assert_linear(growing, ContentEncoding, 100)
