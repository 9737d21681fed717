"""What readers of requests and of responses have in common: where heads end, bodies, bounds, errors.

A reader gives the same events however the bytes were cut.  llhttp, through `httptools`, owns the grammar:
heads are handed to it whole, chunked bodies as they come.
"""

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


class Callbacks:
    """What llhttp tells us goes straight into lists: no Python-level call while parsing."""

    def __init__(self, body: list[bytes], unfinished: list[bool]) -> None:
        self.on_body = body.append
        self.on_message_complete = unfinished.clear


class MessageReader:
    """One side's input on an HTTP/1 connection.  Subclasses read the heads."""

    __slots__ = (
        "_body",
        "_body_read",
        "_chunks",
        "_limits",
        "_parser",
        "_rest",
        "_scanned",
        "_state",
        "_tail",
        "_unfinished",
        "_wire_read",
        "body_limit",
        "head",
        "more",
    )

    #: What the first line of a head is called.
    first_line = "first line"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = HEAD
        #: Bytes not consumed yet: an unfinished head, or what stands behind a held message.
        self._rest: bytes | bytearray = b""
        self._scanned = 0
        self._body: list[bytes] = []
        self._unfinished: list[bool] = []
        self._parser: Any = None
        #: The head of the message whose body is being read.
        self.head: Head | None = None
        #: Bound of the body being read; whoever has seen the head may change it.
        self.body_limit = limits.body_bytes
        self._body_read = self._wire_read = self._chunks = 0
        self._tail = b""
        #: Whether `feed(b"")` can give events.
        self.more = False

    @property
    def waiting(self) -> int:
        """Bytes that were received and not read."""
        return len(self._rest)

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
        return self._chunks

    def push(self, data: bytes) -> None:
        """Keeps what was received for a later `feed`: what came before it is not dealt with yet."""
        if self._state != CLOSED:
            if type(self._rest) is not bytearray:
                self._rest = bytearray(self._rest)
            self._rest += data
            self.more = self._state != HELD

    def take_rest(self) -> bytes:
        """Hands over what was received and not read: another protocol begins.  Ends the reader."""
        rest = bytes(self._rest)
        self.close()
        return rest

    def close(self) -> None:
        """Nothing that still comes is to be read."""
        self._rest = b""
        self.more = False
        self._state = CLOSED

    # ---- heads

    def _head_is_whole(self, rest: bytearray, events: list[Any]) -> bool:
        if rest == b"\r\n":
            self._rest = b""
            self._scanned = 0
            return False
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
        allowed = min(limits.line_bytes, limits.head_bytes)
        if len(head) <= allowed:
            return True
        if head.find(b"\n", 0, allowed + 2) < 0:
            return self._fail(events, 414, f"{self.first_line} too long: more than {allowed} bytes")
        if len(head) > limits.head_bytes:
            return self._fail(events, 431, f"headers too large: more than {limits.head_bytes} bytes")
        return True

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
        self._body_read = self._wire_read = self._chunks = 0
        self._tail = b""
        self._unfinished.append(True)
        self._state = CHUNKED if head.chunked else LENGTH

    def _end_body(self, events: list[Any]) -> None:
        raise NotImplementedError

    def _feed_length(self, data: bytes, events: list[Any]) -> None:
        error = self.check_length()
        if error is not None:
            events.append(error)
            return
        head = self.head
        assert head is not None
        piece = data[: head.length - self._body_read]
        if not piece:
            return
        self._parser.feed_data(piece)
        self._body.clear()
        self._body_read += len(piece)
        events.append(piece)
        if len(piece) < len(data):
            self._rest = data[len(piece) :]
            self.more = True
        if not self._unfinished:
            self._end_body(events)

    def _feed_chunked(self, data: bytes, events: list[Any]) -> None:
        body = self._body
        at = 0
        size = len(data)
        while at < size and self._unfinished:
            stop = self._end_of_window(data, at)
            try:
                self._parser.feed_data(data[at:stop])
                broken = ""
            except httptools.HttpParserError as error:
                broken = _explain_body(str(error))
            self._wire_read += stop - at
            at = stop
            if body:
                self._chunks += len(body)
                joined = body[0] if len(body) == 1 else b"".join(body)
                body.clear()
                self._body_read += len(joined)
                if self._body_read > self.body_limit:
                    self._fail(events, 400, f"chunked body too large: more than {self.body_limit} bytes")
                    return
                events.append(joined)
            if broken:
                self._fail(events, 400, broken)
                return
            limits = self._limits
            extra = self._wire_read - self._body_read - self._chunks * limits.chunk_overhead_bytes
            if extra > limits.chunk_extra_bytes:
                self._fail(
                    events,
                    413,
                    f"chunk extensions and trailers too large: more than {limits.chunk_extra_bytes} bytes",
                )
                return
        if at < size:
            self._rest = data[at:]
            self.more = True
        if not self._unfinished:
            self._end_body(events)

    def _end_of_window(self, data: bytes, at: int) -> int:
        """Up to where `data` may be given to the parser in one call.

        A chunked body ends with an empty line, and nothing behind it may reach the parser in the same call.
        """
        tail = self._tail
        if tail:
            # The empty line may have begun in what was given before.
            found = (tail + data[at : at + 3]).find(_EMPTY_LINE)
            if found >= 0:
                self._tail = b""
                return at + found + 4 - len(tail)
        found = data.find(_EMPTY_LINE, at)
        if found >= 0:
            self._tail = b""
            return found + 4
        size = len(data)
        self._tail = data[-3:] if size - at >= 3 else (tail + data[at:])[-3:]
        return size

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
