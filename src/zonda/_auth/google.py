"""Login with Google, as Tornado has it."""

import urllib.parse
from typing import Any, ClassVar, cast

from zonda.escape import json_decode
from zonda.web import RequestHandler

from .oauth2 import OAuth2Mixin


class GoogleOAuth2Mixin(OAuth2Mixin):
    """Login with Google by OAuth 2.0.

    The application's setting `google_oauth` holds `key` (client ID) and `secret` (client secret) from
    Google's console.  `OpenIDConnectMixin` with Google as its issuer proves more of what comes back.
    Source: Tornado documentation, `tornado.auth`.
    """

    _OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
    _OAUTH_ACCESS_TOKEN_URL = "https://www.googleapis.com/oauth2/v4/token"
    _OAUTH_USERINFO_URL = "https://www.googleapis.com/oauth2/v1/userinfo"
    _OAUTH_NO_CALLBACKS = False
    _OAUTH_SETTINGS_KEY: ClassVar[str] = "google_oauth"

    def get_google_oauth_settings(self) -> dict[str, str]:
        """`key` and `secret`; to be overridden for an application with more than one pair."""
        return cast("dict[str, str]", cast(RequestHandler, self).settings[self._OAUTH_SETTINGS_KEY])

    async def get_authenticated_user(
        self, redirect_uri: str, code: str, client_id: str | None = None, client_secret: str | None = None
    ) -> dict[str, Any]:
        """Exchanges the code for tokens: `access_token`, `expires_in`, `id_token` and what else Google tells.

        The user is then asked for by `oauth2_request(self._OAUTH_USERINFO_URL, access_token=...)`.
        `redirect_uri` is the one that the login was begun with.
        """
        if client_id is None or client_secret is None:
            settings = self.get_google_oauth_settings()
            client_id = settings["key"] if client_id is None else client_id
            client_secret = settings["secret"] if client_secret is None else client_secret
        form = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
            "grant_type": "authorization_code",
        }
        response = await self.get_auth_http_client().fetch(
            self._OAUTH_ACCESS_TOKEN_URL,
            method="POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urllib.parse.urlencode(form),
        )
        return cast("dict[str, Any]", json_decode(response.body))
