"""First lines: of a request (RFC 9112, section 3) and of a response (section 4)."""

import re
from typing import NamedTuple

from .errors import HTTPInputError
from .fields import is_token

#: Not allowed in a request target: white space, controls, and what is no octet.
_NOT_TARGET = re.compile(r"[^\x21-\x7e\x80-\xff]")
#: Not allowed in a reason phrase: controls but HTAB, and what is no octet.
_NOT_REASON = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_DIGITS = frozenset("0123456789")


class RequestStartLine(NamedTuple):
    """`method`, `path` (the request target as sent) and `version` such as `HTTP/1.1`.

    Source: Tornado documentation, `tornado.httputil`.
    """

    method: str
    path: str
    version: str


class ResponseStartLine(NamedTuple):
    """`version` such as `HTTP/1.1`, the status `code`, and the `reason` phrase (`None` if empty).

    Source: Tornado documentation, `tornado.httputil`.
    """

    version: str
    code: int
    reason: str | None


def parse_request_start_line(line: str) -> RequestStartLine:
    """Reads `GET /path HTTP/1.1`, octets as Latin-1, without the line end.

    Raises `HTTPInputError` for anything else, and for a major version other than 1.
    """
    parts = line.split(" ")
    if len(parts) != 3:
        raise HTTPInputError("Malformed HTTP request line")
    method, target, version = parts
    if not is_token(method) or not target or _NOT_TARGET.search(target) or not _is_version(version):
        raise HTTPInputError("Malformed HTTP request line")
    _check_major(version)
    return RequestStartLine(method, target, version)


def parse_response_start_line(line: str) -> ResponseStartLine:
    """Reads `HTTP/1.1 200 OK`, octets as Latin-1, without the line end.

    The reason may be empty, the space before it may not be missing.  Raises `HTTPInputError` for
    anything else, and for a major version other than 1.
    """
    version, code, reason = line[:8], line[9:12], line[13:]
    if (
        not _is_version(version)
        or line[8:9] != " "
        or line[12:13] != " "
        or len(code) != 3
        or not _DIGITS.issuperset(code)
        or _NOT_REASON.search(reason)
    ):
        raise HTTPInputError("Error parsing response start line")
    _check_major(version)
    return ResponseStartLine(version, int(code), reason or None)


def _is_version(text: str) -> bool:
    # RFC 9112, 2.3: HTTP-name "/" DIGIT "." DIGIT, in capitals.
    return (
        len(text) == 8
        and text.startswith("HTTP/")
        and text[5] in _DIGITS
        and text[6] == "."
        and text[7] in _DIGITS
    )


def _check_major(version: str) -> None:
    if version[5] != "1":
        raise HTTPInputError(f"Unexpected HTTP version {version!r}")
