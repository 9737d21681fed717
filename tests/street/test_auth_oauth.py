"""What the suite of Tornado does not ask of its logins: exact signatures, cookies, answers, errors."""

import asyncio
import io
import json
import re
import uuid
from typing import Any

import pytest

from tests.serving import serving
from zonda._auth import oauth1
from zonda._auth.oauth1 import signature_base
from zonda._core.base import clock
from zonda.auth import AuthError, FacebookGraphMixin, OAuth2Mixin, OAuthMixin, OpenIdMixin, TwitterMixin
from zonda.httpclient import HTTPRequest, HTTPResponse
from zonda.web import Application, RequestHandler

# ---- signatures


def test_base_string_of_rfc_5849() -> None:
    """The example of section 3.4.1.1: parameters of the query, of the form, and of the protocol."""
    parameters = {
        "a3": "2 q",
        "c2": "",
        "oauth_consumer_key": "9djdj82h48djs9d2",
        "oauth_token": "kkk9d7dh3k39sjv7",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131201",
        "oauth_nonce": "7d8f3e4a",
    }
    url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    assert signature_base("post", url, parameters) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540"
        "%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method"
        "%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://Ex.com:443/a", "https%3A%2F%2Fex.com%2Fa"),
        ("https://ex.com:80/a", "https%3A%2F%2Fex.com%3A80%2Fa"),
        ("http://ex.com", "http%3A%2F%2Fex.com%2F"),
        ("HTTP://ex.com/A%20b", "http%3A%2F%2Fex.com%2FA%2520b"),
    ],
)
def test_address_that_is_signed(url: str, address: str) -> None:
    assert signature_base("GET", url, {}) == f"GET&{address}&"


class Signer(OAuthMixin):
    def _oauth_consumer_token(self) -> dict[str, Any]:
        return {"key": "ck&", "secret": "cs&="}


# What Tornado 6.6.1 answers for the same.
@pytest.mark.parametrize(
    ("version", "parameters", "signature"),
    [
        ("1.0", {}, "Td0tPBA7Q/1PZnz+RvlD6PAInv8="),
        ("1.0", {"b": "x y", "a": "ü", "c": 5, "d~": "~*'()"}, "F1BBrsAb+w9m7vIXUQT6/wnPAGo="),
        ("1.0a", {}, "uIMBtWzlifIP6gD1QPJJf6YtPUQ="),
        ("1.0a", {"b": "x y", "a": "ü", "c": 5, "d~": "~*'()"}, "6bZhW9AJE2MKM66s9mdOHDQy4gk="),
    ],
)
def test_signature(
    monkeypatch: pytest.MonkeyPatch, version: str, parameters: dict[str, Any], signature: str
) -> None:
    monkeypatch.setattr(clock, "wall", lambda: 1700000000.5)
    monkeypatch.setattr(oauth1.uuid, "uuid4", lambda: uuid.UUID(int=7))
    signer = Signer()
    signer._OAUTH_VERSION = version
    token = {"key": "k&", "secret": "s/&"}
    signed = signer._oauth_request_parameters("https://Ex.com/a%20b", token, parameters, "post")
    assert signed == {
        "oauth_consumer_key": "ck&",
        "oauth_token": "k&",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1700000000",
        "oauth_nonce": "00000000000000000000000000000007",
        "oauth_version": "1.0",
        "oauth_signature": signature,
    }


def test_nonces_differ() -> None:
    signer, token = Signer(), {"key": "k", "secret": "s"}
    nonces = {signer._oauth_request_parameters("https://ex.com/", token)["oauth_nonce"] for _ in range(5)}
    assert len(nonces) == 5


# ---- logins, with a service that says what the test wants


