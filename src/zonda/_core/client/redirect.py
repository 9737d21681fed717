"""Where a redirect leads, and what of the request may go there (RFC 9110, 15.4)."""

import copy
from typing import Any
from urllib.parse import unquote, urljoin

from zonda._core.wire.headers import HTTPHeaders

from .message import HTTPRequest, _RequestProxy
from .url import origin, split_url

_CODES = frozenset({301, 302, 303, 307, 308})

#: What is for one origin alone.
_SECRET_FIELDS = ("Authorization", "Cookie", "Proxy-Authorization")
#: What describes a body that is not sent again.
_BODY_FIELDS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")


def is_redirect(request: _RequestProxy, code: int, headers: HTTPHeaders) -> bool:
    """Whether this answer is one to follow."""
    return (
        code in _CODES
        and request.follow_redirects
        and request.max_redirects > 0
        and headers.get("Location") is not None
    )


def redirected(request: _RequestProxy, code: int, location: str) -> _RequestProxy:
    """The request that follows.  Raises `ValueError` if it leads to anything but HTTP.

    To another origin (scheme, host and port) go no credentials, no cookies, no client certificate.
    """
    here = split_url(request.url)
    url = urljoin(request.url, _as_text(location))
    there = split_url(url)
    follower: HTTPRequest = copy.copy(request.request)
    follower.url = url
    follower.max_redirects = request.max_redirects - 1
    headers = HTTPHeaders(request.headers)
    headers.pop("Host", None)
    if (code == 303 and request.method != "HEAD") or (code in (301, 302) and request.method == "POST"):
        follower.method = "GET"
        follower.body = None
        follower.body_producer = None
        for name in _BODY_FIELDS:
            headers.pop(name, None)
    follower.headers = headers
    if origin(here) == origin(there):
        if here.username is not None and there.username is None:
            follower.auth_username = unquote(here.username)
            follower.auth_password = unquote(here.password or "")
        return _RequestProxy(follower, request.defaults)
    for name in _SECRET_FIELDS:
        headers.pop(name, None)
    return _RequestProxy(_anonymous(follower), _anonymous_defaults(request.defaults))


def _as_text(location: str) -> str:
    """Fields are read as Latin-1; servers that put more than ASCII there mean UTF-8."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def _anonymous(request: HTTPRequest) -> HTTPRequest:
    request.auth_username = request.auth_password = request.auth_mode = None
    request.client_cert = request.client_key = None
    request.ssl_options = _without_certificate(request.ssl_options)
    return request


def _anonymous_defaults(defaults: dict[str, Any] | None) -> dict[str, Any]:
    kept = dict(defaults or {})
    for name in ("auth_username", "auth_password", "auth_mode", "client_cert", "client_key"):
        kept.pop(name, None)
    kept["ssl_options"] = _without_certificate(kept.get("ssl_options"))
    return kept


def _without_certificate(ssl_options: Any) -> Any:
    if isinstance(ssl_options, dict):
        return {key: value for key, value in ssl_options.items() if key not in ("certfile", "keyfile")}
    # A context does not say whether it holds a certificate.
    return None
