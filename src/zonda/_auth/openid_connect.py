"""Login with OpenID Connect: the authorization code flow with PKCE, state and nonce.

Source: OpenID Connect Core 1.0 section 3.1; RFC 7636 (PKCE), RFC 9207 (issuer in the answer), RFC 9700 (what
a client of OAuth 2.0 has to guard against); OpenID Connect RP-Initiated Logout 1.0.
"""

import base64
import hashlib
import hmac
import json
import secrets
import urllib.parse
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from zonda._core.base import clock
from zonda.httpclient import AsyncHTTPClient
from zonda.httputil import url_concat
from zonda.web import RequestHandler

from .errors import AuthError
from .fetched_json import basic, fetch_json
from .id_token import Expected
from .provider import Provider, providers_of

_COOKIE = "_openid_connect_login"
_DAY = 86400.0


class OpenIDConnectMixin:
    """Login with any OpenID Connect provider: Google, Microsoft, Keycloak and many others.

    The application's setting `openid_connect` holds `issuer` (such as `https://accounts.google.com`),
    `client_id` and, unless the provider does without, `client_secret`; `cookie_secret` has to be set too.
    Needs `joserfc` (`pip install 'zonda[auth]'`).  One handler is the whole login::

        class LoginHandler(zonda.web.RequestHandler, zonda.auth.OpenIDConnectMixin):
            async def get(self):
                if not self.is_answer():
                    await self.authorize_redirect("https://example.com/login")
                    return
                try:
                    user = await self.get_authenticated_user()
                except zonda.auth.AuthError as error:
                    raise zonda.web.HTTPError(403, str(error)) from error
                self.set_signed_cookie("user", user["sub"], httponly=True, samesite="Lax")
                self.redirect("/")

    What the browser brings back is taken only if this browser began the login, within `_LOGIN_SECONDS`; the
    ID token only if the provider's key signed it, for this client and this login, and it has not expired.
    Every fetch is bounded in time (10 s) and size; metadata and keys are kept for an hour.
    A browser has one login under way: a second window that begins one ends the first.
    """

    _OPENID_CONNECT_SETTINGS_KEY: ClassVar[str] = "openid_connect"
    #: Seconds from the redirect to the browser's return.
    _LOGIN_SECONDS: ClassVar[float] = 600.0

    def get_openid_connect_settings(self) -> dict[str, str]:
        """`issuer`, `client_id`, `client_secret`; to be overridden where there is more than one provider."""
        handler = cast(RequestHandler, self)
        handler.require_setting(self._OPENID_CONNECT_SETTINGS_KEY, "OpenID Connect")
        return cast("dict[str, str]", handler.settings[self._OPENID_CONNECT_SETTINGS_KEY])

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client that asks the provider; to be overridden for another than the loop's."""
        return AsyncHTTPClient()

    def is_answer(self) -> bool:
        """True if the provider sent the browser here, with a code or an error."""
        arguments = cast(RequestHandler, self).request.query_arguments
        return "code" in arguments or "error" in arguments

    async def authorize_redirect(
        self,
        redirect_uri: str,
        scope: Sequence[str] = ("openid", "profile", "email"),
        extra_params: dict[str, str] | None = None,
    ) -> None:
        """Begins a login: sends the browser to the provider, which sends it back to `redirect_uri`.

        `redirect_uri` is absolute and known to the provider.  `extra_params` (such as `prompt`) cannot
        replace what the protocol needs.  Raises `AuthError` if the provider cannot be asked.
        """
        handler = cast(RequestHandler, self)
        settings = self.get_openid_connect_settings()
        provider = await self._provider()
        login = {
            "issuer": provider.issuer,
            "redirect_uri": redirect_uri,
            **{name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")},
        }
        handler.set_signed_cookie(
            _COOKIE, json.dumps(login), expires_days=self._LOGIN_SECONDS / _DAY, **self._cookie_flags()
        )
        challenge = hashlib.sha256(login["verifier"].encode()).digest()
        arguments = {
            **(extra_params or {}),
            "response_type": "code",
            "client_id": settings["client_id"],
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(["openid", *scope])),
            "state": login["state"],
            "nonce": login["nonce"],
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        # The address and its cookie are for this one browser.
        handler.set_header("Cache-Control", "no-store")
        handler.redirect(url_concat(provider.endpoint("authorization_endpoint"), arguments))

    async def get_authenticated_user(self) -> dict[str, Any]:
        """Ends a login: proves what the browser brought back, and gives the claims of the ID token.

        `iss` and `sub` together name the user; with them come what the provider tells by its scopes, and
        `id_token`, `access_token`, `token_type` and, if given, `refresh_token`, `expires_in`, `scope`.
        Raises `AuthError` if the login was refused, was not begun here, or is not right in any other way.
        `request.uri` loses its query, so that no log keeps the code.
        """
        handler = cast(RequestHandler, self)
        handler.request.uri = handler.request.path
        login = self._take_login()
        provider = await self._provider()
        if login["issuer"] != provider.issuer:
            raise AuthError(
                f"the login was begun with {login['issuer']!r}; this handler's is {provider.issuer!r}"
            )
        self._check_issuer(provider)
        if (error := handler.get_query_argument("error", None)) is not None:
            text = handler.get_query_argument("error_description", "")
            raise AuthError(f"the provider refused the login: {error[:100]!a} {text[:200]!a}")
        code = handler.get_query_argument("code", None)
        if not code:
            raise AuthError("the provider's answer has neither a code nor an error")
        tokens = await self._tokens(provider, code, login)
        client_id = self.get_openid_connect_settings()["client_id"]
        expected = Expected(provider.issuer, client_id, login["nonce"], clock.wall())
        client = self.get_auth_http_client()
        claims = await provider.read_id_token(client, tokens["id_token"], expected)
        kept = ("id_token", "access_token", "token_type", "refresh_token", "expires_in", "scope")
        return claims | {name: tokens[name] for name in kept if name in tokens}

    async def get_userinfo(self, user: dict[str, Any]) -> dict[str, Any]:
        """Asks the provider for more claims of a user that `get_authenticated_user` gave.

        Raises `AuthError` if the answer is of another user (section 5.3.2), or there is none.
        """
        provider = await self._provider()
        what = f"userinfo of {provider.issuer!r}"
        answer = await fetch_json(
            self.get_auth_http_client(),
            what,
            provider.endpoint("userinfo_endpoint"),
            headers={"Authorization": f"Bearer {user['access_token']}"},
        )
        if answer.status != 200:
            raise AuthError(f"{what}: status {answer.status}; expected 200")
        if answer.value.get("sub") != user["sub"]:
            raise AuthError(f"{what}: it is of another user than the ID token (sub differs)")
        return answer.value

    async def get_logout_url(
        self, id_token: str | None = None, post_logout_redirect_uri: str | None = None
    ) -> str:
        """Where the browser ends its session with the provider too; clear your own cookies yourself.

        `id_token` says who it is; to `post_logout_redirect_uri`, known to the provider, the browser returns.
        Raises `AuthError` if the provider has no such address.
        """
        provider = await self._provider()
        arguments = {"client_id": self.get_openid_connect_settings()["client_id"]}
        if id_token is not None:
            arguments["id_token_hint"] = id_token
        if post_logout_redirect_uri is not None:
            arguments["post_logout_redirect_uri"] = post_logout_redirect_uri
        return url_concat(provider.endpoint("end_session_endpoint"), arguments)

    async def _provider(self) -> Provider:
        application = cast(RequestHandler, self).application
        issuer = self.get_openid_connect_settings()["issuer"]
        return await providers_of(application).get(self.get_auth_http_client(), issuer)

    def _take_login(self) -> dict[str, str]:
        """The login that this browser began, if the answer is to it.  It can be taken once."""
        handler = cast(RequestHandler, self)
        value = handler.get_signed_cookie(_COOKIE, max_age_days=self._LOGIN_SECONDS / _DAY, min_version=2)
        if value is None:
            raise AuthError(
                f"no login is under way in this browser: cookie {_COOKIE} is missing, not ours, "
                f"or older than {self._LOGIN_SECONDS:.0f} s"
            )
        login = cast("dict[str, str]", json.loads(value))
        state = handler.get_query_argument("state", "")
        if not hmac.compare_digest(state.encode(), login["state"].encode()):
            # The cookie stays: somebody else's link does not end the user's own login.
            raise AuthError("the answer's state is not that of the login that this browser began")
        handler.clear_cookie(_COOKIE, **self._cookie_flags())
        return login

    def _cookie_flags(self) -> dict[str, Any]:
        # Lax: the browser's way back from the provider is a navigation from another site.
        secure = cast(RequestHandler, self).request.protocol == "https"
        return {"httponly": True, "secure": secure, "samesite": "Lax"}

    def _check_issuer(self, provider: Provider) -> None:
        told = cast(RequestHandler, self).get_query_argument("iss", None)
        promised = provider.metadata.get("authorization_response_iss_parameter_supported") is True
        if told != provider.issuer and (promised or told is not None):
            raise AuthError(f"the answer is of issuer {ascii(told)[:200]}; expected {provider.issuer!r}")

    async def _tokens(self, provider: Provider, code: str, login: dict[str, str]) -> dict[str, Any]:
        settings = self.get_openid_connect_settings()
        client_id, client_secret = settings["client_id"], settings.get("client_secret")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": login["redirect_uri"],
            "code_verifier": login["verifier"],
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        methods = provider.listed("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if client_secret and "client_secret_basic" in methods:
            headers["Authorization"] = basic(client_id, client_secret)
        else:
            form["client_id"] = client_id
            if client_secret:
                form["client_secret"] = client_secret
        what = f"tokens of {provider.issuer!r}"
        answer = await fetch_json(
            self.get_auth_http_client(),
            what,
            provider.endpoint("token_endpoint"),
            method="POST",
            headers=headers,
            body=urllib.parse.urlencode(form),
        )
        if answer.status != 200:
            error = ascii(answer.value.get("error"))[:100]
            raise AuthError(f"{what}: status {answer.status} and error {error}; expected 200")
        tokens = answer.value
        for name in ("access_token", "id_token"):
            if not isinstance(tokens.get(name), str):
                raise AuthError(f"{what}: there is no {name}")
        if str(tokens.get("token_type", "")).lower() != "bearer":
            raise AuthError(f"{what}: token_type is {ascii(tokens.get('token_type'))[:100]}; expected Bearer")
        return tokens
