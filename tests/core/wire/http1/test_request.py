"""`RequestReader`: grammar and framing of requests (RFC 9112), and that cuts in the input change nothing."""

import gc
import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.wire.http1.corpus import BAD, GOOD, NEXT, chunked, get, post
from tests.core.wire.http1.reading import drive, one_by_one, plain, read, short
from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.wire.http1.events import END, RequestHead
from zonda._core.wire.http1.request import RequestReader

ALL = GOOD | BAD


@pytest.mark.parametrize("name", ALL)
def test_section(name: str) -> None:
    data, expected = ALL[name]
    whole = read([data])
    assert short(whole) == expected
    assert read([data], warm=True) == whole


@pytest.mark.parametrize("name", ALL)
def test_section_byte_by_byte(name: str) -> None:
    data, _ = ALL[name]
    assert read(one_by_one(data)) == read([data])


@pytest.mark.parametrize("name", ALL)
def test_section_at_every_split(name: str) -> None:
    data, _ = ALL[name]
    whole = read([data])
    for cut in range(1, min(len(data), 600)):
        assert read([data[:cut], data[cut:]]) == whole, cut
        assert read([data[:cut], data[cut:]], warm=True) == whole, cut


@pytest.mark.parametrize("name", ALL)
def test_section_behind_a_request(name: str) -> None:
    data, _ = ALL[name]
    whole = read([NEXT + data])
    assert whole[0] == read([NEXT])[0]
    assert whole[1:] == read([data])


#: What may come behind a message in the same read.
TRAILING = {
    "request": NEXT,
    "body": post(b"Content-Length: 3\r\n", b"abc"),
    "head-of-a-body": b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n",
    "nothing-good": b"\0\xff\n\n",
    "empty-lines": b"\r\n\r\n",
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("trailing", TRAILING)
def test_section_with_trailing_data(name: str, trailing: str) -> None:
    data, expected = ALL[name]
    data += TRAILING[trailing]
    whole = read([data])
    assert read([data], warm=True) == whole
    if not any(word in name for word in ("unfinished", "no-slash-yet")):
        assert short(whole)[: len(expected)] == expected
    for cut in range(1, min(len(data), 600), 7):
        assert read([data[:cut], data[cut:]]) == whole, cut
    assert read(one_by_one(data)) == whole


@pytest.mark.parametrize("name", BAD)
def test_9_3_2_nothing_is_read_behind_an_error(name: str) -> None:
    data, expected = BAD[name]
    reader = RequestReader(DEFAULT_LIMITS)
    assert plain(drive(reader, data)[-1])[0] == "error"
    assert reader.closed and not reader.more and not reader.held
    assert drive(reader, NEXT) == []
    assert short(read([data, NEXT])) == expected


@settings(max_examples=150, deadline=None)
@given(
    messages=st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 2000), max_size=12),
)
def test_any_messages_in_a_row_cut_anywhere(messages: list[str], cuts: list[int]) -> None:
    data = b"".join(ALL[name][0] for name in messages)
    points = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(points)]
    assert read(pieces) == read([data]) == read(pieces, warm=True)


@settings(max_examples=200, deadline=None)
@given(
    data=st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"GET / HTTP/1.1", b"Host: a", b"0", b":", b" ", b"x"]
        )
    ).map(b"".join),
    cut=st.integers(0, 60),
    begin=st.sampled_from([b"", NEXT]),
)
def test_line_ends_in_any_order(data: bytes, cut: int, begin: bytes) -> None:
    data = begin + data
    assert read([data[:cut], data[cut:]]) == read([data]) == read(one_by_one(data))
    assert read([data[:cut], data[cut:]], warm=True) == read([data], warm=True) == read([data])


# ---- what a head says


def head_of(data: bytes) -> RequestHead:
    event = RequestReader(DEFAULT_LIMITS).feed(data)[0]
    assert isinstance(event, RequestHead)
    return event


