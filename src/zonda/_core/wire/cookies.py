"""Cookies (RFC 6265): the Cookie field read, the Set-Cookie field written."""

import datetime
import re
from functools import lru_cache
from http.cookies import CookieError, Morsel, SimpleCookie
from time import struct_time
from typing import Any

from .dates import format_timestamp
from .fields import is_token

#: What a quoted value may escape: three octal digits of one octet, or any character for itself.
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
#: In a value these would end or split the field, or be taken for white space around it.
_NOT_VALUE = re.compile(r"[\x00-\x20]")
#: In names and attributes also what begins the next attribute.
_NOT_ATTRIBUTE = re.compile(r"[\x00-\x20;\x7f]")
#: Attributes as they are written, in the order they are written in: by their lower-case names.
_ATTRIBUTES = {
    "comment": "Comment",
    "domain": "Domain",
    "expires": "expires",
    "httponly": "HttpOnly",
    "max-age": "Max-Age",
    "partitioned": "Partitioned",
    "path": "Path",
    "samesite": "SameSite",
    "secure": "Secure",
    "version": "Version",
}
_FLAGS = frozenset({"httponly", "partitioned", "secure"})
_quoting = SimpleCookie()


class InvalidCookieError(CookieError, ValueError):
    """A part of a cookie cannot be sent; the message names the part.

    `http.cookies.CookieError` is what Tornado raises, `ValueError` is what it is.
    """


def parse_cookie(cookie: str) -> dict[str, str]:
    """Reads a Cookie field into a dict; the last cookie of a name wins.

    As browsers do it and not as RFC 6265 writes it: every semicolon separates, quoted or not; what
    has no `=` is a value under the empty name; quoted values are unquoted, escapes undone.  White
    space around names and values is space and tab only: to a browser U+00A0 is part of a name, and
    taking it away would let a script forge `__Host-` cookies.

    Source: Tornado documentation, `tornado.httputil`.
    """
    cookies: dict[str, str] = {}
    for pair in cookie.split(";"):
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", name
        name, value = name.strip(" \t"), value.strip(" \t")
        if name or value:
            cookies[name] = _unquote(value) if value[:1] == '"' else value
    return cookies


def _unquote(value: str) -> str:
    if len(value) < 2 or value[-1] != '"':
        return value
    inner = value[1:-1]
    return _ESCAPE.sub(_unescape, inner) if "\\" in inner else inner


def _unescape(match: re.Match[str]) -> str:
    octal, character = match.groups()
    return chr(int(octal, 8)) if octal else str(character)


def request_cookies(cookie: str) -> SimpleCookie:
    """Reads a Cookie field into `http.cookies`' classes, as `HTTPServerRequest.cookies` shows them.

    Cookies whose names those classes refuse are left out.
    """
    jar = SimpleCookie()
    for name, value in parse_cookie(cookie).items():
        try:
            jar[name] = value
        except CookieError:
            continue
    return jar


@lru_cache(maxsize=1024)
def is_cookie_name(name: str) -> bool:
    """Whether `http.cookies` takes a cookie of that name."""
    try:
        Morsel[str]().set(name, "", "")
    except CookieError:
        return False
    return True


def render_set_cookie(
    name: str,
    value: str,
    *,
    domain: str | None = None,
    expires: float | tuple[int, ...] | struct_time | datetime.datetime | None = None,
    path: str | None = None,
    max_age: int | None = None,
    httponly: bool = False,
    secure: bool = False,
    samesite: str | None = None,
    **attributes: Any,
) -> str:
    """Renders the value of a Set-Cookie field.

    `expires` is a point in time as `format_timestamp` takes it, `max_age` is in seconds.  What is
    falsy is left out.  `attributes` are further ones (`partitioned`, `comment`, `version`), or the
    named ones spelled otherwise (`Max-Age`, `HttpOnly`), which then win.

    Raises `InvalidCookieError` (a `ValueError` and a `CookieError`) naming the part that cannot be
    sent: a name that is no token (`:` is let through) or is the name of an attribute, a value with a
    control character or a space, an attribute with one of those, DEL or `;`, an unknown attribute, a
    `max_age` that is no whole number.  Values with other special characters are quoted.
    """
    _check_attribute(name, "name", name)
    if name.lower() in _ATTRIBUTES:
        raise InvalidCookieError(f"Invalid cookie name {name!r}: it is reserved for an attribute")
    if not is_token(name.replace(":", "-")):
        # The colon is no token character, but `http.cookies` lets it through.
        raise InvalidCookieError(f"Invalid cookie name {name!r}: allowed is a token (RFC 6265, 4.1.1)")
    if _NOT_VALUE.search(value):
        raise InvalidCookieError(
            f"Invalid cookie {name!r}: value {value!r} has a control character or a space"
        )
    rendered: dict[str, str] = {}
    for given, content in (
        ("domain", domain),
        ("expires", expires),
        ("path", path),
        ("max-age", max_age),
        ("httponly", httponly),
        ("secure", secure),
        ("samesite", samesite),
        *attributes.items(),
    ):
        _render_attribute(rendered, name, given, content)
    return "; ".join([f"{name}={_quoting.value_encode(value)[1]}", *[rendered[a] for a in sorted(rendered)]])


def _render_attribute(rendered: dict[str, str], name: str, given: str, content: Any) -> None:
    attribute = given.lower()
    if attribute not in _ATTRIBUTES:
        raise InvalidCookieError(f"Invalid attribute {attribute!r} for cookie {name!r}")
    if not content:
        rendered.pop(attribute, None)
        return
    spelled = _ATTRIBUTES[attribute]
    if attribute in _FLAGS:
        rendered[attribute] = spelled
        return
    if attribute == "expires":
        text = format_timestamp(content)
    elif attribute == "max-age":
        text = str(_whole_seconds(name, content))
    else:
        text = content if isinstance(content, str) else str(content)
        _check_attribute(name, given, text)
    rendered[attribute] = f"{spelled}={text}"


def _whole_seconds(name: str, content: Any) -> int:
    try:
        return int(content)
    except ValueError:
        raise InvalidCookieError(
            f"Invalid cookie attribute max_age={content!r} for cookie {name!r}: allowed is a whole number"
        ) from None


def _check_attribute(name: str, part: str, content: str) -> None:
    if _NOT_ATTRIBUTE.search(content):
        raise InvalidCookieError(f"Invalid cookie attribute {part}={content!r} for cookie {name!r}")