class Service:
    """A client that fetches nothing: it answers with the given bodies, and keeps what was asked."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def fetch(self, url: str, **more: Any) -> HTTPResponse:
        self.asked.append((url, more))
        return HTTPResponse(HTTPRequest(url), 200, buffer=io.BytesIO(self.bodies.pop(0)))


class ServedHandler(RequestHandler):
    def initialize(self, service: Service) -> None:
        self.service = service

    def get_auth_http_client(self) -> Any:
        return self.service

    def answer(self, user: Any) -> None:
        self.finish(json.dumps(user))


class TwitterHandler(ServedHandler, TwitterMixin):
    async def get(self) -> None:
        try:
            if self.get_argument("oauth_token", None):
                self.answer(await self.get_authenticated_user())
            else:
                await self.authorize_redirect(self.get_argument("callback", None))
        except AuthError as error:
            self.answer(f"AuthError: {error}")


class OpenIdHandler(ServedHandler, OpenIdMixin):
    _OPENID_ENDPOINT = "https://id.example/"

    async def get(self) -> None:
        self.answer(await self.get_authenticated_user())


class FacebookHandler(ServedHandler, FacebookGraphMixin):
    async def get(self) -> None:
        try:
            self.answer(await self.get_authenticated_user("http://me/", "id", "secret", "code", {"x": 1}))
        except AuthError as error:
            self.answer(f"AuthError: {error}")


def ask(
    handler: type[ServedHandler], service: Service, target: str = "/", cookie: str = ""
) -> tuple[str, Any]:
    """Head and body (JSON, if it is) of the answer."""

    async def main() -> bytes:
        application = Application(
            [("/", handler, {"service": service})],
            twitter_consumer_key="tk",
            twitter_consumer_secret="ts",
        )
        async with serving(application) as exchange:
            return await exchange(f"GET {target} HTTP/1.1\r\nHost: me\r\nCookie: {cookie}\r\n\r\n".encode())

    head, _, body = asyncio.run(main()).decode().partition("\r\n\r\n")
    return head, json.loads(body) if body[:1] in ('"', "{") else body


def test_the_request_token_is_kept_from_scripts_and_other_sites() -> None:
    head, _ = ask(TwitterHandler, Service(b"oauth_token=zxcv&oauth_token_secret=1234"))
    (cookie,) = re.findall("Set-Cookie: (.*)", head)
    assert cookie.startswith('_oauth_request_token="enhjdg==|MTIzNA=="')
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_out_of_band() -> None:
    service = Service(b"oauth_token=zx%2Bcv&oauth_token_secret=1234")
    head, body = ask(TwitterHandler, service, "/?callback=oob")
    assert head.startswith("HTTP/1.1 200 ")
    assert body == "https://api.twitter.com/oauth/authorize?oauth_token=zx%2Bcv"
    assert "oauth_callback=oob&" in service.asked[0][0]


COOKIE = "_oauth_request_token="


@pytest.mark.parametrize(
    ("cookie", "said"),
    [
        ("", "Missing OAuth request token cookie"),
        (COOKIE + "b3RoZXI=|MTIzNA==", "does not match cookie"),
        (COOKIE + "garbage", "not two Base64 values"),
        (COOKIE + "%%|%%", "not two Base64 values"),
        (COOKIE + "enhjdg==|MTIzNA==|MTIz", "not two Base64 values"),
        (COOKIE + "enhjdg==|/w==", "not two Base64 values"),
    ],
)
def test_the_answer_to_a_login_that_was_not_begun_here(cookie: str, said: str) -> None:
    service = Service()
    _, body = ask(TwitterHandler, service, "/?oauth_token=zxcv", cookie)
    assert body.startswith("AuthError: ") and said in body
    assert "zxcv" not in body and "1234" not in body
    assert service.asked == []


@pytest.mark.parametrize("answer", [b"", b"oauth_token=x", b"\xff\xfe", b"<html>"])
def test_a_service_without_a_token(answer: bytes) -> None:
    _, body = ask(TwitterHandler, Service(answer))
    assert "lacks" in body and "oauth_token_secret" in body
    _, body = ask(TwitterHandler, Service(answer), "/?oauth_token=zxcv", COOKIE + "enhjdg==|MTIzNA==")
    assert "lacks" in body


def test_a_service_cannot_replace_key_and_secret() -> None:
    token = b"key=a&secret=b&oauth_token=k&oauth_token_secret=s&screen_name=foo"
    service = Service(token, b'{"screen_name": "foo"}')
    _, user = ask(TwitterHandler, service, "/?oauth_token=zxcv", COOKIE + "enhjdg==|MTIzNA==")
    assert user["access_token"] == {"key": "k", "secret": "s", "screen_name": "foo"}


def test_a_service_that_takes_no_callback() -> None:
    class NoCallback(Signer):
        _OAUTH_NO_CALLBACKS = True

    with pytest.raises(Exception, match="NoCallback: this service takes no oauth_callback"):
        asyncio.run(NoCallback().authorize_redirect("http://me/"))


def test_what_a_subclass_has_to_define_is_named() -> None:
    class Bare(OAuthMixin):
        pass

    with pytest.raises(NotImplementedError, match="Bare does not define _oauth_consumer_token"):
        Bare()._oauth_consumer_token()
    with pytest.raises(NotImplementedError, match="Bare does not define _oauth_get_user_future"):
        asyncio.run(Bare()._oauth_get_user_future({}))


def openid(*pairs: str) -> str:
    start = "openid.mode=id_res&openid.ns.ax=http://openid.net/srv/ax/1.0"
    email = "openid.ax.type.e=http://axschema.org/contact/email&openid.ax.value.e=a@b"
    return "/?" + "&".join([start, email, *pairs])


@pytest.mark.filterwarnings("ignore:OpenIdMixin:DeprecationWarning")
@pytest.mark.parametrize(
    ("signed", "user"),
    [
        (None, {"name": "a", "email": "a@b"}),
        ("mode,ns.ax,ax.type.e,ax.value.e", {"name": "a", "email": "a@b"}),
        ("mode,ns.ax,ax.type.e", {}),
        ("mode,ns.ax,ax.value.e", {}),
        ("", {}),
    ],
)
def test_attributes_that_the_service_has_not_signed_are_not_its_word(signed: str | None, user: Any) -> None:
    pairs = [] if signed is None else [f"openid.signed={signed}"]
    service = Service(b"ns:x\nis_valid:true\n")
    assert ask(OpenIdHandler, service, openid(*pairs))[1] == user
    ((url, more),) = service.asked
    assert (url, more["method"]) == ("https://id.example/", "POST")
    assert more["body"].startswith("openid.mode=check_authentication&")


def test_openid_says_that_it_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="OpenIDConnectMixin"), pytest.raises(AttributeError):
        OpenIdMixin().authenticate_redirect("http://me/")


@pytest.mark.parametrize("answer", [b'{"error": {}}', b"[]", b"null", b'{"access_token": 5}'])
def test_facebook_without_a_token(answer: bytes) -> None:
    assert (
        ask(FacebookHandler, Service(answer))[1]
        == "AuthError: Facebook's answer to the code has no access_token"
    )


def test_facebook_is_asked_for_fields_with_a_proof() -> None:
    service = Service(b'{"access_token": "t", "expires_in": 60}', b'{"id": "1", "x": 2, "y": 3}')
    _, user = ask(FacebookHandler, service)
    assert (user["id"], user["x"], user["link"], user["session_expires"]) == ("1", 2, None, "60")
    assert "y" not in user
    url = service.asked[1][0]
    assert "fields=id%2Cname%2Cfirst_name%2Clast_name%2Clocale%2Cpicture%2Clink%2Cx" in url
    # echo -n t | openssl dgst -sha256 -hmac secret
    assert "appsecret_proof=55a1708ccb9b43137fd11076cc94c5d2a937767f407eb3d05f7a6135a31f1a15&" in url


def test_arguments_go_behind_those_that_an_address_has() -> None:
    service = Service(b"[1]")

    class Asking(OAuth2Mixin):
        def get_auth_http_client(self) -> Any:
            return service

    answer = asyncio.run(Asking().oauth2_request("https://ex.com/a?b=1", access_token="t", c="d e"))
    assert answer == [1]
    assert service.asked == [("https://ex.com/a?b=1&access_token=t&c=d+e", {})]