@pytest.mark.parametrize(
    ("data", "host", "target"),
    [
        (get(host=b"Host: A.example:1\r\n"), "A.example:1", "/"),
        (get(line=b"GET http://b:80/c?d HTTP/1.1"), "b:80", "/c?d"),
        (get(line=b"GET http://b?d=/e HTTP/1.1"), "b", "/?d=/e"),
        (b"GET http://b/ HTTP/1.0\r\n\r\n", "b", "/"),
        (b"GET / HTTP/1.0\r\n\r\n", "", "/"),
        (get(host=b"Host:\r\n"), "", "/"),
        (get(line=b"GET http://b//c HTTP/1.1"), "b", "//c"),
    ],
)
def test_3_2_2_the_absolute_form_replaces_host(data: bytes, host: str, target: str) -> None:
    head = head_of(data)
    assert (head.host, head.target) == (host, target)


def test_3_2_2_the_next_request_has_its_own_host() -> None:
    first = get(line=b"GET http://b/ HTTP/1.1")
    assert [event[4] for event in read([first + NEXT])] == ["b", "a"]


@pytest.mark.parametrize(
    ("fields", "line", "expected"),
    [
        (b"Expect: 100-continue\r\n", b"POST / HTTP/1.1", True),
        (b"eXPECT: \t100-CONTINUE \r\n", b"POST / HTTP/1.1", True),
        (b"Expect: 100-continue\r\n", b"POST / HTTP/1.0", False),
        (b"Expect: 200-ok\r\n", b"POST / HTTP/1.1", False),
        (b"X-Expect: 100-continue\r\n", b"POST / HTTP/1.1", False),
    ],
)
def test_rfc9110_10_1_1_expect(fields: bytes, line: bytes, expected: bool) -> None:
    assert head_of(get(b"Content-Length: 1\r\n" + fields, line=line)).expect_continue is expected


def test_5_fields_are_found_by_their_whole_name() -> None:
    head = head_of(get(b"X-Range: 1\r\nRANGE:\t2 \r\nRange: 3\r\n"))
    assert head.field("range") == "2"
    assert head.field("rang") is None


def test_7_1_2_trailers_do_not_become_fields() -> None:
    events = read([chunked(b"0\r\nX-Trailer: 1\r\nHost: b\r\n\r\n")])
    assert "X-Trailer" not in events[0][5]  # type: ignore[operator]
    assert events[0][4] == "a"


def test_rfc9110_7_8_an_upgrade_holds_what_stands_behind_it() -> None:
    reader = RequestReader(DEFAULT_LIMITS)
    data = get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    assert len(reader.feed(data + b"\x81\x00")) == 1
    assert reader.feed(b"\x81") == [] and not reader.more and reader.held
    assert reader.waiting == 3
    assert reader.take_rest() == b"\x81\x00\x81"
    assert reader.closed


