"""`ResponseReader`: grammar and framing of responses (RFC 9112), and that cuts change nothing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.wire.http1.events import END, ResponseHead
from zonda._core.wire.http1.response_reader import MAX_INTERIM, ResponseReader


def read(
    parts: list[bytes], method: str = "GET", limits: Limits = DEFAULT_LIMITS, upgradable: bool = False
) -> Any:
    """What the reader gives, with the pieces of a body joined, as plain values."""
    reader = ResponseReader(limits)
    reader.expect(method, upgradable)
    events: list[Any] = []
    for part in parts:
        events += reader.feed(part)
        while reader.more:
            events += reader.feed(b"")
    events += reader.eof()
    shown: list[Any] = []
    for event in events:
        if isinstance(event, bytes):
            if shown and shown[-1][0] == "body":
                shown[-1] = ("body", shown[-1][1] + event)
            else:
                shown.append(("body", event))
        elif isinstance(event, ResponseHead):
            shown.append((event.status, event.reason, event.block, event.keep_alive))
        elif event is END:
            shown.append(("end",))
        else:
            assert isinstance(event, ProtocolError)
            shown.append(("error", event.status, event.reason))
    return shown


def kinds(shown: list[Any]) -> list[Any]:
    return [event[0] if event[0] != "body" else event[1] for event in shown]


def chunked(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body


GOOD = {
    "6.3-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [200, b"hello", "end"]),
    "6.3-length-0": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [200]),
    "6.3-until-close": (b"HTTP/1.1 200 OK\r\n\r\nto the end", [200, b"to the end", "end"]),
    "6.3-until-close-1.0": (b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nto the end", [200, b"to the end", "end"]),
    "6.3-204": (b"HTTP/1.1 204 No Content\r\n\r\n", [204]),
    "6.3-304-with-length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n", [304]),
    "6.3-equal-lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok",
        [200, b"ok", "end"],
    ),
    "7.1-chunked": (chunked(b"3\r\nabc\r\n4;x=y\r\n\r\n\r\n\r\n0\r\n\r\n"), [200, b"abc\r\n\r\n", "end"]),
    "7.1.2-trailers": (chunked(b"1\r\na\r\n0\r\nX-T: 1\r\n\r\n"), [200, b"a", "end"]),
    "15.2-interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA",
        [100, 200, b"A", "end"],
    ),
    "4-no-reason": (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", [200]),
}

BAD = {
    "4-version-2": b"HTTP/2.0 200 OK\r\n\r\n",
    "4-version-0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "4-other-protocol": b"RTSP/1.0 200 OK\r\n\r\n",
    "4-status-099": b"HTTP/1.1 099 Odd\r\n\r\n",
    "4-status-of-four": b"HTTP/1.1 2000 OK\r\n\r\n",
    "4-nul-in-reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "2.2-bare-lf": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "2.2-bare-lf-at-the-end": b"HTTP/1.1 200 OK\r\nContent-Length: 3\n\r\nabc",
    "2.2-bare-cr": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "5-nul": b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n",
    "5.1-space-before-colon": b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
    "5.2-obs-fold": b"HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 0\r\n\r\n",
    "6.1-te-and-length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    "6.1-te-gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "6.1-te-twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "6.1-te-in-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "6.2-lengths-differ": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 4\r\n\r\nok",
    "6.2-length-twice-differs": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "6.2-length-plus": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "6.2-length-hex": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    "6.2-length-underscore": b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
    "6.2-length-superscript": b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nok",
    "6.2-length-of-20-digits": b"HTTP/1.1 200 OK\r\nContent-Length: 00000000000000000002\r\n\r\nok",
    "6.3-204-with-length": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "6.3-100-with-length": b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
    "7.1-terminator": chunked(b"3\r\nfooXX0\r\n\r\n"),
    "7.1-size": chunked(b"zz\r\n"),
    "7.1-size-plus": chunked(b"+3\r\nfoo\r\n0\r\n\r\n"),
    "7.8-101-unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "8-short-length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "8-short-chunks": chunked(b"5\r\nhel"),
    "8-short-head": b"HTTP/1.1 200 OK\r\nContent-",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_at_every_split(name: str) -> None:
    data, expected = GOOD[name]
    whole = read([data])
    assert kinds(whole) == expected
    for cut in range(1, len(data)):
        assert read([data[:cut], data[cut:]]) == whole, cut
    assert read([data[i : i + 1] for i in range(len(data))]) == whole


@pytest.mark.parametrize("name", BAD)
def test_bad_at_every_split(name: str) -> None:
    data = BAD[name]
    whole = read([data])
    assert whole[-1][0] == "error", whole
    for cut in range(1, len(data)):
        assert read([data[:cut], data[cut:]])[-1][:2] == whole[-1][:2], cut


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_head_has_no_body_and_the_next_answer_is_read(framing: bytes) -> None:
    reader = ResponseReader(DEFAULT_LIMITS)
    for _ in range(3):
        reader.expect("HEAD")
        [head] = reader.feed(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
        assert isinstance(head, ResponseHead) and not head.has_body
        assert reader.idle
    reader.expect("GET")
    events = reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") + reader.feed(b"")
    assert events[1:] == [b"ok", END]


def test_what_comes_unasked_is_not_read() -> None:
    reader = ResponseReader(DEFAULT_LIMITS)
    reader.expect("GET")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert len(reader.feed(answer + answer)) == 1
    assert not reader.idle and not reader.more


def test_upgrade_leaves_what_follows_to_the_next_protocol() -> None:
    reader = ResponseReader(DEFAULT_LIMITS)
    reader.expect("GET", upgradable=True)
    [head] = reader.feed(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x81\x00"
    )
    assert isinstance(head, ResponseHead) and head.upgrade
    assert reader.take_rest() == b"\x81\x00"


def test_interim_answers_are_bounded() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert kinds(read([interim * MAX_INTERIM + GOOD["6.3-length"][0]]))[-1] == "end"
    assert read([interim * (MAX_INTERIM + 1)])[-1][0] == "error"


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        ({"head_bytes": 100}, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100),
        ({"line_bytes": 50}, b"HTTP/1.1 200 " + b"a" * 60),
        ({"header_count": 3}, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4 + b"\r\n"),
        ({"body_bytes": 3}, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"),
        ({"body_bytes": 3}, b"HTTP/1.1 200 OK\r\n\r\nabcd"),
        ({"body_bytes": 3}, chunked(b"4\r\nabcd\r\n0\r\n\r\n")),
        ({"chunk_extra_bytes": 100}, chunked(b"0\r\n" + b"T: 1\r\n" * 100 + b"\r\n")),
        ({"chunk_extra_bytes": 100}, chunked(b"1;" + b"x" * 20000 + b"\r\na\r\n0\r\n\r\n")),
    ],
)
def test_limits(limits: dict[str, int], data: bytes) -> None:
    bounded = replace(DEFAULT_LIMITS, **limits)
    assert read([data], limits=bounded)[-1][0] == "error"
    assert read([data[i : i + 1] for i in range(len(data))], limits=bounded)[-1][0] == "error"
    body = b"".join(event[1] for event in read([data], limits=bounded) if event[0] == "body")
    assert len(body) <= 3


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([data for data, _ in GOOD.values()] + list(BAD.values())), min_size=1, max_size=2
    ),
    st.integers(0, 400),
    st.binary(min_size=1, max_size=1),
    st.integers(1, 400),
    st.sampled_from(["GET", "HEAD"]),
)
def test_cuts_change_nothing_whatever_comes(
    parts: list[bytes], where: int, byte: bytes, cut: int, method: str
) -> None:
    data = bytearray(b"".join(parts))
    data[where % len(data)] = byte[0]
    whole = read([bytes(data)], method)
    cut %= len(data)
    halves = read([bytes(data[:cut]), bytes(data[cut:])], method)
    assert [e[:2] if e[0] == "error" else e for e in halves] == [
        e[:2] if e[0] == "error" else e for e in whole
    ]


def test_growth() -> None:
    def body(n: int) -> bytes:
        return chunked(b"1\r\nx\r\n" * n + b"0\r\n\r\n")

    assert_linear(body, lambda data: read([data]), 300)
    assert_linear(body, lambda data: read([data[i : i + 7] for i in range(0, len(data), 7)]), 100)


def test_growth_of_a_head() -> None:
    def head(n: int) -> list[bytes]:
        data = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * n + b"\r\n"
        return [data[i : i + 5] for i in range(0, len(data), 5)]

    bounds = replace(DEFAULT_LIMITS, head_bytes=10**7, header_count=10**6)
    assert_linear(head, lambda parts: read(parts, limits=bounds), 50)
