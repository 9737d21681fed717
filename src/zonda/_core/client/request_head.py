"""A request as it is sent: what the client adds to what the application said."""

import base64
import re
from typing import Any
from urllib.parse import SplitResult, quote, unquote

from zonda import __version__
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.urls import encode_username_password

from .message import _RequestProxy

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PATCH", "PUT"})

#: What cannot stand in a request target; percent-encoded as UTF-8.
_NOT_TARGET = re.compile(r"[^\x21-\x7e]")

_UNSUPPORTED = ("proxy_host", "proxy_port", "proxy_username", "proxy_auth_mode")


class RequestHead:
    """Method, target and fields, ready to be printed."""

    __slots__ = ("body", "chunked", "fields", "method", "target")

    def __init__(self, request: _RequestProxy, url: SplitResult) -> None:
        """Raises `KeyError` for an unknown method, `ValueError` for a body too many or too few, or for
        an authentication other than Basic, `NotImplementedError` for proxies."""
        self.method: str = request.method
        self.body: bytes | None = request.body
        _check(request)
        path = url.path or "/"
        target = f"{path}?{url.query}" if url.query else path
        if _NOT_TARGET.search(target):
            target = _NOT_TARGET.sub(lambda match: quote(match[0]), target)
        self.target = target
        headers = HTTPHeaders(request.headers)
        if "Host" not in headers:
            headers["Host"] = url.netloc.rpartition("@")[2]
        _authorize(request, url, headers)
        if request.user_agent is not None:
            headers["User-Agent"] = request.user_agent
        elif "User-Agent" not in headers:
            headers["User-Agent"] = f"zonda/{__version__}"
        self.chunked = False
        self._describe_body(request, headers)
        if request.decompress_response:
            headers["Accept-Encoding"] = "gzip"
        self.fields: dict[str, Any] = headers._map

    def _describe_body(self, request: _RequestProxy, headers: HTTPHeaders) -> None:
        body = self.body
        produced = request.body_producer is not None
        if "Transfer-Encoding" in headers and not produced:
            raise ValueError("Transfer-Encoding is the client's to set, and for a body_producer alone")
        if request.expect_100_continue and (produced or body is not None):
            headers["Expect"] = "100-continue"
        if produced:
            if "Content-Length" not in headers:
                headers["Transfer-Encoding"] = "chunked"
                self.chunked = True
        elif body is not None:
            headers["Content-Length"] = str(len(body))
        elif self.method in _WITH_BODY:
            headers["Content-Length"] = "0"
        if self.method == "POST" and "Content-Type" not in headers:
            headers["Content-Type"] = "application/x-www-form-urlencoded"


def says_close(fields: dict[str, Any]) -> bool:
    """Whether the application asked for the connection to end with this request."""
    return "Connection" in fields and "close" in str(fields["Connection"]).lower()


def _check(request: _RequestProxy) -> None:
    for name in _UNSUPPORTED:
        if getattr(request, name) is not None:
            raise NotImplementedError(f"{name} not supported")
    method = request.method
    if request.body is not None and request.body_producer is not None:
        raise ValueError("body and body_producer cannot both be given")
    if request.allow_nonstandard_methods:
        return
    if method not in _METHODS:
        raise KeyError(f"unknown method {method}")
    has_body = request.body is not None or request.body_producer is not None
    if has_body != (method in _WITH_BODY):
        raise ValueError(
            f"Body must {'' if has_body else 'not '}be None for method {method} "
            "(unless allow_nonstandard_methods is true)"
        )


def _authorize(request: _RequestProxy, url: SplitResult, headers: HTTPHeaders) -> None:
    username, password = request.auth_username, request.auth_password or ""
    if url.username is not None:
        username, password = unquote(url.username), unquote(url.password or "")
    if username is None:
        return
    if request.auth_mode not in (None, "basic"):
        raise ValueError(f"unsupported auth_mode {request.auth_mode}")
    credentials = base64.b64encode(encode_username_password(username, password)).decode("ascii")
    headers["Authorization"] = "Basic " + credentials
