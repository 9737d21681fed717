"""The cost of reading n, 10 n and 100 n bytes is linear, whatever they are and however they are cut."""

from dataclasses import replace

import pytest

from tests.core.wire.growth import assert_linear
from tests.core.wire.http1.corpus import NEXT, chunked, get, post
from tests.core.wire.http1.reading import drive, one_by_one
from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.wire.http1.request import RequestReader

HUGE = replace(
    DEFAULT_LIMITS,
    line_bytes=10**8,
    head_bytes=10**8,
    header_count=10**7,
    chunk_extra_bytes=10**8,
)


def read(pieces: list[bytes]) -> None:
    reader = RequestReader(HUGE)
    for piece in pieces:
        for event in drive(reader, piece):
            assert not isinstance(event, ProtocolError), event.reason


INPUTS = {
    "long-line": lambda n: [get(line=b"GET /" + b"a" * 10 * n + b" HTTP/1.1")],
    "long-field": lambda n: [get(b"X: " + b"a" * 10 * n + b"\r\n")],
    "many-fields": lambda n: [get(b"X: y\r\n" * n)],
    "many-connection-fields": lambda n: [get(b"Connection: a\r\n" * n)],
    "long-list-of-connection-options": lambda n: [get(b"Connection: " + b"a," * n + b"b\r\n")],
    "many-upgrade-fields": lambda n: [get(b"Connection: upgrade\r\n" + b"Upgrade: a\r\n" * n)],
    "head-byte-by-byte": lambda n: one_by_one(get(b"X: " + b"a" * n + b"\r\n")),
    "many-fields-byte-by-byte": lambda n: one_by_one(get(b"X: y\r\n" * (n // 6))),
    "empty-lines": lambda n: [b"\r\n" * n],
    "empty-lines-byte-by-byte": lambda n: one_by_one(b"\r\n" * (n // 2)),
    "tiny-chunks": lambda n: [chunked(b"1\r\nx\r\n" * n + b"0\r\n\r\n")],
    "tiny-chunks-byte-by-byte": lambda n: one_by_one(chunked(b"1\r\nx\r\n" * (n // 6) + b"0\r\n\r\n")),
    "chunk-extensions": lambda n: [chunked(b"1;a=b\r\nx\r\n" * n + b"0\r\n\r\n")],
    "trailers": lambda n: [chunked(b"0\r\n" + b"X: y\r\n" * n + b"\r\n")],
    "line-ends-in-a-chunk": lambda n: [chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (4 * n, b"\r\n\r\n" * n))],
    "line-ends-in-chunks": lambda n: [chunked(b"4\r\n\r\n\r\n\r\n" * n + b"0\r\n\r\n")],
    "pipelined": lambda n: [NEXT * (n // 4)],
    "pipelined-with-bodies": lambda n: [post(b"Content-Length: 1\r\n", b"x") * (n // 4)],
    "pipelined-with-chunks": lambda n: [chunked(b"1\r\nx\r\n0\r\n\r\n") * (n // 8)],
    "pipelined-upgrades": lambda n: [get(b"Connection: upgrade\r\nUpgrade: x\r\n") * (n // 4)],
    "behind-a-held-request": lambda n: [get(b"Connection: upgrade\r\nUpgrade: x\r\n"), *[b"\r\n"] * n],
    "body-byte-by-byte": lambda n: one_by_one(post(b"Content-Length: %d\r\n" % n, b"x" * n)),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_reading_is_linear(kind: str) -> None:
    assert_linear(INPUTS[kind], read, 500)


def test_what_comes_behind_an_upgrade_that_waits_is_kept_at_linear_cost() -> None:
    def work(pieces: list[bytes]) -> None:
        reader = RequestReader(HUGE)
        reader.feed(get(b"Connection: upgrade\r\nUpgrade: x\r\n"))
        for piece in pieces:
            reader.feed(piece)

    assert_linear(lambda n: [b"x" * 10] * n, work, 1000)
