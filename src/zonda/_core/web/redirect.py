"""Handlers for routes that need no code: redirects, errors, and other applications behind the same server.

Source: Tornado documentation, `tornado.web`.
"""

import re
import string
from collections.abc import Callable
from typing import Any

from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.urls import qs_to_qsl, url_concat

from .errors import HTTPError
from .handler import RequestHandler

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_AUTHORITY = re.compile(r"[^/?#]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: Browsers leave these out of an address wherever they stand (WHATWG URL, "basic URL parser").
_IGNORED = str.maketrans("", "", "\t\r\n")
#: To browsers the slashes behind these schemes are optional.
_SPECIAL = frozenset({"ftp", "http", "https", "ws", "wss"})


class RedirectHandler(RequestHandler):
    """Redirects every GET to `url`, the arguments of the request appended.

    `{0}`, `{1}` or `{name}` in `url` stand for the groups of the route's pattern; they never decide on
    scheme or host (400).  `permanent` is 301, else 302.
    """

    def initialize(self, url: str, permanent: bool = True) -> None:  # type: ignore[override]
        self._url = url
        self._permanent = permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        url = self._url.format(
            *("" if arg is None else arg for arg in args),
            **{name: "" if arg is None else arg for name, arg in kwargs.items()},
        )
        _check_target(self._url, url)
        arguments: Any = self.request.query_arguments
        if arguments:
            url = url_concat(url, list(qs_to_qsl(arguments)))
            _check_target(self._url, url)
        self.redirect(url, permanent=self._permanent)


class ErrorHandler(RequestHandler):
    """Answers every request with an error page of the status `status_code`."""

    def initialize(self, status_code: int) -> None:  # type: ignore[override]
        self.set_status(status_code)

    def prepare(self) -> None:
        raise HTTPError(self._status_code)

    def check_xsrf_cookie(self) -> None:
        """Nothing happens here that could be forged."""

    def check_trusted_origin(self, origin: str) -> bool:
        """Nothing happens here that could be forged."""
        return True


class FallbackHandler(RequestHandler):
    """Hands every request on to `fallback`, a callable such as another `Application` or a `WSGIContainer`."""

    def initialize(self, fallback: Callable[[HTTPServerRequest], None]) -> None:  # type: ignore[override]
        self.fallback = fallback

    def prepare(self) -> None:
        self.fallback(self.request)
        # The answer is the other's affair.
        self._finished = True
        self.on_finish()


def _check_target(template: str, url: str) -> None:
    """Raises a 400 if what was put into the template changed where it leads, or cannot be sent."""
    prefix = ""
    for literal, field, _, _ in string.Formatter().parse(template):
        prefix += literal
        if field is not None:
            break
    expected = _origin(prefix)
    # An empty host is one that the arguments would have to give.
    if expected[1] == "" or _origin(url) != expected:
        raise HTTPError(400, "Redirect URL cannot change the scheme or netloc")
    if _CONTROL.search(url):
        raise HTTPError(400, "Redirect URL contains invalid characters")


def _origin(url: str) -> tuple[str, str | None]:
    """Scheme (or "") and authority (or None) of an address, as browsers understand it.

    A backslash in the authority stays in it: there browsers and RFC 3986 disagree, so it equals nothing.
    """
    url = url.translate(_IGNORED).lstrip("".join(map(chr, range(0x21))))
    scheme = ""
    match = _SCHEME.match(url)
    if match is not None:
        scheme = match[1].lower()
        url = url[match.end() :]
    rest = url.lstrip("/\\")
    if len(url) - len(rest) < 2 and scheme not in _SPECIAL:
        return scheme, None
    authority = _AUTHORITY.match(rest)
    return scheme, authority[0].lower() if authority is not None else ""
