"""OAuth 1.0 and 1.0a: requests signed with shared secrets (RFC 5849)."""

import base64
import binascii
import hashlib
import hmac
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any, cast

from zonda._core.base import clock
from zonda.escape import utf8
from zonda.httpclient import AsyncHTTPClient, HTTPResponse
from zonda.httputil import url_concat
from zonda.web import RequestHandler

from .errors import AuthError

_COOKIE = "_oauth_request_token"


class OAuthMixin:
    """Login and signed requests with OAuth 1.0 or 1.0a; see `TwitterMixin` for one service.

    A subclass sets `_OAUTH_REQUEST_TOKEN_URL`, `_OAUTH_AUTHORIZE_URL` and `_OAUTH_ACCESS_TOKEN_URL`, if
    need be `_OAUTH_VERSION` (`"1.0"` or `"1.0a"`, the default) and `_OAUTH_NO_CALLBACKS` (true for a service
    that takes no callback address), and defines `_oauth_consumer_token` and `_oauth_get_user_future`.
    Source: RFC 5849; Tornado documentation, `tornado.auth`.
    """

    _OAUTH_REQUEST_TOKEN_URL: str
    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str
    _OAUTH_VERSION: str
    _OAUTH_NO_CALLBACKS: bool

    async def authorize_redirect(
        self,
        callback_uri: str | None = None,
        extra_params: dict[str, Any] | None = None,
        http_client: AsyncHTTPClient | None = None,
    ) -> None:
        """Gets a request token, keeps it in a cookie, and sends the browser to the service with it.

        The service sends it back to `callback_uri`, relative to this request; `"oob"` answers with the
        address for the user to go to.  `extra_params` go with the request for the token (1.0a only).
        """
        if callback_uri and getattr(self, "_OAUTH_NO_CALLBACKS", False):
            raise Exception(
                f"{type(self).__name__}: this service takes no oauth_callback, and callback_uri is set"
            )
        client = http_client or self.get_auth_http_client()
        if self._is_1_0a():
            url = self._oauth_request_token_url(callback_uri=callback_uri, extra_params=extra_params)
        else:
            url = self._oauth_request_token_url()
        response = await client.fetch(url)
        self._on_request_token(self._OAUTH_AUTHORIZE_URL, callback_uri, response)

    async def get_authenticated_user(self, http_client: AsyncHTTPClient | None = None) -> dict[str, Any]:
        """Exchanges the request token for an access token, and gives the user.

        What `_oauth_get_user_future` gives, with `access_token` added: `key`, `secret` and what else
        the service told.  Raises `AuthError` if the login was not begun in this browser, or there is no
        such user.
        """
        handler = cast(RequestHandler, self)
        key = utf8(handler.get_argument("oauth_token"))
        verifier = handler.get_argument("oauth_verifier", None)
        cookie = handler.get_cookie(_COOKIE)
        if not cookie:
            raise AuthError("Missing OAuth request token cookie: no login is under way in this browser")
        handler.clear_cookie(_COOKIE)
        cookie_key, cookie_secret = _read_cookie(cookie)
        if not hmac.compare_digest(cookie_key, key):
            raise AuthError("Request token does not match cookie: another login was begun in this browser")
        token: dict[str, Any] = {"key": cookie_key.decode(), "secret": cookie_secret.decode()}
        if verifier:
            token["verifier"] = verifier
        client = http_client or self.get_auth_http_client()
        response = await client.fetch(self._oauth_access_token_url(token))
        access_token = _read_token(response)
        user = await self._oauth_get_user_future(access_token)
        if not user:
            raise AuthError("Error getting user: the service gave an access token and no user for it")
        user["access_token"] = access_token
        return user

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client that asks the service; to be overridden for another than the loop's."""
        return AsyncHTTPClient()

    def _oauth_consumer_token(self) -> dict[str, Any]:
        """To be overridden: `{"key": ..., "secret": ...}` by which the service knows the application."""
        raise NotImplementedError(f"{type(self).__name__} does not define _oauth_consumer_token()")

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any]:
        """To be overridden: asks the service, with this access token, who the user is."""
        raise NotImplementedError(f"{type(self).__name__} does not define _oauth_get_user_future()")

    def _oauth_request_token_url(
        self, callback_uri: str | None = None, extra_params: dict[str, Any] | None = None
    ) -> str:
        consumer = self._oauth_consumer_token()
        arguments = _protocol_arguments(consumer)
        if self._is_1_0a():
            if callback_uri == "oob":
                arguments["oauth_callback"] = "oob"
            elif callback_uri:
                arguments["oauth_callback"] = self._absolute(callback_uri)
            arguments |= extra_params or {}
        url = self._OAUTH_REQUEST_TOKEN_URL
        arguments["oauth_signature"] = self._sign(consumer, "GET", url, arguments)
        return url_concat(url, arguments)

    def _on_request_token(self, authorize_url: str, callback_uri: str | None, response: HTTPResponse) -> None:
        handler = cast(RequestHandler, self)
        token = _read_token(response)
        value = b"|".join(base64.b64encode(utf8(token[part])) for part in ("key", "secret"))
        handler.set_cookie(
            _COOKIE, value, httponly=True, secure=handler.request.protocol == "https", samesite="Lax"
        )
        arguments = {"oauth_token": token["key"]}
        if callback_uri == "oob":
            handler.finish(url_concat(authorize_url, arguments))
            return
        if callback_uri:
            arguments["oauth_callback"] = self._absolute(callback_uri)
        handler.redirect(url_concat(authorize_url, arguments))

    def _oauth_access_token_url(self, request_token: dict[str, Any]) -> str:
        consumer = self._oauth_consumer_token()
        arguments = _protocol_arguments(consumer, request_token)
        if "verifier" in request_token:
            arguments["oauth_verifier"] = request_token["verifier"]
        url = self._OAUTH_ACCESS_TOKEN_URL
        arguments["oauth_signature"] = self._sign(consumer, "GET", url, arguments, request_token)
        return url_concat(url, arguments)

    def _oauth_request_parameters(
        self,
        url: str,
        access_token: dict[str, Any],
        parameters: dict[str, Any] = {},  # noqa: B006  # Tornado's default; only read
        method: str = "GET",
    ) -> dict[str, Any]:
        """The `oauth_` arguments that sign a request with these arguments, in its query and its body."""
        consumer = self._oauth_consumer_token()
        arguments = _protocol_arguments(consumer, access_token)
        every = {**arguments, **parameters}
        arguments["oauth_signature"] = self._sign(consumer, method, url, every, access_token)
        return arguments

    def _sign(
        self,
        consumer: dict[str, Any],
        method: str,
        url: str,
        parameters: Mapping[str, Any],
        token: dict[str, Any] | None = None,
    ) -> str:
        secrets = [str(consumer["secret"]), str(token["secret"]) if token else ""]
        if self._is_1_0a():
            # RFC 5849 section 3.4.2; services of the first version take them as they are.
            secrets = [_quote(secret) for secret in secrets]
        base = signature_base(method, url, parameters)
        digest = hmac.digest("&".join(secrets).encode(), base.encode(), hashlib.sha1)
        return base64.b64encode(digest).decode()

    def _is_1_0a(self) -> bool:
        return getattr(self, "_OAUTH_VERSION", "1.0a") == "1.0a"

    def _absolute(self, uri: str) -> str:
        return urllib.parse.urljoin(cast(RequestHandler, self).request.full_url(), uri)


