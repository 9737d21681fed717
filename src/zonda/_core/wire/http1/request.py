"""Reads HTTP/1 requests: bytes in, events out (RFC 9112), the same events however the bytes were cut.

llhttp, through `httptools`, owns the grammar: every byte of every message passes it.  This file owns
what llhttp leaves open (design, section 3): where a head ends and how large it may be, Host, the forms of a
target, Transfer-Encoding other than `chunked`, the cost of a chunked body's framing, and that an Upgrade
nobody took is an ordinary request.  Heads are handed to llhttp whole, which makes all of that a
matter of looking at one `bytes`.
"""

import re

import httptools

from zonda._core.base.limits import Limits
from zonda._core.wire.urls import check_host

from .events import END, RequestHead, field_value, field_values
from .message import HEAD, HELD, MessageReader, Piece
from .usual import Shared, usual_parser

Event = RequestHead | Piece

#: Methods that llhttp is shown as they are.  Others that are tokens are shown to it as POST: it knows a fixed
#: list, applications may have methods of their own, and CONNECT makes it stop parsing.
_COMMON = {m: m.decode() for m in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS")}
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class RequestReader(MessageReader):
    """The server's side of one HTTP/1 connection's input."""

    __slots__ = (
        "_host_field",
        "_host_text",
        "_shared",
        "_stale",
        "_usual_bytes",
        "alone",
        "held",
    )

    first_line = "request line"

    def __init__(self, limits: Limits, shared: Shared | None = None) -> None:
        super().__init__(limits)
        #: There is no parser yet, or it may take the connection for ended where we do not: the next head that
        #: is not usual gets a new one.
        self._stale = True
        self._shared = shared or Shared()
        #: What cannot be past any limit: a field takes four bytes at least.
        self._usual_bytes = min(limits.line_bytes, limits.head_bytes, 4 * limits.header_count)
        #: The last head came alone: the next one may well, too.  A client that pipelines goes on doing so.
        self.alone = True
        #: Behind a request that asks for an upgrade, until `resume`.
        self.held = False
        #: The last Host seen and found good; a client repeats itself.
        self._host_text = ""
        self._host_field = " \r\n"

    def feed(self, data: bytes) -> list[Event]:
        """Takes what was received, and returns the events it completes.

        Returns early behind a head with a body, behind `Limits.pipelined_requests` heads, so that
        the caller can act on them, and behind `Limits.chunk_size` of chunks; while `more`, `feed(b"")`
        goes on.  An error is the last event, and ends the reader.
        """
        if (
            data[:5] == b"GET /"
            and self.alone
            and data[-4:] == b"\r\n\r\n"
            and self._state == HEAD
            and not self._rest
            and (head := self._read_usual(data)) is not None
        ):
            return [head]
        return super().feed(data)

    def _new_parser(self) -> httptools.HttpRequestParser:
        return httptools.HttpRequestParser(self._callbacks())

    def resume(self) -> None:
        """The upgrade that was asked for is not going to happen: go on with what stands behind it."""
        self.held = False
        if self._state == HELD:
            self._state = HEAD
            self.more = bool(self._rest)

    # ---- heads

    def _read_usual(self, data: bytes) -> RequestHead | None:
        """Reads `data` if it is one GET of HTTP/1.1, whole, without a body, and the connection stays.

        Most requests are.  Otherwise, and whenever there is anything to say against it, returns None, and the
        thorough way below starts from the same bytes.  The parser here is made so that it fails at
        whatever is not usual: a body, a chunk, a second message.
        """
        # A line end before the last two: empty lines behind the head, which the parser skips.
        if len(data) > self._usual_bytes or data[-5] < 32:
            return None
        shared = self._shared
        unfinished = shared.unfinished
        feed = shared.feed_usual
        if feed is None:
            feed = shared.feed_usual = usual_parser(unfinished)
        # What a message takes out: at its begin, and at its end.
        unfinished.append(True)
        unfinished.append(True)
        try:
            feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            shared.feed_usual = None
            return None
        # Text is searched without what searching bytes costs: taking the needle for a number, or a buffer.
        text = data.decode("latin-1")
        end = text.find(" ", 5)
        target = text[4:end]
        # To the parser a line without a version is a request of HTTP/0.9: then a line ends in the target.
        if unfinished or text[end : end + 11] != " HTTP/1.1\r\n" or "\n" in target:
            shared.feed_usual = None
            return None
        block = text[end + 9 : -2]
        lower = block.lower()
        # That a name comes once is seen from both ends, unless it comes first.
        at = lower.rfind("connection:")
        if at >= 0 and (
            lower[at - 2 : at + 24] != "\r\nconnection: keep-alive\r\n" or lower.find("connection:") != at
        ):
            return None
        at = lower.rfind("\r\nhost:")
        if at and (at < 0 or lower.find("\r\nhost:") != at):
            return None
        field = self._host_field
        if block[at + 7 : at + 7 + len(field)] != field:
            # It is another Host than before.  What nobody has seen, the thorough way looks at, and remembers.
            known = shared.hosts.get(block[at + 7 : block.index("\r\n", at + 7)].strip(" \t"))
            if known is None:
                return None
            self._host_text, self._host_field = known
        head = RequestHead()
        head.method = "GET"
        head.target = target
        head.version = "HTTP/1.1"
        head.block = block
        head.lowered = lower
        head.host = self._host_text
        head.length = 0
        head.chunked = head.expect_continue = head.upgrade = False
        head.keep_alive = True
        return head

    def _feed_heads(self, data: bytes, at: int, events: list[Event]) -> None:
        size = len(data)
        room = self._limits.pipelined_requests
        while at < size:
            # RFC 9112 2.2: empty lines before a request line are skipped.
            if data[at] == 13 and data[at : at + 2] == b"\r\n":
                at += 2
                continue
            head = None
            end = data.find(b"\r\n\r\n", at) + 4
            # `feed` has tried it if it came alone behind such as came alone.
            if end > 3 and data[at : at + 5] == b"GET /" and (at or end < size or not self.alone):
                head = self._read_usual(data[at:end])
            if head is None:
                end = _end_of_head(data, at)
                if end < 0:
                    self._rest = data[at:]
                    self._scanned = size - at
                    self._check_size(self._rest, events)
                    return
                head = self._read_head(data[at:end], events)
                if head is None:
                    return
                self._behind(head)
            self.alone = not at and end == size
            at = end
            events.append(head)
            room -= 1
            if self._state != HEAD or not room:
                break
        self._keep(data, at)

    def _behind(self, head: RequestHead) -> None:
        """What is to be read behind a head."""
        if head.length or head.chunked:
            self._begin_body(head)
        elif not head.keep_alive:
            self.close()
        elif head.upgrade:
            self._hold()

    def _hold(self) -> None:
        self._state = HELD
        self.held = True
        self.more = False

    def _read_head(self, raw: bytes, events: list[Event]) -> RequestHead | None:
        limits = self._limits
        if len(raw) > limits.line_bytes or len(raw) > limits.head_bytes:
            if not self._check_size(raw, events):
                return None
        clean = raw.endswith(b"\r\n\r\n")
        if not clean:
            # It will be refused; with its lines ended properly the checks below find the best reason.
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        line_end = raw.index(b"\r\n")
        words = raw[:line_end].split(b" ")
        # A line that ends with a bare LF, and has no version, is one of HTTP/0.9 to the parser.
        if len(words) != 3 or 10 in words[1]:
            self._fail(events, 400, "Malformed HTTP request line")
            return None
        method, target, version = words
        modern = version == b"HTTP/1.1"
        if not modern and version != b"HTTP/1.0":
            seen = version.decode("latin-1")
            self._fail(
                events,
                400,
                f"Malformed HTTP request line: version {seen!r}, HTTP/1.0 and HTTP/1.1 are allowed",
            )
            return None
        head = RequestHead()
        head.version = "HTTP/1.1" if modern else "HTTP/1.0"
        shown = raw
        name = _COMMON.get(method)
        if name is None:
            if not method or not _TOKEN.issuperset(method):
                self._fail(events, 400, "Malformed HTTP request line: the method is not a token")
                return None
            if method == b"CONNECT":
                self._fail(events, 400, "CONNECT is for proxies, and this is none")
                return None
            name = method.decode("ascii")
            shown = b"POST" + raw[len(method) :]
        head.method = name
        head.block = block = raw[line_end:-2].decode("latin-1")
        head.lowered = lower = block.lower()
        if self._stale:
            self._stale = False
            self._parser = self._new_parser()
        if (
            "connection:" in lower
            or "\r\ncontent-length:" in lower
            or "\r\ntransfer-encoding:" in lower
            or "\r\nexpect:" in lower
        ):
            if not self._frame(head, modern, events):
                return None
        else:
            head.length = 0
            head.chunked = head.expect_continue = head.upgrade = False
            head.keep_alive = modern
        if self._stale:
            # llhttp would stop behind a head that asks for an upgrade; whether it happens is not its to say.
            shown = _UPGRADE.sub(b"\r\nx-grade:", shown)
        if not clean:
            self._fail(events, 400, "a line of the head ends with a bare LF, CRLF is allowed")
            return None
        try:
            self._parser.feed_data(shown)
        except httptools.HttpParserError as error:
            self._fail(events, 400, _explain(block, str(error)))
            return None
        if block.count("\r\n") - 1 > limits.header_count:
            self._fail(events, 431, f"too many header fields: more than {limits.header_count}")
            return None
        # RFC 9112 section 3.2: one Host exactly, and a good one.
        hosts = lower.count("\r\nhost:")
        if hosts != 1 and (modern or hosts):
            self._fail(events, 400, "Multiple Host headers" if hosts else "Missing Host header")
            return None
        host = ""
        if hosts:
            at = lower.index("\r\nhost:") + 7
            host = block[at : block.index("\r\n", at)].strip(" \t")
        known = self._shared.hosts.get(host) or self._good_host(host, events)
        if known is None:
            return None
        self._host_text, self._host_field = known
        head.host = self._host_text
        head.target = target.decode("latin-1")
        if target[0] != 47 and not self._absolute(head, events):
            return None
        return head

    def _good_host(self, host: str, events: list[Event]) -> tuple[str, str] | None:
        if host and not check_host(host):
            self._fail(events, 400, f"Invalid Host header: {host!r}")
            return None
        known = host, f" {host}\r\n"
        self._shared.remember_host(known)
        return known

    def _absolute(self, head: RequestHead, events: list[Event]) -> bool:
        """RFC 9112 3.2: the absolute form replaces Host; the asterisk form is for OPTIONS."""
        target = head.target
        if target == "*" and head.method == "OPTIONS":
            return True
        scheme, colon, rest = target.partition("://")
        if not colon or scheme.lower() not in ("http", "https"):
            return self._fail(events, 400, f"Malformed HTTP request line: target {target!r}")
        cut = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
        authority, path = rest[:cut], rest[cut:]
        if not authority or not check_host(authority):
            return self._fail(events, 400, f"Malformed HTTP request line: target {target!r}")
        head.host = authority
        head.target = path if path.startswith("/") else "/" + path
        return True

    def _frame(self, head: RequestHead, modern: bool, events: list[Event]) -> bool:
        """Whether the connection stays, and how the body is framed (RFC 9112 sections 6 and 9.3)."""
        block, lower = head.block, head.lower
        head.length = 0
        head.chunked = head.expect_continue = head.upgrade = False
        head.keep_alive = modern
        if "\r\nconnection:" in lower:
            tokens = ",".join(field_values(lower, lower, "connection"))
            if tokens == "keep-alive":
                head.keep_alive = True
            else:
                options = [token.strip(" \t") for token in tokens.split(",")]
                if "close" in options:
                    head.keep_alive = False
                elif "keep-alive" in options:
                    head.keep_alive = True
                head.upgrade = head.keep_alive and "upgrade" in options and "\r\nupgrade:" in lower
                self._stale = True
        if "\r\nproxy-connection:" in lower:
            # To llhttp, and to nobody else, it means the same as Connection.
            self._stale = True
        # Transfer-Encoding, Content-Length, Expect: none of them in most requests.
        if "\r\ntransfer-encoding:" in lower:
            codings = field_values(block, lower, "transfer-encoding")
            if "\r\ncontent-length:" in lower:
                return self._fail(events, 400, "Message with both Transfer-Encoding and Content-Length")
            coding = ",".join(codings)
            if coding.lower() != "chunked":
                return self._fail(events, 400, f"Unsupported Transfer-Encoding {coding}")
            if not modern:
                return self._fail(events, 400, "Transfer-Encoding in an HTTP/1.0 request")
            head.chunked = True
        elif "\r\ncontent-length:" in lower:
            lengths = field_values(block, lower, "content-length")
            if len(lengths) > 1 or "," in lengths[0]:
                return self._fail(events, 400, "Multiple unequal Content-Lengths or a list of them")
            length = lengths[0]
            # Of Latin-1, only the ASCII digits are decimal.
            if not length.isdecimal():
                return self._fail(events, 400, f"Only integer Content-Length is allowed, not {length!r}")
            if len(length) > 19:
                return self._fail(events, 400, "Content-Length too long: more than 19 digits")
            head.length = int(length)
        if modern and (head.length or head.chunked) and "\r\nexpect:" in lower:
            head.expect_continue = field_value(lower, lower, "expect") == "100-continue"
        return True

    # ---- bodies

    def _end_body(self, events: list[Event]) -> None:
        events.append(END)
        head = self.head
        self.head = None
        self._scanned = 0
        if head is not None and head.chunked:
            # Trailers may have told the parser that the connection ends.
            self._stale = True
        if head is None or not head.keep_alive:
            self.close()
        elif head.upgrade:
            self._hold()
        else:
            self._state = HEAD


def _end_of_head(data: bytes, at: int) -> int:
    """Behind the first empty line, however it is ended (llhttp refuses all but CRLF); -1: there is none."""
    end = data.find(b"\n\r\n", at)
    bare = data.find(b"\n\n", at, end + 1 if end >= 0 else len(data))
    if bare >= 0:
        return bare + 2
    return end + 3 if end >= 0 else -1


def _explain(block: str, message: str) -> str:
    """llhttp's word on a head, and where one says more, ours."""
    if message == "Invalid header token" and any(":" not in line for line in block.split("\r\n")[1:-1]):
        return "no colon in header line"
    return f"Malformed HTTP headers: {message}"
