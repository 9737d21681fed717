"""What readers of requests and of responses have in common: where heads end, bodies, bounds, errors.

A reader gives the same events however the bytes were cut.  llhttp, through `httptools`, owns the grammar:
heads are handed to it whole, chunked bodies as they come.
"""

from itertools import count
from typing import Any

import httptools

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits

from .events import EndOfMessage, Head

#: States of a reader, and what leads out of each.  Only the two readers set one.
#:
#: HEAD        between messages or inside a head; a head with a body -> LENGTH, CHUNKED or UNTIL_CLOSE
#: LENGTH      inside a body of known length; its last byte -> HEAD or HELD
#: CHUNKED     inside a chunked body; its last byte -> HEAD or HELD
#: UNTIL_CLOSE inside a response's body that ends with the connection; `eof` -> CLOSED
#: HELD        behind a request that asks for an upgrade, or a response that nobody follows by a
#:             request yet; `resume` or `expect` -> HEAD
#: CLOSED      behind an error, or behind a message that ends the connection; nothing is read any more
HEAD, LENGTH, CHUNKED, UNTIL_CLOSE, HELD, CLOSED = range(6)

_EMPTY_LINE = b"\r\n\r\n"

#: What a chunked body costs beside its data is looked at whenever so many bytes of it were read, counted from
#: its begin: the same places however the bytes were cut.
_CHECK_EVERY = 16384

#: A body of known length beyond so many bytes is not shown to the parser, which would only count and copy it:
#: the message behind it gets a new parser.
_LONG = 65536


class Callbacks:
    """What llhttp tells us goes straight into lists and a counter: no Python-level call while parsing."""

    def __init__(self, body: list[bytes], unfinished: list[bool], chunks: "count[int]") -> None:
        self.on_body = body.append
        self.on_message_complete = unfinished.clear
        self.on_chunk_header = chunks.__next__


