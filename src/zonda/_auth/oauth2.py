"""OAuth 2.0 as Tornado has it: the redirect, and requests with an access token (RFC 6749)."""

import urllib.parse
from typing import Any, cast

from zonda.escape import json_decode
from zonda.httpclient import AsyncHTTPClient
from zonda.httputil import url_concat
from zonda.web import RequestHandler


class OAuth2Mixin:
    """The base of logins with OAuth 2.0; see `GoogleOAuth2Mixin` and `FacebookGraphMixin`.

    A subclass sets `_OAUTH_AUTHORIZE_URL` and `_OAUTH_ACCESS_TOKEN_URL`.
    Source: RFC 6749; Tornado documentation, `tornado.auth`.
    """

    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str

    def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: dict[str, Any] | None = None,
        scope: list[str] | None = None,
        response_type: str = "code",
    ) -> None:
        """Sends the browser to the service; it comes back to `redirect_uri` with `code`.

        `client_secret` is for Tornado's callers: a secret has no place in an address of the browser's.
        """
        handler = cast(RequestHandler, self)
        arguments: dict[str, Any] = {"response_type": response_type}
        if redirect_uri is not None:
            arguments["redirect_uri"] = redirect_uri
        if client_id is not None:
            arguments["client_id"] = client_id
        arguments |= extra_params or {}
        if scope:
            arguments["scope"] = " ".join(scope)
        handler.redirect(url_concat(self._OAUTH_AUTHORIZE_URL, arguments))

    def _oauth_request_token_url(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        extra_params: dict[str, Any] | None = None,
    ) -> str:
        arguments = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
            **(extra_params or {}),
        }
        given = {name: value for name, value in arguments.items() if value is not None}
        return url_concat(self._OAUTH_ACCESS_TOKEN_URL, given)

    async def oauth2_request(
        self,
        url: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Fetches a URL with the access token, and gives the JSON of the answer as Python's values.

        `args` are arguments of the query.  With `post_args`, a POST of that form.
        Raises `HTTPClientError` as the client does, `ValueError` if the answer is no JSON.
        """
        arguments = args if access_token is None else {"access_token": access_token, **args}
        url = url_concat(url, arguments)
        client = self.get_auth_http_client()
        if post_args is None:
            response = await client.fetch(url)
        else:
            response = await client.fetch(url, method="POST", body=urllib.parse.urlencode(post_args))
        return json_decode(response.body)

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client that asks the service; to be overridden for another than the loop's."""
        return AsyncHTTPClient()