def signature_base(method: str, url: str, parameters: Mapping[str, Any]) -> str:
    """What is signed: method, address, and all parameters with the address' own (RFC 5849 section 3.4.1)."""
    parts = urllib.parse.urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.netloc.lower()
    host = host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ":"))
    pairs = [(_quote(name), _quote(value)) for name, value in parameters.items()]
    own = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(_quote(name), _quote(value)) for name, value in own]
    joined = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    return "&".join([method.upper(), _quote(f"{scheme}://{host}{parts.path or '/'}"), _quote(joined)])


def _quote(value: Any) -> str:
    """Percent-encoding with exactly the unreserved characters left (RFC 5849 section 3.6)."""
    return urllib.parse.quote(value if isinstance(value, bytes) else str(value), safe="~")


def _protocol_arguments(consumer: dict[str, Any], token: dict[str, Any] | None = None) -> dict[str, Any]:
    arguments = {"oauth_consumer_key": consumer["key"]}
    if token:
        arguments["oauth_token"] = token["key"]
    return arguments | {
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(clock.wall())),
        "oauth_nonce": uuid.uuid4().hex,
        "oauth_version": "1.0",
    }


def _read_token(response: HTTPResponse) -> dict[str, Any]:
    told = dict(urllib.parse.parse_qsl(response.body.decode("utf-8", "replace"), keep_blank_values=True))
    missing = [name for name in ("oauth_token", "oauth_token_secret") if name not in told]
    if missing:
        raise AuthError(f"the service's answer lacks {' and '.join(missing)}; it has {sorted(told)[:10]}")
    token: dict[str, Any] = {"key": told.pop("oauth_token"), "secret": told.pop("oauth_token_secret")}
    return token | {name: value for name, value in told.items() if name not in token}


def _read_cookie(cookie: str) -> tuple[bytes, bytes]:
    try:
        key, secret = (base64.b64decode(part, validate=True) for part in cookie.split("|"))
        key.decode(), secret.decode()
    except (binascii.Error, ValueError):
        raise AuthError(f"cookie {_COOKIE} is not two Base64 values with | between") from None
    return key, secret