def test_rfc9110_7_8_the_rest_is_what_stands_behind_the_body() -> None:
    reader = RequestReader(DEFAULT_LIMITS)
    data = post(b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n", b"abcdef")
    assert [plain(event)[0] for event in drive_once(reader, data)] == ["head", "body", "end"]
    assert reader.held and reader.take_rest() == b"def"


def drive_once(reader: RequestReader, data: bytes) -> list[object]:
    """As `drive`, for an upgrade that is still being thought about."""
    events: list[object] = list(reader.feed(data))
    while reader.more:
        events += reader.feed(b"")
    return events


def test_9_3_2_what_is_pushed_is_read_later() -> None:
    reader = RequestReader(DEFAULT_LIMITS)
    reader.push(NEXT[:10])
    reader.push(NEXT[10:] + NEXT + b"GE")
    assert reader.more and reader.waiting == 2 * len(NEXT) + 2
    assert short([plain(event) for event in drive(reader, b"")]) == ["GET /next"] * 2
    assert reader.in_head and reader.waiting == 2


def test_9_6_bytes_behind_the_last_request_are_noticed() -> None:
    for data, dropped in [
        (get(b"Connection: close\r\n"), False),
        (get(b"Connection: close\r\n") + b"x", True),
    ]:
        reader = RequestReader(DEFAULT_LIMITS)
        reader.feed(data)
        assert reader.dropped is dropped
        reader.feed(b"x")
        assert reader.dropped


# ---- limits

SMALL = replace(
    DEFAULT_LIMITS, line_bytes=100, head_bytes=300, header_count=5, body_bytes=1000, chunk_extra_bytes=200
)


def line_of(size: int) -> bytes:
    return b"GET /" + b"a" * (size - 14) + b" HTTP/1.1"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (get(line=line_of(100)), "GET"),
        (get(line=line_of(101)), 414),
        (b"\r\n" + get(line=line_of(101)), 414),
        (b"\r\n" * 300 + get(line=line_of(100)), "GET"),
        (line_of(500), 414),
        (line_of(10_000)[:100], None),
        (b"a" * 101, None),  # the next byte may be an LF
        (b"a" * 102, 414),
        (get(b"X: " + b"a" * (300 - len(get()) - 5) + b"\r\n"), "GET"),
        (get(b"X: " + b"a" * (301 - len(get()) - 5) + b"\r\n"), 431),
        (get(b"X: " + b"a" * 1000), 431),
        (get(b"X: y\r\n" * 4), "GET"),
        (get(b"X: y\r\n" * 5), 431),
    ],
)
@pytest.mark.parametrize("line_bytes", [100, 300])
def test_limits_of_a_head(data: bytes, expected: object, line_bytes: int) -> None:
    if line_bytes == 300 and expected == 414:
        data = data.replace(b"/a", b"/" + b"a" * 201) if b"/" in data else data + b"a" * 200
    elif line_bytes == 300 and len(data) < 110 and expected is None:
        data += b"a" * 200
    limits = replace(SMALL, line_bytes=line_bytes)
    whole = read([data], limits)
    seen = short(whole)
    assert [str(one)[:3] for one in seen] == ([] if expected is None else [str(expected)])
    for cut in range(1, len(data)):
        assert read([data[:cut], data[cut:]], limits) == whole, cut
    assert read(one_by_one(data), limits) == whole


