"""A login with OpenID Connect in one event loop: provider, application and browser, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from demos.login.provider import Provider, ProviderHandler, make_provider_app
from zonda.auth import AuthError, OpenIDConnectMixin
from zonda.httpclient import AsyncHTTPClient, HTTPResponse
from zonda.httpserver import HTTPServer
from zonda.httputil import url_concat
from zonda.netutil import bind_sockets
from zonda.web import Application, RequestHandler

#: It is another one wherever its encoding (RFC 6749 section 2.3.1) is forgotten.
SECRET = "se cr+t%41:"


class LoginHandler(RequestHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        try:
            if not self.is_answer():
                params = {"state": "mine", "prompt": "login"}
                await self.authorize_redirect(self.settings["redirect_uri"], ["email"], params)
                return
            user = await self.get_authenticated_user()
        except AuthError as error:
            self.set_status(403)
            self.finish(str(error))
            return
        self.write(user)


class ShortLoginHandler(LoginHandler):
    _LOGIN_SECONDS = -1.0


class UserinfoHandler(RequestHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        user = {"sub": self.get_argument("sub"), "access_token": self.get_argument("access_token")}
        try:
            self.write(await self.get_userinfo(user))
        except AuthError as error:
            self.set_status(403)
            self.finish(str(error))


class LogoutHandler(RequestHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        try:
            self.write(await self.get_logout_url("an-id-token", "http://127.0.0.1/bye"))
        except AuthError as error:
            self.set_status(403)
            self.finish(str(error))


class CountedProvider(Provider):
    """The demo's provider, which counts what it is asked and can be made to do wrong."""

    def __init__(self, redirect_uri: str, **wrong: Any) -> None:
        self.asked = {"metadata": 0, "keys": 0}
        #: Replaces what `claims`, `sign`, `metadata`, `exchange` and `userinfo` give.
        self.wrong: dict[str, Callable[[Any], Any]] = wrong
        super().__init__("", "client:1", SECRET, redirect_uri)

    def _spoiled(self, name: str, value: Any) -> Any:
        return self.wrong[name](value) if name in self.wrong else value

    def metadata(self) -> dict[str, Any]:
        self.asked["metadata"] += 1
        return self._spoiled("metadata", super().metadata())

    def keys(self) -> dict[str, Any]:
        self.asked["keys"] += 1
        return self._spoiled("keys", super().keys())

    def claims(self, grant: Any) -> dict[str, Any]:
        return self._spoiled("claims", super().claims(grant))

    def sign(self, claims: dict[str, Any]) -> str:
        return self.wrong["sign"](claims) if "sign" in self.wrong else super().sign(claims)

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        return self._spoiled("exchange", super().exchange(form))

    def userinfo(self, access_token: str) -> dict[str, Any]:
        return self._spoiled("userinfo", super().userinfo(access_token))


@dataclass
class Browser:
    base: str
    client: AsyncHTTPClient
    provider: CountedProvider
    application: Application
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> HTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        url = path if path.startswith("http") else self.base + path
        response = await self.client.fetch(url, headers=headers, follow_redirects=False, raise_error=False)
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return response

    async def begin(self, path: str = "/login") -> dict[str, str]:
        """Begins a login; the arguments with which the browser is sent to the provider."""
        response = await self.get(path)
        assert response.code == 302, response.body
        return dict(parse_qsl(urlsplit(response.headers["Location"]).query))

    async def finish(self, asked: dict[str, str], **changed: str | None) -> HTTPResponse:
        """The user allows it, and the browser brings the answer back, changed on the way."""
        told = dict(parse_qsl(urlsplit(self.provider.begin("ada", asked)).query)) | changed
        return await self.get(url_concat("/login", {k: v for k, v in told.items() if v is not None}))

    async def login(self, **changed: str | None) -> HTTPResponse:
        return await self.finish(await self.begin(), **changed)


@asynccontextmanager
async def login_setup(**wrong: Any) -> AsyncIterator[Browser]:
    """A browser at an application with its provider; `wrong` is what the provider does wrong.

    `handlers` in it are handlers of the provider's that go before its own, `client_secret` the application's.
    """
    sockets = [bind_sockets(0, "127.0.0.1")[0] for _ in range(2)]
    base, issuer = (f"http://127.0.0.1:{sock.getsockname()[1]}" for sock in sockets)
    handlers = wrong.pop("handlers", [])
    client_settings = {"client_secret": wrong.pop("client_secret", SECRET)}
    provider = CountedProvider(f"{base}/login", **wrong)
    provider.issuer = issuer
    application = Application(
        [(r"/login", LoginHandler), (r"/short", ShortLoginHandler),
         (r"/userinfo", UserinfoHandler), (r"/logout", LogoutHandler)],
        cookie_secret="a secret of the test",
        redirect_uri=provider.redirect_uri,
        openid_connect={"issuer": issuer, "client_id": "client:1", **client_settings},
    )  # fmt: skip
    at_provider = make_provider_app(provider)
    at_provider.add_handlers(".*", [(path, kind, {"provider": provider}) for path, kind in handlers])
    servers = [HTTPServer(application, xheaders=True), HTTPServer(at_provider)]
    for server, sock in zip(servers, sockets, strict=True):
        server.add_socket(sock)
    client = AsyncHTTPClient(force_instance=True)
    try:
        yield Browser(base, client, provider, application)
    finally:
        client.close()
        AsyncHTTPClient().close()  # the mixin's
        for server in servers:
            server.stop()
            await server.close_all_connections()


def run(test: Callable[[Browser], Awaitable[None]], **wrong: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), login_setup(**wrong) as browser:
            await test(browser)

    asyncio.run(main())


__all__ = ["Browser", "ProviderHandler", "login_setup", "run"]
