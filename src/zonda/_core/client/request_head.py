"""A request as it is sent: what the client adds to what the application said."""

import base64
from typing import Any

from zonda import __version__
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.urls import encode_username_password

from .message import HTTPRequest
from .url import Target

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PATCH", "PUT"})

_UNSUPPORTED = ("proxy_host", "proxy_port", "proxy_username", "proxy_auth_mode")

_USER_AGENT = f"zonda/{__version__}"


def fields_of(request: HTTPRequest, target: Target) -> dict[str, Any]:
    """The header fields to send, in the form of `HTTPHeaders`.

    Raises `KeyError` for an unknown method, `ValueError` for a body too many or too few or for an
    authentication other than Basic, `NotImplementedError` for proxies.
    """
    _check(request)
    headers = request.headers
    if type(headers) is not HTTPHeaders:
        headers = HTTPHeaders(headers)
    fields: dict[str, Any] = headers._map.copy()
    if "Host" not in fields:
        fields["Host"] = target.authority
    if target.username is not None or request.auth_username is not None:
        fields["Authorization"] = _authorization(request, target)
    if request.user_agent is not None:
        fields["User-Agent"] = request.user_agent
    elif "User-Agent" not in fields:
        fields["User-Agent"] = _USER_AGENT
    if request.body is not None or request.body_producer is not None or request.method in _WITH_BODY:
        _describe_body(request, fields)
    if request.decompress_response:
        fields["Accept-Encoding"] = "gzip"
    return fields


def says_close(fields: dict[str, Any]) -> bool:
    """Whether the application asked for the connection to end with this request."""
    return "Connection" in fields and "close" in str(fields["Connection"]).lower()


def _describe_body(request: HTTPRequest, fields: dict[str, Any]) -> None:
    body = request.body
    produced = request.body_producer is not None
    if produced and body is not None:
        raise ValueError("body and body_producer cannot both be given")
    if "Transfer-Encoding" in fields and not produced:
        raise ValueError("Transfer-Encoding is for a body_producer alone")
    if request.expect_100_continue and (produced or body is not None):
        fields["Expect"] = "100-continue"
    if produced:
        if "Content-Length" not in fields:
            fields["Transfer-Encoding"] = "chunked"
        elif "Transfer-Encoding" in fields:
            raise ValueError("Content-Length and Transfer-Encoding cannot both be given")
    else:
        fields["Content-Length"] = str(len(body or b""))
    if request.method == "POST" and "Content-Type" not in fields:
        fields["Content-Type"] = "application/x-www-form-urlencoded"


def _check(request: HTTPRequest) -> None:
    for name in _UNSUPPORTED:
        if getattr(request, name) is not None:
            raise NotImplementedError(f"{name} not supported")
    if request.allow_nonstandard_methods:
        return
    method = request.method
    if method not in _METHODS:
        raise KeyError(f"unknown method {method}")
    has_body = request.body is not None or request.body_producer is not None
    if has_body != (method in _WITH_BODY):
        raise ValueError(
            f"Body must {'' if has_body else 'not '}be None for method {method} "
            "(unless allow_nonstandard_methods is true)"
        )


def _authorization(request: HTTPRequest, target: Target) -> str:
    username, password = target.username, target.password
    if username is None:
        username, password = request.auth_username or "", request.auth_password or ""
    if request.auth_mode not in (None, "basic"):
        raise ValueError(f"unsupported auth_mode {request.auth_mode}")
    return "Basic " + base64.b64encode(encode_username_password(username, password)).decode("ascii")
