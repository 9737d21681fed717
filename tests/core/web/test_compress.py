"""Compression: who gets it, and that what is sent can be unpacked."""

import gzip
import zlib
from typing import Any

import pytest

from tests.core.web.asking import Answer, Ask, ask, ask_all
from tests.core.wire.growth import assert_linear
from zonda.httputil import HTTPHeaders, HTTPServerRequest
from zonda.web import Application, GZipContentEncoding, RequestHandler

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
    ("accept", "compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br;q=1, gzip;q=0.8", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        (None, False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("notgzip, gzipped", False),
        ("gzip;q=bad", False),
    ],
)
def test_who_takes_it(accept, compressed):
    answer = page(accept=accept)
    assert (answer["Content-Encoding"] == "gzip") is compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == TEXT
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
def test_what_is_compressed(query, compressed):
    assert (page(query)["Content-Encoding"] == "gzip") is compressed


def test_a_strong_tag_becomes_a_weak_one_that_still_answers_304():
    """RFC 9110, 8.8.3: a strong tag stands for one sequence of bytes."""
    answers = ask_all(
        application(),
        Ask(headers=[("Accept-Encoding", "gzip")]),
        Ask(),
        Ask(uri="/?Etag=W/%22x%22", headers=[("Accept-Encoding", "gzip")]),
    )
    packed, plain, weak = (answer["Etag"] or "" for answer in answers)
    assert packed == "W/" + plain
    assert weak == 'W/"x"'
    for tag in (packed, plain):
        answer = ask(application(), headers=[("Accept-Encoding", "gzip"), ("If-None-Match", tag)])
        assert (answer.status, answer.body, answer["Vary"]) == (304, b"", "Accept-Encoding")


@pytest.mark.parametrize(
    ("vary", "expected"),
    [("Cookie", "Cookie, Accept-Encoding"), ("*", "*"), ("cookie,accept-encoding", "cookie,accept-encoding")],
)
def test_vary_names_it_once(vary, expected):
    assert page(f"Vary={vary}").all("Vary") == [expected]


def test_head_has_the_head_of_get():
    get, head = page(), page(method="HEAD")
    assert head.body == b""
    names = ("Content-Length", "Content-Encoding", "Etag", "Vary")
    assert [head[name] for name in names] == [get[name] for name in names]


def transform(accept: str = "gzip") -> GZipContentEncoding:
    headers = HTTPHeaders({"Accept-Encoding": accept})
    return GZipContentEncoding(HTTPServerRequest("GET", "/", headers=headers))


def first(chunk: bytes, finishing: bool, **fields: str) -> tuple[GZipContentEncoding, HTTPHeaders, bytes]:
    packer = transform()
    headers = HTTPHeaders({"Content-Type": "text/plain", **fields})
    _, headers, packed = packer.transform_first_chunk(200, headers, chunk, finishing)
    return packer, headers, packed


def test_every_piece_can_be_unpacked_at_once():
    packer, headers, packed = first(b"a" * 50, False, **{"Content-Length": "150"})
    assert "Content-Length" not in headers
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert unpacker.decompress(packed) == b"a" * 50
    assert unpacker.decompress(packer.transform_chunk(b"b" * 50, False)) == b"b" * 50
    assert unpacker.decompress(packer.transform_chunk(b"c" * 50, True)) == b"c" * 50
    assert unpacker.eof


def test_pieces_arrive():
    answer = page("pieces=3")
    assert answer["Transfer-Encoding"] == "chunked"
    body, rest = b"", answer.body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    assert gzip.decompress(body) == TEXT * 3


@pytest.mark.parametrize(("size", "compressed"), [(0, False), (1023, False), (1024, True)])
def test_small_answers_stay_as_they_are(size, compressed):
    _, headers, _ = first(b"a" * size, True)
    assert ("Content-Encoding" in headers) is compressed


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_no_coding(status):
    _, headers, chunk = transform().transform_first_chunk(status, HTTPHeaders(), b"", False)
    assert (dict(headers), chunk) == ({"Vary": "Accept-Encoding"}, b"")


def growing(n: int) -> Any:
    return HTTPServerRequest("GET", "/", headers=HTTPHeaders({"Accept-Encoding": "gzip;q=0," * n}))


def test_growth():
    assert_linear(growing, GZipContentEncoding, 100)
