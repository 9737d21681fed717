"""A stand-in for Facebook: the three addresses of a login, one user, and no question asked."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from zonda.httputil import url_concat
from zonda.web import Application, HTTPError, RequestHandler

USER = {
    "id": "1815",
    "name": "Ada Lovelace",
    "first_name": "Ada",
    "email": "ada@example.com",
    "shoe_size": 37,
}


class StandInHandler(RequestHandler):
    def initialize(self, codes: set[str], tokens: set[str], key: str, secret: str, redirect_uri: str) -> None:
        self.codes, self.tokens = codes, tokens
        self.key, self.secret, self.redirect_uri = key, secret, redirect_uri

    def must_be(self, name: str, expected: str) -> None:
        if not hmac.compare_digest(self.get_query_argument(name).encode(), expected.encode()):
            raise HTTPError(400, reason=f"Wrong {name}")


class DialogHandler(StandInHandler):
    def get(self) -> None:
        self.must_be("client_id", self.key)
        self.must_be("redirect_uri", self.redirect_uri)
        code = secrets.token_urlsafe(16)
        self.codes.add(code)
        told = {"code": code, "state": self.get_query_argument("state", "")}
        self.redirect(url_concat(self.redirect_uri, told))


class AccessTokenHandler(StandInHandler):
    def get(self) -> None:
        self.must_be("client_id", self.key)
        self.must_be("client_secret", self.secret)
        self.must_be("redirect_uri", self.redirect_uri)
        code = self.get_query_argument("code")
        if code not in self.codes:
            self.set_status(400)
            self.write({"error": {"message": "This authorization code has been used.", "code": 100}})
            return
        self.codes.remove(code)
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        self.write({"access_token": token, "token_type": "bearer", "expires_in": 5183944})


class MeHandler(StandInHandler):
    def get(self) -> None:
        token = self.get_query_argument("access_token")
        if token not in self.tokens:
            raise HTTPError(400, reason="Unknown token")
        proof = hmac.digest(self.secret.encode(), token.encode(), hashlib.sha256).hex()
        self.must_be("appsecret_proof", proof)
        fields = self.get_query_argument("fields").split(",")
        self.write({name: USER[name] for name in fields if name in USER})


def make_stand_in(key: str, secret: str, redirect_uri: str) -> Application:
    given = {"codes": set(), "tokens": set(), "key": key, "secret": secret, "redirect_uri": redirect_uri}
    return Application(
        [
            (r"/dialog/oauth", DialogHandler, given),
            (r"/oauth/access_token", AccessTokenHandler, given),
            (r"/me", MeHandler, given),
        ]
    )
