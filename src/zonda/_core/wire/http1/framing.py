"""Small questions about the framing of messages, for those who hold `HTTPHeaders`."""

import re

from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.headers import HTTPHeaders

DIGITS = re.compile(r"[0-9]+")
HEXDIGITS = re.compile(r"[0-9a-fA-F]+")
#: Either would end a line of a head early.
CR_OR_LF_RE = re.compile(b"\r|\n")


def parse_int(s: str) -> int:
    """A decimal number, as HTTP writes it: ASCII digits and nothing else.  Raises `ValueError`."""
    if DIGITS.fullmatch(s) is None:
        raise ValueError(f"not an integer: {s!r}")
    return int(s)


def parse_hex_int(s: str) -> int:
    """A hexadecimal number: ASCII digits and letters, no prefix, no sign.  Raises `ValueError`."""
    if HEXDIGITS.fullmatch(s) is None:
        raise ValueError(f"not a hexadecimal integer: {s!r}")
    return int(s, 16)


def is_transfer_encoding_chunked(headers: HTTPHeaders) -> bool:
    """Whether the headers say `Transfer-Encoding: chunked` (RFC 9112 section 6.1).

    Raises `HTTPInputError` for any other coding, and where Content-Length stands beside it.
    Source: Tornado documentation, `tornado.http1connection`.
    """
    if "Transfer-Encoding" not in headers:
        return False
    if "Content-Length" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    coding = headers["Transfer-Encoding"]
    if coding.lower() != "chunked":
        raise HTTPInputError(f"Unsupported Transfer-Encoding {coding!r}")
    return True
