"""Frames of the bus: whole, byte by byte, and such that are none."""

import json
import struct

import pytest

from zonda._core.base.limits import Limits
from zonda._core.channels.brokers import unixbus_wire as wire
from zonda._core.channels.brokers.unixbus_hello import Hello

FRAMES = [
    (wire.HELLO, [], b'{"version":1}', 0, 0),
    (wire.SUBSCRIBE, ["a/b"], b"", 0, 7),
    (wire.PUBLISH, ["t", None, None, None], b"\0\xff" * 500, wire.BINARY, 0),
    (wire.PUBLISH, ["t", 'grüße 😀\u2028"\\\n\0', 100, 0.25], b'"x"', 0, wire.GREETING),
    (wire.HISTORY, ["t", "k3Xa", 2**53 - 1, None], b"", 0, 1),
    (wire.ANSWER, ["k3Xa", 17], b"", wire.DUPLICATE | wire.LOST, 1),
    (wire.GONE, ["host-17-abcd"], b"", 0, 0),
    (wire.BEAT, [], b"", 0, 2),
]


def read_all(reader: wire.Reader) -> list[wire.Frame]:
    frames = []
    while (frame := reader.next_frame()) is not None:
        frames.append(frame)
    return frames


def expected() -> list[wire.Frame]:
    return [wire.Frame(kind, flags, number, words, body) for kind, words, body, flags, number in FRAMES]


def printed() -> bytes:
    return b"".join(wire.print_frame(*frame) for frame in FRAMES)


@pytest.mark.parametrize("size", [1, 2, 3, 11, 12, 13, 100, 10**6])
def test_frames_are_read_as_they_were_printed_however_they_come(size):
    reader = wire.Reader(10_000)
    data = printed()
    frames = []
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        frames += read_all(reader)
    assert frames == expected()
    assert all(type(frame.body) is bytes for frame in frames)


def test_the_beginning_of_the_next_frame_waits():
    reader = wire.Reader(10_000)
    one = wire.print_frame(wire.GONE, ["a"])
    reader.feed(one + one[:-1])
    assert len(read_all(reader)) == 1
    assert read_all(reader) == []
    reader.feed(one[-1:])
    assert len(read_all(reader)) == 1


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udfff"])
def test_words_that_no_text_can_hold_are_carried(surrogate):
    reader = wire.Reader(10_000)
    reader.feed(wire.print_frame(wire.PUBLISH, ["t", surrogate, None, None]))
    (frame,) = read_all(reader)
    assert frame.words[1] == surrogate


def head(size: int, kind: int, words: int) -> bytes:
    return struct.pack("!IBBHI", size, kind, 0, words, 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (head(2**32 - 1, wire.BEAT, 2), "a frame of 4294967307 bytes: 10000 are allowed"),
        (head(9_989, wire.BEAT, 2), "10001 bytes"),
        (head(2, 0, 2) + b"[]", "kind 0"),
        (head(2, 11, 2) + b"[]", "kind 11"),
        (head(2, 255, 2) + b"[]", "kind 255"),
        (head(2, wire.BEAT, 3) + b"[] ", "words of 3 bytes in a frame of 2"),
        (head(0, wire.BEAT, 0), "no JSON"),
        (head(2, wire.BEAT, 2) + b"[}", "no JSON"),
        (head(2, wire.BEAT, 2) + b"{}", "no JSON array"),
        (head(2, wire.BEAT, 2) + b"17", "no JSON array"),
        (head(3, wire.BEAT, 3) + b"[]]", "no JSON array"),
        (head(3, wire.BEAT, 3) + b'["\xff', "no JSON"),
        (head(50_000, wire.BEAT, 50_000) + b"[" * 50_000, "allowed"),
        (b"GET / HTTP/1.1\r\n\r\n", "allowed"),
    ],
)
def test_what_is_no_frame_is_refused_as_soon_as_it_is_seen(data, says):
    reader = wire.Reader(10_000)
    reader.feed(data)
    with pytest.raises(wire.WireError, match=says):
        read_all(reader)


def test_deep_words_are_refused():
    reader = wire.Reader(100_000)
    deep = b"[" * 60_000
    reader.feed(head(len(deep), wire.BEAT, len(deep)) + deep)
    with pytest.raises(wire.WireError, match="no JSON"):
        read_all(reader)


def test_the_largest_frame_is_allowed():
    reader = wire.Reader(10_000)
    frame = wire.print_frame(wire.PUBLISH, ["t"], b"x" * (10_000 - wire.HEAD_BYTES - 5))
    assert len(frame) == 10_000
    reader.feed(frame)
    assert len(read_all(reader)) == 1


def test_more_words_than_fit_are_refused_by_the_printer():
    with pytest.raises(wire.WireError, match="65535 are allowed"):
        wire.print_frame(wire.FORGET, ["x" * 65_600])


# ---- hello


def test_a_hello_brings_the_limits():
    limits = Limits(presence_timeout=1.5, history_bytes=17)
    assert Hello.parse(bytes(Hello("a-1", limits))) == ("a-1", limits)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "version 2"),
        ({"node": ""}, "no id of a node"),
        ({"node": 17}, "no id of a node"),
        ({"limits": {}}, "no hello"),
        ({"limits": []}, "no hello"),
        ({"history_bytes": 0}, "history_bytes is 0"),
        ({"presence_timeout": "1"}, "presence_timeout is '1'"),
    ],
)
def test_a_hello_that_is_none_is_refused(changes, says):
    hello = json.loads(bytes(Hello("a-1", Limits())))
    for name, value in changes.items():
        (hello if name in hello else hello["limits"])[name] = value
    with pytest.raises(wire.WireError, match=says):
        Hello.parse(json.dumps(hello).encode())


@pytest.mark.parametrize("body", [b"", b"17", b"null", b"\xff", b"[" * 50_000, b'{"version":1}'])
def test_what_is_no_object_is_no_hello(body):
    with pytest.raises(wire.WireError, match="no hello"):
        Hello.parse(body)
