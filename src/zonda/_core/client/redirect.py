"""Where a redirect leads, and what of the request may go there (RFC 9110, 15.4)."""

import copy
from typing import Any
from urllib.parse import urljoin

from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.http1.events import ResponseHead

from .message import HTTPRequest
from .url import target_of

_CODES = frozenset({301, 302, 303, 307, 308})

#: What is for one origin alone.
_SECRET_FIELDS = ("Authorization", "Cookie", "Proxy-Authorization")
#: What describes a body that is not sent again.
_BODY_FIELDS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding")


def followed(request: HTTPRequest, head: ResponseHead) -> str | None:
    """The Location of an answer that is one to follow."""
    if head.status not in _CODES or not request.follow_redirects or (request.max_redirects or 0) <= 0:
        return None
    location = head.field("location")
    if location is None:
        return None
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


def redirected(request: HTTPRequest, code: int, location: str) -> HTTPRequest:
    """The request that follows.  Raises `ValueError` if it leads to anything but HTTP.

    To another origin (scheme, host and port) go no credentials, no cookies, no client certificate.
    """
    here = target_of(request.url)
    follower = copy.copy(request)
    follower.url = urljoin(request.url, location)
    there = target_of(follower.url)
    follower.max_redirects = (request.max_redirects or 0) - 1
    follower.headers = headers = HTTPHeaders(request.headers)
    headers.pop("Host", None)
    if (code == 303 and request.method != "HEAD") or (code in (301, 302) and request.method == "POST"):
        follower.method = "GET"
        follower.body = None
        follower.body_producer = None
        for name in _BODY_FIELDS:
            headers.pop(name, None)
    if here.same_origin(there):
        if here.username is not None:
            follower.auth_username, follower.auth_password = here.username, here.password
        return follower
    for name in _SECRET_FIELDS:
        headers.pop(name, None)
    follower.auth_username = follower.auth_password = follower.auth_mode = None
    follower.client_cert = follower.client_key = None
    follower.ssl_options = _without_certificate(follower.ssl_options)
    return follower


def _without_certificate(ssl_options: Any) -> Any:
    if isinstance(ssl_options, dict):
        return {key: value for key, value in ssl_options.items() if key not in ("certfile", "keyfile")}
    # A context does not say whether it holds a certificate.
    return None
