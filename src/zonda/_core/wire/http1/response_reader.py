"""Reads HTTP/1 responses: bytes in, events out (RFC 9112), the same events however the bytes were cut.

The client's twin of `request.py`.  `expect` says what was asked: that decides whether an answer has a body.
What llhttp leaves open is decided here: the first line, Content-Length that repeats itself, Transfer-Encoding
other than `chunked`, bodies where none may be, and how many interim answers a server may send.
"""

import httptools

from zonda._core.base.limits import Limits
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.startline import ResponseStartLine, parse_response_start_line

from .events import END, ResponseHead, field_values
from .message import CHUNKED, HEAD, HELD, LENGTH, UNTIL_CLOSE, MessageReader, Piece

Event = ResponseHead | Piece

#: Interim answers (1xx) that one request may get; a server has a use for two or three.
MAX_INTERIM = 10

#: All that most servers say of the connection.
_KEEP_ALIVE = ["keep-alive"]


class ResponseReader(MessageReader):
    """The client's side of one HTTP/1 connection's input.  One request at a time is under way."""

    __slots__ = ("_interim", "_lengths", "_line", "_method", "_start_line", "_upgradable")

    first_line = "status line"

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._state = HELD
        self._parser = self._new_parser()
        self._method = "GET"
        self._upgradable = False
        self._interim = 0
        #: Values of Content-Length in the head being read.
        self._lengths = 0
        #: The last status line seen; a server repeats itself.
        self._line = b""
        self._start_line = ResponseStartLine("", 0, None)

    def _new_parser(self) -> httptools.HttpResponseParser:
        return httptools.HttpResponseParser(self._callbacks())

    @property
    def idle(self) -> bool:
        """No answer is under way, and nothing has come that nobody asked for."""
        return self._state == HELD and not self._rest

    def expect(self, method: str, upgradable: bool = False) -> None:
        """A request is being sent: its answer is what comes next.

        `upgradable`: the request asks for another protocol, so 101 is an answer to it.
        """
        self._method = method
        self._upgradable = upgradable
        self._interim = 0
        if self._state == HELD:
            self._state = HEAD
            self.more = bool(self._rest)

    def eof(self) -> list[Event]:
        """The server has closed its side: END where that is the end of the body, else an error or nothing."""
        events: list[Event] = []
        state = self._state
        if state == UNTIL_CLOSE:
            events.append(END)
        elif state in (LENGTH, CHUNKED):
            self._fail(events, 400, "the server closed the connection before the end of the body")
        elif state == HEAD and self._rest:
            self._fail(events, 400, "the server closed the connection inside the head of the response")
        self.close()
        return events

    # ---- heads

    def _feed_heads(self, data: bytes, at: int, events: list[Event]) -> None:
        while data.startswith(b"\r\n", at):
            at += 2
        # A head ends at its first empty line, however that is ended; llhttp refuses all but CRLF.
        end = data.find(b"\n\r\n", at)
        bare = data.find(b"\n\n", at, end + 1 if end >= 0 else len(data))
        if bare >= 0:
            end = bare + 2
        elif end >= 0:
            end += 3
        else:
            if at < len(data):
                self._rest = data[at:]
                self._scanned = len(self._rest)
                self._check_size(self._rest, events)
            return
        head = self._read_head(data[at:end], events)
        if head is None:
            return
        events.append(head)
        self._behind(head)
        self._keep(data, end)

    def _behind(self, head: ResponseHead) -> None:
        """What is to be read behind a head."""
        if 100 <= head.status < 200:
            if head.status == 101:
                self._state = HELD
        elif head.has_body:
            self._begin_body(head)
            if head.until_close:
                self._state = UNTIL_CLOSE
        elif head.keep_alive:
            self._state = HELD
        else:
            self.close()

    def _read_head(self, raw: bytes, events: list[Event]) -> ResponseHead | None:
        limits = self._limits
        if (len(raw) > limits.line_bytes or len(raw) > limits.head_bytes) and not self._check_size(
            raw, events
        ):
            return None
        if not raw.endswith(b"\r\n\r\n"):
            self._fail(events, 400, "a line of the head ends with a bare LF, CRLF is allowed")
            return None
        head = ResponseHead()
        line_end = raw.index(b"\r\n")
        if not self._read_status_line(head, raw[:line_end], events):
            return None
        head.block = block = raw[line_end:-2].decode("latin-1")
        head.lowered = block.lower()
        if block.count("\r\n") - 1 > limits.header_count:
            self._fail(events, 431, f"too many header fields: more than {limits.header_count}")
            return None
        if not self._frame(head, events):
            return None
        shown = raw if self._lengths < 2 else _with_one_length(raw[: line_end + 2], head)
        if self._check_grammar(shown, head, events) and self._check_body(head, events):
            return head
        return None

    def _check_grammar(self, shown: bytes, head: ResponseHead, events: list[Event]) -> bool:
        self._unfinished.append(True)
        try:
            self._parser.feed_data(shown)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            if head.status != 101 or self._unfinished:
                return self._fail(events, 400, _explain(head.block, str(error)))
        if self._unfinished and (self._method == "HEAD" or head.status == 101):
            # llhttp does not know that an answer to HEAD has no body, and waits for it.
            self._parser = self._new_parser()
        self._unfinished.clear()
        return True

    def _read_status_line(self, head: ResponseHead, line: bytes, events: list[Event]) -> bool:
        if line != self._line:
            try:
                self._start_line = parse_response_start_line(line.decode("latin-1"))
            except HTTPInputError as error:
                return self._fail(events, 400, str(error))
            self._line = line
        version, status, reason = self._start_line
        if status < 100:
            self._line = b""
            return self._fail(events, 400, f"the status of the response is {status}, 100 to 999 are allowed")
        head.version = version
        head.status = status
        head.reason = reason or ""
        return True

    def _frame(self, head: ResponseHead, events: list[Event]) -> bool:
        """Whether the connection stays, and how the body is framed (RFC 9112 sections 6.3 and 9.3)."""
        block, lower = head.block, head.lower
        modern = head.version != "HTTP/1.0"
        head.keep_alive = modern
        head.upgrade = head.status == 101
        head.chunked = head.until_close = False
        head.length = self._lengths = 0
        if "\r\nconnection:" in lower:
            values = field_values(lower, lower, "connection")
            options = values
            if values != _KEEP_ALIVE:
                options = [token.strip(" \t") for token in ",".join(values).split(",")]
            if "close" in options:
                head.keep_alive = False
            elif "keep-alive" in options:
                head.keep_alive = True
        if "\r\ntransfer-encoding:" in lower:
            if "\r\ncontent-length:" in lower:
                return self._fail(events, 400, "Message with both Transfer-Encoding and Content-Length")
            coding = ",".join(field_values(block, lower, "transfer-encoding"))
            if coding.lower() != "chunked":
                return self._fail(events, 400, f"Unsupported Transfer-Encoding {coding}")
            if not modern:
                return self._fail(events, 400, "Transfer-Encoding in an HTTP/1.0 response")
            head.chunked = True
        elif "\r\ncontent-length:" in lower:
            return self._read_length(head, events)
        else:
            head.until_close = True
        return True

    def _read_length(self, head: ResponseHead, events: list[Event]) -> bool:
        values = field_values(head.block, head.lower, "content-length")
        if len(values) == 1 and values[0].isdecimal() and len(values[0]) < 20:
            head.length = int(values[0])
            self._lengths = 1
            return True
        values = ",".join(values).split(",")
        lengths = {value.strip(" \t") for value in values}
        if len(lengths) > 1:
            return self._fail(events, 400, "Multiple unequal Content-Lengths")
        length = lengths.pop()
        # Of Latin-1, only the ASCII digits are decimal.
        if not length.isdecimal():
            return self._fail(events, 400, f"Only integer Content-Length is allowed, not {length!r}")
        if len(length) > 19:
            return self._fail(events, 400, "Content-Length too long: more than 19 digits")
        # RFC 9110 8.6: a recipient may take a list of equal values for the one value; llhttp does not.
        head.length = int(length)
        self._lengths = len(values)
        return True

    def _check_body(self, head: ResponseHead, events: list[Event]) -> bool:
        """RFC 9112 6.3: some answers have no body, whatever they announce."""
        status = head.status
        if 100 <= status < 200 or status == 204:
            if head.length or head.chunked:
                return self._fail(events, 400, f"Response with code {status} should not have body")
        elif self._method != "HEAD" and status != 304:
            if head.until_close:
                head.keep_alive = False
            return True
        head.length = 0
        head.chunked = head.until_close = False
        if status == 101 and not self._upgradable:
            return self._fail(events, 400, "the server changes the protocol, and was not asked to")
        if status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                return self._fail(events, 400, f"Too many 1xx responses: more than {MAX_INTERIM}")
        return True

    # ---- bodies

    def _end_body(self, events: list[Event]) -> None:
        events.append(END)
        head = self.head
        self.head = None
        self._scanned = 0
        self.more = False
        if head is None or not head.keep_alive:
            self.close()
        else:
            self._state = HELD


def _with_one_length(line: bytes, head: ResponseHead) -> bytes:
    """The head with its several equal values of Content-Length made one."""
    fields = head.block[2:].split("\r\n")
    kept = [field for field in fields if not field.lower().startswith("content-length:")]
    return line + "\r\n".join([f"Content-Length: {head.length}", *kept, ""]).encode("latin-1")


def _explain(block: str, message: str) -> str:
    """llhttp's word on a head, and where one says more, ours."""
    if "\r\n " in block or "\r\n\t" in block:
        return "header line cannot start with whitespace, folding not supported"
    if message == "Invalid header token" and any(":" not in line for line in block.split("\r\n")[1:-1]):
        return "no colon in header line"
    return f"Malformed HTTP headers: {message}"
