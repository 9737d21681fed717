"""Server-sent events: printed for the server, read for the client.

Source: HTML standard, section "Server-sent events" (9.2.5, parsing; 9.2.6, interpreting).  A line ends with
CR, LF or CRLF, a blank line ends an event, and an event without data is not dispatched.
"""

import re
from typing import NamedTuple

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS, Limits

CONTENT_TYPE = "text/event-stream"

_LINE_END = re.compile(rb"\r\n?|\n")
_NOT_IN_FIELD = re.compile(r"[\x00\r\n]")
_BOM = b"\xef\xbb\xbf"
#: Digits of a `retry` that are believed: 31 years in milliseconds have twelve.
_RETRY_DIGITS = 12


def print_event(
    data: str | bytes | None,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
) -> bytes:
    """One event as it stands in the stream.

    `data` is text (bytes: in UTF-8 already); CR, CRLF and LF in it all arrive as LF.  None: nothing is
    dispatched, and `id` and `retry` count all the same.  `event`: the type, "message" where none is given.
    `id`: what a browser sends as `Last-Event-ID` when it comes again; "" forgets the one before.  `retry`:
    milliseconds after which it comes again.
    Raises `ValueError` for CR, LF or NUL in `event` or `id`, and for a `retry` that is no whole number of
    milliseconds.
    """
    printed = b""
    if id is not None:
        printed = b"id: " + _field("id", id) + b"\n"
    if event is not None:
        printed += b"event: " + _field("event", event) + b"\n"
    if retry is not None:
        if not isinstance(retry, int) or not 0 <= retry < 10**_RETRY_DIGITS:
            raise ValueError(f"retry of an event is a whole number of milliseconds, 0 or more: {retry!r}")
        printed += b"retry: %d\n" % retry
    if data is not None:
        printed += b"data: " + b"\ndata: ".join(_lines(data)) + b"\n"
    return printed + b"\n"


def print_comment(text: str | bytes = "") -> bytes:
    """A comment: nobody is told, and the connection is seen to live."""
    return b": " + b"\n: ".join(_lines(text)) + b"\n\n"


def _lines(text: str | bytes) -> list[bytes]:
    data = text.encode() if isinstance(text, str) else text
    return _LINE_END.split(data) if b"\n" in data or b"\r" in data else [data]


def _field(name: str, value: str) -> bytes:
    bad = _NOT_IN_FIELD.search(value)
    if bad is not None:
        raise ValueError(
            f"{name} of an event may hold neither CR, LF nor NUL: {bad.group()!r} stands in {value[:80]!r}"
        )
    return value.encode()


class ServerSentEvent(NamedTuple):
    """An event that came.  `event` is its type; `id` the last id that was seen, in it or before it."""

    data: str
    event: str = "message"
    id: str = ""


class SSEReader:
    """Eats the bytes of a stream, gives its events; what comes may be cut anywhere.

    An event that the stream ends in is none.  `feed` raises `ProtocolError` for a line, or an event's data,
    of more than `Limits.sse_event_bytes`; then the reader is done.
    """

    __slots__ = ("_after_cr", "_begun", "_data", "_event", "_id", "_line", "_most", "last_event_id", "retry")

    def __init__(self, limits: Limits = DEFAULT_LIMITS, last_event_id: str = "") -> None:
        #: What to send as `Last-Event-ID` when asking again; "" for none.
        self.last_event_id = last_event_id
        #: Milliseconds that the server wants a client to wait before it asks again; None: it has not said.
        self.retry: int | None = None
        self._most = limits.sse_event_bytes
        self._begun = False
        self._after_cr = False
        #: The line that is not ended yet.
        self._line = bytearray()
        # The event that is not ended yet.
        self._data = bytearray()
        self._event = ""
        self._id = last_event_id

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that end in `data`."""
        events: list[ServerSentEvent] = []
        if not data:
            return events
        at = 1 if self._after_cr and data[:1] == b"\n" else 0
        self._after_cr = data[-1:] == b"\r"
        for end in _LINE_END.finditer(data, at):
            line = data[at : end.start()]
            at = end.end()
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            self._bound(len(line))
            if not self._begun:
                self._begun = True
                line = line.removeprefix(_BOM)
            if line:
                self._take(line)
            else:
                event = self._dispatch()
                if event is not None:
                    events.append(event)
        self._line += data[at:]
        self._bound(len(self._line))
        return events

    def _bound(self, size: int) -> None:
        size += len(self._data)
        if size > self._most:
            raise ProtocolError(f"an event of {size} bytes or more, {self._most} are allowed")

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data += value + b"\n"
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _RETRY_DIGITS:
            self.retry = int(value)

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_event_id = self._id
        name, self._event = self._event, ""
        if not self._data:
            return None
        data = self._data[:-1].decode("utf-8", "replace")
        self._data.clear()
        return ServerSentEvent(data, name or "message", self._id)
