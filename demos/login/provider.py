"""A small OpenID Connect provider: two users, one client, keys made at start, everything in memory.

For the demo and for tests; whoever comes may be whom they like.  It is strict where a client could be
careless: PKCE is demanded, a code is good for one minute and one exchange, and a second exchange ends
its tokens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from zonda.httputil import url_concat
from zonda.web import Application, HTTPError, RequestHandler

CODE_SECONDS = 60
TOKEN_SECONDS = 300
MOST_GRANTS = 1000  # remembered at once; the oldest goes first

USERS = {
    "ada": {"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": True},
    "grace": {"name": "Grace Hopper", "email": "grace@example.com", "email_verified": True},
}


@dataclass
class Grant:
    """What a user allowed: it begins with a code and goes on with an access token."""

    sub: str
    client_id: str
    redirect_uri: str
    nonce: str
    challenge: str
    issued: float = field(default_factory=time.time)
    access_token: str | None = None


@dataclass
class Provider:
    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    #: Where the browser may return to after logging out.
    home: str = ""
    grants: dict[str, Grant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rotate_key()

    def rotate_key(self) -> None:
        """A new key signs from now on, and the old one is no longer shown."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def begin(self, sub: str, asked: dict[str, str]) -> str:
        """The user allows it: the address with a code that the browser goes to."""
        self.check_client(asked)
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            raise HTTPError(400, reason="PKCE with S256 is needed")
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(
            sub, self.client_id, self.redirect_uri, asked.get("nonce", ""), asked["code_challenge"]
        )
        while len(self.grants) > MOST_GRANTS:
            del self.grants[next(iter(self.grants))]
        told = {"code": code, "state": asked.get("state", ""), "iss": self.issuer}
        return url_concat(self.redirect_uri, told)

    def check_client(self, asked: dict[str, str]) -> None:
        if (asked.get("client_id"), asked.get("redirect_uri")) != (self.client_id, self.redirect_uri):
            # Nothing is sent to an address that is not registered.
            raise HTTPError(400, reason="Unknown client or redirect_uri")

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """The tokens for a code, once; raises `KeyError` if it is not good."""
        grant = self.grants[form.get("code", "")]
        if grant.access_token is not None:
            del self.grants[form["code"]]  # tried twice: one of the two is a thief (RFC 6749 section 4.1.2)
            raise KeyError("code")
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            time.time() > grant.issued + CODE_SECONDS
            or form.get("redirect_uri") != grant.redirect_uri
            or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != grant.challenge
        ):
            raise KeyError("code")
        grant.access_token = secrets.token_urlsafe(16)
        return {
            "access_token": grant.access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "id_token": self.sign(self.claims(grant)),
        }

    def claims(self, grant: Grant) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": grant.sub,
            "aud": grant.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "nonce": grant.nonce,
            "name": USERS[grant.sub]["name"],
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def userinfo(self, access_token: str) -> dict[str, Any]:
        """Raises `KeyError` for a token that is not good."""
        for grant in self.grants.values():
            if grant.access_token is not None and hmac.compare_digest(grant.access_token, access_token):
                if time.time() < grant.issued + TOKEN_SECONDS:
                    return {"sub": grant.sub, **USERS[grant.sub]}
        raise KeyError("access_token")


class ProviderHandler(RequestHandler):
    def initialize(self, provider: Provider) -> None:
        self.provider = provider


class MetadataHandler(ProviderHandler):
    def get(self) -> None:
        self.write(self.provider.metadata())


class KeysHandler(ProviderHandler):
    def get(self) -> None:
        self.write(self.provider.keys())


class AuthorizeHandler(ProviderHandler):
    def get(self) -> None:
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        self.provider.check_client(asked)
        self.render("provider.html", users=USERS, asked=asked)

    def post(self) -> None:
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        user = self.get_body_argument("user")
        if user not in USERS:
            self.provider.check_client(asked)
            refusal = {"error": "access_denied", "state": asked.get("state", ""), "iss": self.provider.issuer}
            self.redirect(url_concat(self.provider.redirect_uri, refusal), status=303)
        else:
            self.redirect(self.provider.begin(user, asked), status=303)


class TokenHandler(ProviderHandler):
    def check_xsrf_cookie(self) -> None:
        """The client's server asks here, with its secret; no browser does."""

    def post(self) -> None:
        self.set_header("Cache-Control", "no-store")
        if not self.is_client():
            self.set_status(401)
            self.set_header("WWW-Authenticate", "Basic")
            self.write({"error": "invalid_client"})
            return
        form = {name: self.get_body_argument(name) for name in self.request.body_arguments}
        try:
            self.write(self.provider.exchange(form))
        except KeyError:
            self.set_status(400)
            self.write({"error": "invalid_grant"})

    def is_client(self) -> bool:
        expected = f"{self.provider.client_id}:{self.provider.client_secret}"
        scheme, _, value = self.request.headers.get("Authorization", "").partition(" ")
        try:
            seen = urllib.parse.unquote_plus(base64.b64decode(value, validate=True).decode())
        except ValueError:
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(seen.encode(), expected.encode())


class UserinfoHandler(ProviderHandler):
    def get(self) -> None:
        token = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            self.write(self.provider.userinfo(token))
        except KeyError:
            self.set_header("WWW-Authenticate", 'Bearer error="invalid_token"')
            self.send_error(401)


class LogoutHandler(ProviderHandler):
    """This provider keeps no session of its own: there is only the way back."""

    def get(self) -> None:
        if self.get_query_argument("post_logout_redirect_uri", self.provider.home) != self.provider.home:
            raise HTTPError(400, reason="Unknown post_logout_redirect_uri")
        self.redirect(self.provider.home)


def make_provider_app(provider: Provider, **settings: Any) -> Application:
    given = {"provider": provider}
    return Application(
        [
            (r"/\.well-known/openid-configuration", MetadataHandler, given),
            (r"/keys", KeysHandler, given),
            (r"/authorize", AuthorizeHandler, given),
            (r"/token", TokenHandler, given),
            (r"/userinfo", UserinfoHandler, given),
            (r"/logout", LogoutHandler, given),
        ],
        **settings,
    )
