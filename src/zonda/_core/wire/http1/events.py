"""What a reader of HTTP/1 messages gives: heads, pieces of bodies (`bytes`), ends, and one error at most."""

from typing import Final


class Head:
    """What the heads of requests and responses have in common.

    The header fields stay as they came, octets as Latin-1, until somebody reads them: `block` begins with
    CRLF and ends with CRLF (`"\\r\\nHost: a\\r\\nX: b\\r\\n"`), `lower` is the same in lower case, so that
    "is there such a field" is one search for `"\\r\\nname:"`.
    """

    __slots__ = ("block", "chunked", "keep_alive", "length", "lowered", "upgrade", "version")

    version: str
    block: str
    #: `lower`; None where it is to be made when somebody asks: whoever waits for long need not hold it.
    lowered: str | None
    #: Content-Length; 0 also where the body is chunked, and where a response has none in spite of it.
    length: int
    chunked: bool
    #: Whether the connection may carry another message.
    keep_alive: bool
    #: Another protocol on this connection: a request asks for it, a response (101) begins it.
    upgrade: bool

    @property
    def lower(self) -> str:
        lowered = self.lowered
        if lowered is None:
            lowered = self.lowered = self.block.lower()
        return lowered

    def field(self, name: str) -> str | None:
        """The first value of a field, `name` in lower case."""
        return field_value(self.block, self.lower, name)

    def joined(self, name: str, between: str) -> str | None:
        """All values of a field, `name` in lower case, with `between` between them; None: there is none."""
        values = field_values(self.block, self.lower, name)
        return between.join(values) if values else None


class RequestHead(Head):
    """A request's head that obeys the grammar and the limits (RFC 9112 section 3)."""

    __slots__ = ("expect_continue", "host", "method", "target")

    method: str
    #: Origin form or `*`; an absolute form was taken apart (its authority is `host`).
    target: str
    #: Of the absolute form or of the Host field; empty where HTTP/1.0 sent none.
    host: str
    expect_continue: bool


class ResponseHead(Head):
    """A response's head that obeys the grammar and the limits (RFC 9112 section 4)."""

    __slots__ = ("reason", "status", "until_close")

    status: int
    #: Empty where the server gives none.
    reason: str
    #: The body has no length of its own: the end of the connection is its end.
    until_close: bool

    @property
    def has_body(self) -> bool:
        return self.length > 0 or self.chunked or self.until_close


def field_value(block: str, lower: str, name: str) -> str | None:
    """The first value of the field `name` (in lower case) in a header block, without outer whitespace."""
    at = lower.find(f"\r\n{name}:")
    if at < 0:
        return None
    at += len(name) + 3
    return block[at : block.index("\r\n", at)].strip(" \t")


def field_values(block: str, lower: str, name: str) -> list[str]:
    """All values of the field `name` (in lower case) in a header block, in their order."""
    key = f"\r\n{name}:"
    values: list[str] = []
    at = lower.find(key)
    while at >= 0:
        at += len(key)
        end = block.index("\r\n", at)
        values.append(block[at:end].strip(" \t"))
        at = lower.find(key, end)
    return values


class EndOfMessage:
    def __repr__(self) -> str:
        return "END"


#: The body of the message is complete.  A message without a body has no END: its head is all.
END: Final = EndOfMessage()
