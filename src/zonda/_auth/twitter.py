"""Login with Twitter, and its REST API of version 1.1."""

import urllib.parse
from typing import Any, cast

from zonda.escape import json_decode
from zonda.httputil import url_concat
from zonda.web import RequestHandler

from .oauth1 import OAuthMixin


class TwitterMixin(OAuthMixin):
    """Login with Twitter by OAuth 1.0a, and requests to its API.

    The application's settings `twitter_consumer_key` and `twitter_consumer_secret` come from Twitter.
    `_TWITTER_BASE_URL` is what paths of `twitter_request` are relative to.
    Source: Tornado documentation, `tornado.auth`.
    """

    _OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token"
    _OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token"
    _OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize"
    _OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate"
    _OAUTH_NO_CALLBACKS = False
    _TWITTER_BASE_URL = "https://api.twitter.com/1.1"

    async def authenticate_redirect(self, callback_uri: str | None = None) -> None:
        """Like `authorize_redirect`, but a user who has agreed before is not asked again."""
        response = await self.get_auth_http_client().fetch(
            self._oauth_request_token_url(callback_uri=callback_uri)
        )
        # This address of Twitter's knows the callback from the request for the token.
        self._on_request_token(self._OAUTH_AUTHENTICATE_URL, None, response)

    async def twitter_request(
        self,
        path: str,
        access_token: dict[str, Any],
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Asks the API for `path`, such as `/statuses/update` (without `.json`), or for a whole URL.

        `access_token` is what `get_authenticated_user` gave under that name; `args` are arguments of the
        query.  With `post_args`, a POST of that form.  Raises `HTTPClientError` as the client does.
        """
        url = path if path.startswith(("http:", "https:")) else f"{self._TWITTER_BASE_URL}{path}.json"
        if access_token:
            method = "GET" if post_args is None else "POST"
            signed = {**args, **(post_args or {})}
            args = args | self._oauth_request_parameters(url, access_token, signed, method=method)
        url = url_concat(url, args)
        client = self.get_auth_http_client()
        if post_args is None:
            response = await client.fetch(url)
        else:
            response = await client.fetch(url, method="POST", body=urllib.parse.urlencode(post_args))
        return json_decode(response.body)

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = cast(RequestHandler, self)
        for name in ("twitter_consumer_key", "twitter_consumer_secret"):
            handler.require_setting(name, "Twitter OAuth")
        settings = handler.settings
        return {"key": settings["twitter_consumer_key"], "secret": settings["twitter_consumer_secret"]}

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any]:
        user = await self.twitter_request("/account/verify_credentials", access_token=access_token)
        if user:
            user["username"] = user["screen_name"]
        return cast("dict[str, Any]", user)
