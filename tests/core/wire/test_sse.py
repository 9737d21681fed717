"""HTML standard, section "Server-sent events": the stream as it is printed and as it is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.wire.sse import ServerSentEvent, SSEReader, print_comment, print_event


def read(*pieces: bytes, reader: SSEReader | None = None) -> list[ServerSentEvent]:
    reader = reader or SSEReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def cuts(stream: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, in two at every place, and with nothing in between."""
    halves = [[stream[:at], b"", stream[at:]] for at in range(len(stream) + 1)]
    return [[stream], [stream[at : at + 1] for at in range(len(stream))], *halves]


# ---- printing


def test_an_event_is_printed():
    assert print_event("x") == b"data: x\n\n"
    assert print_event(b'{"a": 1}', event="news", id="7", retry=100) == (
        b'id: 7\nevent: news\nretry: 100\ndata: {"a": 1}\n\n'
    )


def test_data_is_printed_line_by_line():
    assert print_event("a\nb\r\nc\rd\n") == b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
    assert print_event("") == b"data: \n\n"


def test_a_retry_or_an_id_needs_no_data():
    assert print_event(None, id="", retry=5) == b"id: \nretry: 5\n\n"


def test_comments_are_printed():
    assert print_comment() == b": \n\n"
    assert print_comment("still\nhere") == b": still\n: here\n\n"
    assert read(print_comment("data: x\ndata: y")) == []


@pytest.mark.parametrize("bad", ["\r", "\n", "\0"])
@pytest.mark.parametrize("name", ["event", "id"])
def test_line_ends_and_nul_are_refused(name, bad):
    with pytest.raises(ValueError, match=f"^{name} of an event may hold neither CR, LF nor NUL"):
        print_event("x", **{name: f"a{bad}b"})


@pytest.mark.parametrize("retry", [-1, 1.5, "1", 10**12])
def test_a_retry_is_a_number_of_milliseconds(retry):
    with pytest.raises(ValueError, match="retry of an event is a whole number of milliseconds"):
        print_event("x", retry=retry)


FIELD = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
DATA = st.text(st.characters(exclude_categories=["Cs"]))


@given(DATA, FIELD, FIELD, st.sampled_from(["\n", "\r", "\r\n"]))
def test_what_is_printed_is_read(data, event, id, line_end):
    stream = print_event(data, event=event, id=id).decode().replace("\n", line_end).encode()
    expected = data.replace("\r\n", "\n").replace("\r", "\n")
    assert read(stream) == [ServerSentEvent(expected, event or "message", id)]


# ---- reading

#: Streams, many of them the standard's own examples, and their events.
STREAMS = [
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [ServerSentEvent("YHOO\n+2\n10")]),
    (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
        [ServerSentEvent("first event", id="1"), ServerSentEvent("second event")],
    ),
    (b"data\n\ndata\ndata\n\ndata:", [ServerSentEvent(""), ServerSentEvent("\n")]),
    (b"data:test\n\ndata: test\n\n", [ServerSentEvent("test"), ServerSentEvent("test")]),
    (
        b"event: add\ndata: 73\n\nevent: x\n\ndata: 2\n\n",
        [ServerSentEvent("73", "add"), ServerSentEvent("2")],
    ),
    (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [ServerSentEvent(x) for x in "abc"]),
    (b"data: a\r\ndata: b\rdata: c\n\r\n", [ServerSentEvent("a\nb\nc")]),
    ("\ufeffdata: ä€😀\n\n".encode(), [ServerSentEvent("ä€😀")]),
    ("\n\ufeffdata: no\n\n\ufeff\n\n".encode(), []),
    ("\ufeff\ufeffdata: no\n\n".encode(), []),
    (b"data: \xff\xc3\ndata: \xa4\n\n", [ServerSentEvent("\ufffd\ufffd\n\ufffd")]),
    (b"id: 1\n\nid: 2\0\ndata: x\n\n", [ServerSentEvent("x", id="1")]),
    (b"id: 1\nunknown: y\n:\n: data: z\nDATA: z\n data: z\ndata: x:y\n\n", [ServerSentEvent("x:y", id="1")]),
]


@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_a_stream_is_read_however_it_is_cut(stream, events):
    for pieces in cuts(stream):
        assert read(*pieces) == events, pieces


def test_an_id_counts_when_its_event_has_ended():
    reader = SSEReader(last_event_id="0")
    assert read(b"data: x\n\n", reader=reader) == [ServerSentEvent("x", id="0")]
    reader.feed(b"data: y\nid: 1\n")
    assert reader.last_event_id == "0"
    reader.feed(b"\nid: 2\n\n")
    assert reader.last_event_id == "2"


def test_retry_is_digits():
    reader = SSEReader()
    reader.feed(b"retry: 1.5\nretry: -1\nretry:\nretry: x\nretry: " + b"9" * 5000 + b"\n")
    assert reader.retry is None
    reader.feed(b"retry: 250\n")
    assert reader.retry == 250


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 95, b": " + b"x" * 99, b"data: x\n" * 60, b"data: " + b"x" * 95 + b"\n"]
)
def test_an_event_is_bounded(stream):
    for pieces in cuts(stream):
        with pytest.raises(ProtocolError, match=r"an event of \d+ bytes or more, 100 are allowed"):
            read(*pieces, reader=SSEReader(Limits(sse_event_bytes=100)))


def test_what_is_not_kept_does_not_count():
    reader = SSEReader(Limits(sse_event_bytes=100))
    assert read(b": alive\nid: 1\nevent: x\nretry: 5\n" * 100 + b"data: x\n\n" * 100, reader=reader)[1:] == (
        [ServerSentEvent("x", id="1")] * 99
    )


@given(st.binary(max_size=60))
def test_anything_can_be_read(stream):
    whole = read(stream)
    for pieces in cuts(stream):
        assert read(*pieces) == whole


@pytest.mark.parametrize("piece", [b"data: x\n\n", b"data: x\n", b"data: x", b"\r", b":\n"])
@pytest.mark.parametrize("step", [None, 100])
def test_reading_is_linear(piece, step):
    def work(stream: bytes) -> None:
        read(*(stream[at : at + step] for at in range(0, len(stream), step)) if step else (stream,))

    assert_linear(lambda n: piece * n, work, 400)


def test_printing_is_linear():
    assert_linear(lambda n: "x\r\n" * n, print_event, 500)