def test_limits_say_what_is_allowed() -> None:
    told = [
        read([data], SMALL)[-1][2] for data in (line_of(500), get(b"X: " + b"a" * 500), get(b"X: y\r\n" * 9))
    ]
    assert told == [
        "request line too long: more than 100 bytes",
        "headers too large: more than 300 bytes",
        "too many header fields: more than 5",
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (post(b"Content-Length: 1000\r\n", b"x" * 1000), ["POST /", b"x" * 1000, "end"]),
        (post(b"Content-Length: 1001\r\n", b"x" * 1001), ["POST /", 400]),
        (chunked(b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n"), ["POST /", b"x" * 1000, "end"]),
        (chunked(b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"), ["POST /", b"x" * 1000, 400]),
        (chunked(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n"), ["POST /", b"x" * 1000, "end"]),
        (chunked(b"1\r\nx\r\n" * 1001 + b"0\r\n\r\n"), ["POST /", b"x" * 1000, 400]),
    ],
)
def test_limits_of_a_body(data: bytes, expected: list[object]) -> None:
    whole = read([data], SMALL)
    assert short(whole) == expected
    for cut in range(1, len(data), 11):
        assert read([data[:cut], data[cut:]], SMALL) == whole, cut
    assert read(one_by_one(data), SMALL) == whole


@pytest.mark.parametrize("size", [65536, 65537, 300_000])
def test_what_stands_behind_a_long_body_is_read(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    data = post(b"Content-Length: %d\r\n" % size, body) + NEXT + post(b"Content-Length: 1\r\n", b"y")
    expected = ["POST /", body, "end", "GET /next", "POST /", b"y", "end"]
    assert short(read([data])) == expected
    for cut in (1, 40, size // 2, size + 10, len(data) - len(NEXT), len(data) - 1):
        assert short(read([data[:cut], data[cut:]])) == expected, cut
    assert short(read([*one_by_one(data[:200]), data[200:-200], *one_by_one(data[-200:])])) == expected


def test_a_long_body_that_asks_to_close_or_to_upgrade_ends_as_a_short_one() -> None:
    closing = b"Connection: close\r\n"
    upgrading = b"Connection: upgrade\r\nUpgrade: x\r\n"
    for size in (1, 70_000):
        length = b"Content-Length: %d\r\n" % size
        body = b"x" * size
        assert short(read([post(length + closing, body) + NEXT])) == ["POST /", body, "end"]
        assert short(read([post(length + upgrading, body) + NEXT]))[2:] == ["end", "GET /next"]


def test_large_chunks_are_given_on_in_pieces_of_bounded_size() -> None:
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (500_000, b"x" * 500_000)
    reader = RequestReader(DEFAULT_LIMITS)
    reader.feed(chunked(b""))
    sizes = []
    events = reader.feed(body + NEXT)
    while True:
        given = [len(event) for event in events if isinstance(event, bytes)]
        assert sum(given) <= DEFAULT_LIMITS.chunk_size
        sizes += given
        if not reader.more:
            break
        events = reader.feed(b"")
    assert sum(sizes) == 500_000 and len(sizes) < 12
    assert isinstance(events[-1], RequestHead)


def test_the_limit_of_a_body_can_be_changed_behind_its_head() -> None:
    data = post(b"Content-Length: 1001\r\n")
    reader = RequestReader(SMALL)
    reader.feed(data)
    reader.body_limit = 2000
    assert reader.check_length() is None
    assert reader.feed(b"x" * 1001)[-1] is END
    reader.feed(data)
    assert reader.body_limit == 1000
    error = reader.check_length()
    assert error is not None and error.reason == "Content-Length too long: 1001 bytes, 1000 are allowed"
    assert reader.closed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"1;" + b"a" * 150 + b"\r\nx\r\n0\r\n\r\n", "end"),
        (b"1;" + b"a" * 300 + b"\r\nx\r\n0\r\n\r\n", 413),
        (b"1;" + b"a" * 100_000, 413),
        (b"0;" + b"a" * 300 + b"\r\n\r\n", 413),
        (b"0\r\nX: " + b"a" * 150 + b"\r\n\r\n", "end"),
        (b"0\r\nX: " + b"a" * 300 + b"\r\n\r\n", 413),
        (b"0\r\n" + b"X: y\r\n" * 60 + b"\r\n", 413),
        (b"0\r\nX: " + b"a" * 100_000, 413),
        # Many small ones: none is long, all of them are.
        (b"1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n" * 50 + b"0\r\n\r\n", 413),
        (b"00000000000000000000000000000001\r\nx\r\n" * 50 + b"0\r\n\r\n", 413),
        # A debt is not paid off by short ones that follow.
        (b"1;" + b"a" * 40_000 + b"\r\nx\r\n" + b"1\r\nx\r\n" * 900 + b"0\r\n\r\n", 413),
    ],
)
def test_limits_of_chunk_extensions_and_trailers(body: bytes, expected: object) -> None:
    data = chunked(body)
    whole = read([data], SMALL)
    assert short(whole)[-1] == expected
    for cut in range(1, len(data), 1 + len(data) // 100):
        assert read([data[:cut], data[cut:]], SMALL) == whole, cut
    assert read(one_by_one(data), SMALL) == whole


def test_limit_of_requests_taken_at_once() -> None:
    reader = RequestReader(replace(DEFAULT_LIMITS, pipelined_requests=3))
    assert len(reader.feed(NEXT * 8)) == 3
    assert reader.more
    assert len(reader.feed(b"")) == 3
    assert len(reader.feed(b"")) == 2
    assert not reader.more


def test_a_reader_is_freed_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        reader = RequestReader(Limits())
        drive(reader, chunked(b"1\r\nx\r\n0\r\n\r\n"))
        del reader
        assert gc.collect() == 0
    finally:
        gc.enable()
