"""Login with Facebook, and its Graph API."""

import hashlib
import hmac
from typing import Any

from zonda.escape import json_decode

from .errors import AuthError
from .oauth2 import OAuth2Mixin

_FIELDS = ("id", "name", "first_name", "last_name", "locale", "picture", "link")


class FacebookGraphMixin(OAuth2Mixin):
    """Login with Facebook by OAuth 2.0, and requests to its Graph API.

    Source: Tornado documentation, `tornado.auth`.
    """

    _OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token?"
    _OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth?"
    _OAUTH_NO_CALLBACKS = False
    _FACEBOOK_BASE_URL = "https://graph.facebook.com"

    async def get_authenticated_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str,
        extra_fields: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Exchanges the code for an access token, and gives the user, or None if Facebook tells of none.

        The fields `id`, `name`, `first_name`, `last_name`, `locale`, `picture` and `link`, and the names in
        `extra_fields`, each None where Facebook is silent; with them `access_token` and `session_expires`
        (text: seconds).  Raises `AuthError` if Facebook gives no access token.
        """
        url = self._oauth_request_token_url(redirect_uri, client_id, client_secret, code)
        response = await self.get_auth_http_client().fetch(url)
        session = json_decode(response.body)
        access_token = session.get("access_token") if isinstance(session, dict) else None
        if not isinstance(access_token, str):
            raise AuthError("Facebook's answer to the code has no access_token")
        fields = list(dict.fromkeys([*_FIELDS, *(extra_fields or ())]))
        user = await self.facebook_request(
            path="/me",
            access_token=access_token,
            # It proves that the caller holds the secret too: a token that was stolen is no use alone.
            appsecret_proof=hmac.digest(client_secret.encode(), access_token.encode(), hashlib.sha256).hex(),
            fields=",".join(fields),
        )
        if user is None:
            return None
        told = {field: user.get(field) for field in fields}
        return told | {"access_token": access_token, "session_expires": str(session.get("expires_in"))}

    async def facebook_request(
        self,
        path: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Asks the Graph API for `path`, such as `/me/photos`; see `oauth2_request`."""
        return await self.oauth2_request(
            self._FACEBOOK_BASE_URL + path, access_token=access_token, post_args=post_args, **args
        )
