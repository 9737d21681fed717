"""Field names and field values: the grammar of RFC 9110, section 5, and the canonical spelling.

Expressions here are single character classes searched for a forbidden character: nothing that
could backtrack.
"""

import re

from .errors import HTTPInputError

#: RFC 9110, 5.6.2: what is not a `tchar`.
_NOT_TCHAR = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
#: RFC 9110, 5.5: CTL other than HTAB.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: The same, and what is no octet.
_CONTROL_OR_WIDE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")

#: Spellings worth knowing before the first request; the rest is learnt.
_COMMON = (
    "Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Origin "
    "Access-Control-Request-Headers Access-Control-Request-Method Age Allow Authorization Cache-Control "
    "Connection Content-Disposition Content-Encoding Content-Language Content-Length Content-Range "
    "Content-Security-Policy Content-Type Cookie Date Dnt Etag Expect Expires Forwarded Host If-Match "
    "If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Event-Id Last-Modified "
    "Link Location Origin Pragma Proxy-Authorization Range Referer Retry-After Sec-Fetch-Dest "
    "Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-Websocket-Accept Sec-Websocket-Extensions "
    "Sec-Websocket-Key Sec-Websocket-Protocol Sec-Websocket-Version Server Set-Cookie "
    "Strict-Transport-Security Te Trailer Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent "
    "Vary Via Www-Authenticate X-Content-Type-Options X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto "
    "X-Real-Ip X-Requested-With X-Scheme X-Xsrftoken"
).split()
#: Names of peers are remembered up to this many, each up to this long; then all are forgotten at once.
_CACHE_SIZE = 2000
_CACHE_NAME_LENGTH = 64
#: Characters of a bad name or value that an error shows.
_SHOWN = 200

#: Name as given -> canonical name; tokens only.  Hot paths read it; only `normalize_name` writes.
canonical: dict[str, str] = {}


def _prime() -> None:
    canonical.clear()
    for name in _COMMON:
        canonical[name] = canonical[name.lower()] = name


_prime()


def normalize_name(name: str) -> str:
    """Returns the canonical spelling of a field name: `content-TYPE` becomes `Content-Type`.

    The grammar is not checked.  Answers are remembered in a bounded table.
    """
    known = canonical.get(name)
    if known is not None:
        return known
    spelled = "-".join([word.capitalize() for word in name.split("-")])
    if len(name) <= _CACHE_NAME_LENGTH and is_token(name):
        if len(canonical) >= _CACHE_SIZE:
            # Made-up names must not keep the real ones out for ever.
            _prime()
        canonical[name] = spelled
    return spelled


def is_token(text: str) -> bool:
    """Whether `text` is a token (RFC 9110, 5.6.2); the empty string is none."""
    return text != "" and _NOT_TCHAR.search(text) is None


def is_field_value(text: str) -> bool:
    """Whether `text`, octets as Latin-1, may stand as a field value (RFC 9110, 5.5).

    No control character but HTAB, no character past U+00FF, no white space at either end.
    """
    if text and (text[0] in " \t" or text[-1] in " \t"):
        return False
    if text.isascii() and text.isprintable():
        return True
    return _CONTROL_OR_WIDE.search(text) is None


def has_control(text: str) -> bool:
    """Whether `text` holds a control character other than HTAB (CR, LF and NUL are among them)."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def check_field_name(name: str) -> None:
    """Raises `HTTPInputError` unless `name` is a token (RFC 9110, 5.1)."""
    if name not in canonical and not is_token(name):
        raise HTTPInputError(f"Invalid header name {_shown(name)}")


def check_field_value(value: str, *, chars_are_bytes: bool = True) -> None:
    """Raises `HTTPInputError` unless `value` may stand as a field value (RFC 9110, 5.5).

    With `chars_are_bytes=False` (values that were decoded as UTF-8, as in multipart) only control
    characters other than HTAB are refused.
    """
    if not is_field_value(value) if chars_are_bytes else has_control(value):
        raise HTTPInputError(f"Invalid header value {_shown(value)}")


def _shown(text: str) -> str:
    # An error goes into a log: escaped, and not as long as the peer likes.
    return repr(text) if len(text) <= _SHOWN else repr(text[:_SHOWN]) + "..."
