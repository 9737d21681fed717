"""Protection against cross-site request forgery: by a token in cookie and request, and by origin.

The token is random bytes that the browser gets as a cookie and the page sends back; another site can
make the browser send the cookie, but cannot read it.  Two forms:

    1   hex(token)
    2   "2" "|" hex(mask) "|" hex(token XOR mask) "|" time the token was made

Form 2 has a new mask in every answer, so that compression cannot be used to guess the token (BREACH).
Both are read at any time.

Source: Tornado documentation, `tornado.web` and "Authentication and security".
"""

import binascii
import hmac
import os
from typing import TYPE_CHECKING

from zonda._core.base.clock import wall
from zonda.escape import utf8, xhtml_escape

from .errors import HTTPError

if TYPE_CHECKING:
    from .handler_like import Handler

_TOKEN_BYTES = 16
_MASK_BYTES = 4
#: Without `expires_days` in `xsrf_cookie_kwargs`, the cookie of a user who is known lasts this long.
_KNOWN_USER_DAYS = 30
#: Times are shorter; longer ones are not turned into numbers.
_LONGEST_NUMBER = 20
#: Of what a client sent, this much goes into an error.
_SHOWN = 200
_SAME_ORIGIN = frozenset({"same-origin", "none"})


def xsrf_token(handler: "Handler") -> bytes:
    """The token for this answer; sets the cookie if the request has none that is valid.

    Settings: `xsrf_cookie_version` (the form, 2 by default), `xsrf_cookie_name`, `xsrf_cookie_kwargs`
    (arguments of `set_cookie`).  Raises ValueError for a form that does not exist.
    """
    token: bytes | None = handler.__dict__.get("_xsrf_token")
    if token is None:
        known = _from_cookie(handler)
        secret, moment = known or (os.urandom(_TOKEN_BYTES), int(wall()))
        token = _encode(secret, moment, handler.settings.get("xsrf_cookie_version", 2))
        if known is None:
            cookie = dict(handler.settings.get("xsrf_cookie_kwargs", {}))
            if "expires_days" not in cookie and handler.current_user:
                cookie["expires_days"] = _KNOWN_USER_DAYS
            handler.set_cookie(_cookie_name(handler), token, **cookie)
        handler.__dict__["_xsrf_token"] = token
    return token


def xsrf_form_html(handler: "Handler") -> str:
    """A hidden input that carries the token; goes into every form that is posted."""
    return f'<input type="hidden" name="_xsrf" value="{xhtml_escape(handler.xsrf_token)}"/>'


def check_xsrf_cookie(handler: "Handler") -> None:
    """Raises a 403 unless the argument `_xsrf`, or X-XSRFToken or X-CSRFToken, holds the cookie's token."""
    headers = handler.request.headers
    sent = handler.get_argument("_xsrf", None) or headers.get("X-Xsrftoken") or headers.get("X-Csrftoken")
    if not sent:
        raise HTTPError(403, "'_xsrf' argument missing from POST")
    found = _decode(sent)
    if found is None:
        raise HTTPError(403, "'_xsrf' argument has invalid format")
    expected = _from_cookie(handler)
    if expected is None or not hmac.compare_digest(found[0], expected[0]):
        raise HTTPError(403, "XSRF cookie does not match POST argument")


def check_cross_origin(handler: "Handler") -> None:
    """Raises a 403 for a request that a browser says comes from a page of another origin.

    Browsers say so in Sec-Fetch-Site, older ones only in Origin, which is then compared with Host.  A
    request with neither is not a browser's.  An origin that `handler.check_trusted_origin` takes is welcome.
    """
    headers = handler.request.headers
    site = headers.get("Sec-Fetch-Site")
    origin = headers.get("Origin")
    if site is None:
        if origin is None or _host_of(origin) == handler.request.host.lower():
            return
    elif site in _SAME_ORIGIN:
        return
    if origin is not None and handler.check_trusted_origin(origin):
        return
    shown = None if origin is None else origin[:_SHOWN]
    if site is None:
        raise HTTPError(403, "Origin %r not allowed", shown)
    raise HTTPError(403, "Sec-Fetch-Site %s & origin %r not allowed", site[:_SHOWN], shown)


def _host_of(origin: str) -> str:
    """Host and port of an origin (RFC 6454, 6.2), in lower case; what follows a slash is left out."""
    authority = origin.partition("://")[2]
    for end in "/?#":
        authority = authority.partition(end)[0]
    return authority.lower()


def _cookie_name(handler: "Handler") -> str:
    name: str = handler.settings.get("xsrf_cookie_name", "_xsrf")
    return name


def _from_cookie(handler: "Handler") -> tuple[bytes, int] | None:
    """The token in the request's cookie, and its time; None if there is none, or none that is valid."""
    cookie = handler.get_cookie(_cookie_name(handler))
    return _decode(cookie) if cookie else None


def _encode(token: bytes, moment: int, version: int) -> bytes:
    if version == 1:
        return binascii.b2a_hex(token)
    if version != 2:
        raise ValueError(f"unknown xsrf cookie version {version}: 1 and 2 are known")
    mask = os.urandom(_MASK_BYTES)
    return b"2|%b|%b|%d" % (binascii.b2a_hex(mask), binascii.b2a_hex(_masked(mask, token)), moment)


def _decode(text: str) -> tuple[bytes, int] | None:
    version, bar, rest = text.partition("|")
    if bar and version.isascii() and version.isdigit() and not version.startswith("0"):
        return _decode_v2(rest) if version == "2" else None
    # Form 1; other servers and older releases wrote tokens that are not hex at all.
    try:
        token = binascii.a2b_hex(text)
    except ValueError:
        token = utf8(text)
    return (token, int(wall())) if token else None


def _decode_v2(fields: str) -> tuple[bytes, int] | None:
    parts = fields.split("|", 3)
    if len(parts) != 3:
        return None
    mask_hex, masked_hex, moment = parts
    if len(moment) > _LONGEST_NUMBER or not (moment.isascii() and moment.isdigit()):
        return None
    try:
        mask, masked = binascii.a2b_hex(mask_hex), binascii.a2b_hex(masked_hex)
    except ValueError:
        return None
    # An empty token would equal another empty one.
    if len(mask) != _MASK_BYTES or not masked:
        return None
    return _masked(mask, masked), int(moment)


def _masked(mask: bytes, data: bytes) -> bytes:
    """`data` XOR `mask`, the mask repeated; its own inverse."""
    size = len(data)
    repeated = (mask * (size // len(mask) + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(repeated)).to_bytes(size)
