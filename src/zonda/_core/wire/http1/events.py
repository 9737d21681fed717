"""What a reader of HTTP/1 messages gives: heads, pieces of bodies (`bytes`), ends, and one error at most."""

from typing import Final


class RequestHead:
    """A request's head that obeys the grammar and the limits (RFC 9112 section 3).

    The header fields stay as they came until somebody reads them: `block` begins with CRLF and
    ends with CRLF (`b"\\r\\nHost: a\\r\\nX: b\\r\\n"`), `lower` is the same in lower case, so that
    "is there such a field" is one search for `b"\\r\\nname:"`.
    """

    __slots__ = (
        "block",
        "chunked",
        "expect_continue",
        "host",
        "keep_alive",
        "length",
        "lower",
        "method",
        "target",
        "upgrade",
        "version",
    )

    method: str
    #: Origin form or `*`; an absolute form was taken apart (its authority is `host`).
    target: str
    version: str
    block: bytes
    lower: bytes
    #: Of the absolute form or of the Host field; empty where HTTP/1.0 sent none.
    host: str
    #: Content-Length; 0 also where the body is chunked.
    length: int
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    #: The client asks for another protocol on this connection.
    upgrade: bool

    def field(self, name: bytes) -> bytes | None:
        """The first value of a field, `name` in lower case."""
        return field_value(self.block, self.lower, name)


def field_value(block: bytes, lower: bytes, name: bytes) -> bytes | None:
    """The first value of the field `name` (in lower case) in a header block, without outer whitespace."""
    at = lower.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    at += len(name) + 3
    return block[at : block.index(b"\r\n", at)].strip(b" \t")


def field_values(block: bytes, lower: bytes, name: bytes) -> list[bytes]:
    """All values of the field `name` (in lower case) in a header block, in their order."""
    key = b"\r\n" + name + b":"
    values: list[bytes] = []
    at = lower.find(key)
    while at >= 0:
        at += len(key)
        end = block.index(b"\r\n", at)
        values.append(block[at:end].strip(b" \t"))
        at = lower.find(key, end)
    return values


class EndOfMessage:
    def __repr__(self) -> str:
        return "END"


#: The body of the message is complete.  A message without a body has no END: its head is all.
END: Final = EndOfMessage()