class MessageReader:
    """One side's input on an HTTP/1 connection.  Subclasses read the heads."""

    __slots__ = (
        "_at",
        "_body",
        "_body_read",
        "_chunk_counter",
        "_chunks_before",
        "_limits",
        "_parser",
        "_rest",
        "_scanned",
        "_state",
        "_tail",
        "_unfinished",
        "_wire_read",
        "body_limit",
        "dropped",
        "head",
        "more",
    )

    _body: list[bytes]
    _unfinished: list[bool]
    _chunk_counter: "count[int]"

    #: What the first line of a head is called.
    first_line = "first line"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = HEAD
        #: Bytes received, those before `_at` consumed: an unfinished head, or what waits behind a message.
        self._rest: bytes | bytearray = b""
        self._at = 0
        self._scanned = 0
        #: Made when it is first needed, together with what it writes into (`_callbacks`).
        self._parser: Any = None
        #: The head of the message whose body is being read.
        self.head: Head | None = None
        #: Bound of the body being read; whoever has seen the head may change it.
        self.body_limit = limits.body_bytes
        self._body_read = self._wire_read = self._chunks_before = 0
        self._tail = b""
        #: Whether `feed(b"")` can give events.
        self.more = False
        #: Bytes came behind the end of what is read: to close at once would reset the connection.
        self.dropped = False

    def feed(self, data: bytes) -> list[Any]:
        """Takes what was received, and returns the events it completes.

        Returns early behind a head that has to be acted on, and behind `Limits.chunk_size` of chunks; while
        `more`, `feed(b"")` goes on.  An error is the last event, and ends the reader.
        """
        events: list[Any] = []
        at = 0
        if self._rest:
            if data:
                rest = self._append(data)
                if self._state == HEAD and not self.more and not self._head_is_whole(rest, events):
                    return events
                if self._state == HELD:
                    return events
            data, at = self._take()
        state = self._state
        if state == HEAD:
            self._feed_heads(data, at, events)
        elif state == LENGTH:
            self._feed_length(data, at, events)
        elif state == CHUNKED:
            self._feed_chunked(data, at, events)
        elif state == UNTIL_CLOSE:
            self._feed_until_close(data[at:], events)
        elif state == HELD:
            self._keep(data, at)
        elif data:
            self.dropped = True
        return events

    @property
    def waiting(self) -> int:
        """Bytes that were received and not read."""
        return len(self._rest) - self._at

    @property
    def closed(self) -> bool:
        return self._state == CLOSED

    @property
    def in_head(self) -> bool:
        """Part of a head has come."""
        return self._state == HEAD and bool(self._rest)

    @property
    def chunks(self) -> int:
        """Chunks of the body being read, as far as it has come."""
        return self._count_chunks() - self._chunks_before

    def _count_chunks(self) -> int:
        # The parser counts by `next`; looking at the count must not move it on.
        return int(self._chunk_counter.__reduce__()[1][0])

    def push(self, data: bytes) -> None:
        """Keeps what was received for a later `feed`: what came before it is not dealt with yet."""
        if self._state == CLOSED:
            self.dropped = True
        else:
            self._append(data)
            self.more = self._state != HELD

    def _append(self, data: bytes) -> bytearray:
        rest = self._rest
        if type(rest) is not bytearray:
            rest = bytearray(memoryview(rest)[self._at :])
            self._at = 0
            self._rest = rest
        rest += data
        return rest

    def _take(self) -> tuple[bytes, int]:
        """What waits, and where in it the unread begins: many messages in a row are not copied each time."""
        taken = bytes(self._rest), self._at
        self._rest = b""
        self._at = 0
        self.more = False
        return taken

    def _keep(self, data: bytes, at: int) -> None:
        """Remembers what stands behind a message."""
        if self._state == CLOSED:
            self.dropped = at < len(data)
        elif at < len(data):
            self._rest = data
            self._at = at
            self.more = self._state != HELD

    def unread(self) -> bytes:
        """Gives back what was received and not read; the reader goes on with what it is fed next."""
        rest, at = self._take()
        self._scanned = 0
        return rest[at:]

    def take_rest(self) -> bytes:
        """Hands over what was received and not read: another protocol begins.  Ends the reader."""
        rest = bytes(memoryview(self._rest)[self._at :])
        self.close()
        return rest

    def close(self) -> None:
        """Nothing that still comes is to be read."""
        if self._rest:
            self.dropped = True
        self._rest = b""
        self._at = 0
        self.more = False
        self._state = CLOSED

    # ---- heads

    def _head_is_whole(self, rest: bytearray, events: list[Any]) -> bool:
        # RFC 9112 2.2: empty lines before a message are skipped.
        while rest.startswith(b"\r\n"):
            del rest[:2]
            self._scanned = 0
        start = max(0, self._scanned - 2)
        if rest.find(b"\n\r\n", start) >= 0 or rest.find(b"\n\n", start) >= 0:
            self._scanned = 0
            return True
        self._scanned = len(rest)
        self._check_size(rest, events)
        return False

    def _check_size(self, head: bytes | bytearray, events: list[Any]) -> bool:
        """Whether a head, or what has come of it, is inside the limits."""
        limits = self._limits
        line = min(limits.line_bytes, limits.head_bytes)
        size = len(head)
        if size <= line:
            return True
        if head.find(b"\n", 0, line + 2) < 0:
            # The byte past the bound may be the CR of its end: that is known one byte later.
            return size < line + 2 or self._fail(
                events, 414, f"{self.first_line} too long: more than {line} bytes"
            )
        if size > limits.head_bytes:
            return self._fail(events, 431, f"headers too large: more than {limits.head_bytes} bytes")
        return True

    def _feed_heads(self, data: bytes, at: int, events: list[Any]) -> None:
        raise NotImplementedError

    def _new_parser(self) -> Any:
        raise NotImplementedError

    def _callbacks(self) -> Callbacks:
        if self._parser is None:
            self._body = []
            self._unfinished = []
            self._chunk_counter = count()
        # Methods of the lists: reader and parser form no reference cycle.
        return Callbacks(self._body, self._unfinished, self._chunk_counter)

    # ---- bodies

    def check_length(self) -> ProtocolError | None:
        """Before the first byte of a body is taken: does what was announced fit?"""
        head = self.head
        if head is None or head.length <= self.body_limit:
            return None
        self.close()
        return ProtocolError(f"Content-Length too long: {head.length} bytes, {self.body_limit} are allowed")

    def _begin_body(self, head: Head) -> None:
        self.head = head
        self.body_limit = self._limits.body_bytes
        self._body_read = self._wire_read = 0
        self._tail = b""
        self._unfinished.append(True)
        if head.length > _LONG:
            self._parser = self._new_parser()
        if head.chunked:
            self._chunks_before = self._count_chunks()
        self._state = CHUNKED if head.chunked else LENGTH

    def _feed_until_close(self, data: bytes, events: list[Any]) -> None:
        if not data:
            return
        self._body_read += len(data)
        if self._body_read > self.body_limit:
            self._fail(events, 400, f"Body too long: more than {self.body_limit} bytes")
            return
        events.append(data)

    def _end_body(self, events: list[Any]) -> None:
        raise NotImplementedError

    def _feed_length(self, data: bytes, at: int, events: list[Any]) -> None:
        error = self.check_length()
        if error is not None:
            events.append(error)
            return
        head = self.head
        assert head is not None
        rest = head.length - self._body_read
        # Compiled, a slice of all of it would be a copy, of a size that the kernel has to give each time.
        piece = data if not at and len(data) <= rest else data[at : at + rest]
        if not piece:
            return
        self._body_read += len(piece)
        if head.length <= _LONG:
            self._parser.feed_data(piece)
            self._body.clear()
        elif self._body_read == head.length:
            self._unfinished.clear()
        events.append(piece)
        if not self._unfinished:
            self._end_body(events)
        self._keep(data, at + len(piece))

    def _feed_chunked(self, data: bytes, at: int, events: list[Any]) -> None:
        size = len(data)
        view = memoryview(data)
        pieces: list[bytes] = []
        gathered = 0
        failure: tuple[int, str] | None = None
        while at < size and self._unfinished and failure is None:
            stop = self._end_of_window(data, at)
            try:
                self._parser.feed_data(view[at:stop])
            except httptools.HttpParserError as error:
                failure = 400, _explain_body(str(error))
            self._wire_read += stop - at
            at = stop
            if self._body:
                pieces += self._body
                read = sum(map(len, self._body))
                gathered += read
                self._body_read += read
                self._body.clear()
                if self._body_read > self.body_limit:
                    failure = 400, f"chunked body too large: more than {self.body_limit} bytes"
            if failure is None and (not self._unfinished or not self._wire_read % _CHECK_EVERY):
                failure = self._check_framing()
            if gathered > self._limits.chunk_size - _CHECK_EVERY:
                # What is gathered beside what was received must not grow large: the C library would give
                # the memory back to the kernel, and fetch it again, each time.
                break
        if pieces:
            joined = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if self._body_read > self.body_limit:
                joined = joined[: self.body_limit - self._body_read]
            if joined:
                events.append(joined)
        if failure is not None:
            self._fail(events, *failure)
            return
        if not self._unfinished:
            self._end_body(events)
        self._keep(data, at)

    def _end_of_window(self, data: bytes, at: int) -> int:
        """Up to where `data` may be given to the parser in one call.

        A chunked body ends with an empty line, and nothing behind it may reach the parser in the same call.
        """
        most = min(len(data), at + _CHECK_EVERY - self._wire_read % _CHECK_EVERY)
        tail = self._tail
        # The empty line may have begun in what was given before.
        found = (tail + data[at : at + 3]).find(_EMPTY_LINE) if tail else -1
        if found >= 0:
            stop = min(at + found + 4 - len(tail), most)
        else:
            found = data.find(_EMPTY_LINE, at, most)
            stop = found + 4 if found >= 0 else most
        self._tail = (tail + data[max(at, stop - 3) : stop])[-3:]
        return stop

    def _check_framing(self) -> tuple[int, str] | None:
        """What chunks cost beside their data: sizes, extensions, trailers (RFC 9112 section 7.1)."""
        limits = self._limits
        extra = self._wire_read - self._body_read - self.chunks * limits.chunk_overhead_bytes
        if extra <= limits.chunk_extra_bytes:
            return None
        return 413, f"chunk extensions and trailers too large: more than {limits.chunk_extra_bytes} bytes"

    def _fail(self, events: list[Any], status: int, reason: str) -> bool:
        self.close()
        events.append(ProtocolError(reason, status))
        return False


#: The types of the events that a reader gives beside its heads.
Piece = bytes | EndOfMessage | ProtocolError


def _explain_body(message: str) -> str:
    if message == "Invalid character in chunk size":
        return "invalid chunk size"
    if message.startswith("Expected LF after chunk data"):
        return "improperly terminated chunk"
    return f"Malformed HTTP body: {message}"
