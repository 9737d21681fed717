"""Runs a `RequestReader` over pieces of input and says plainly what came out."""

from collections.abc import Iterable

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.wire.http1.events import END, RequestHead
from zonda._core.wire.http1.request import Event, RequestReader

WARMING = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

Seen = tuple[object, ...]


def plain(event: Event) -> Seen:
    """An event as plain values, so that it can be compared and printed."""
    if isinstance(event, RequestHead):
        told = (event.keep_alive, event.length, event.chunked, event.expect_continue, event.upgrade)
        return ("head", event.method, event.target, event.version, event.host, event.block, *told)
    if isinstance(event, ProtocolError):
        return ("error", event.status, event.reason)
    return ("end",) if event is END else ("body", event)


def drive(reader: RequestReader, piece: bytes) -> list[Event]:
    """Feeds a piece as a connection does whose answers are instant and whose upgrades nobody takes."""
    events = reader.feed(piece)
    while True:
        if reader.more:
            events += reader.feed(b"")
        elif reader.held:
            reader.resume()
        else:
            return events


def read(pieces: Iterable[bytes], limits: Limits = DEFAULT_LIMITS, *, warm: bool = False) -> list[Seen]:
    """All events of the pieces in a row; neighbouring pieces of a body count as one.

    A `warm` reader has read a request before, and takes its quickest way where it can.
    """
    reader = RequestReader(limits)
    if warm:
        assert len(drive(reader, WARMING)) == 1
    seen: list[Seen] = []
    for piece in pieces:
        for event in drive(reader, piece):
            assert not seen or seen[-1][0] != "error", f"{event!r} behind an error"
            told = plain(event)
            if told[0] == "body" and seen and seen[-1][0] == "body":
                told = ("body", seen.pop()[1] + told[1])  # type: ignore[operator]
            seen.append(told)
    if seen and seen[-1][0] == "error":
        assert reader.closed
    return seen


def short(seen: list[Seen]) -> list[object]:
    """Heads as "GET /", bodies as bytes, ends as "end", errors as their status."""
    return [f"{e[1]} {e[2]}" if e[0] == "head" else e[0] if e[0] == "end" else e[1] for e in seen]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]
