"""Login with OpenID Connect: at Google, or any other provider, or the demo's own, which needs no network.

GET  /         who you are
GET  /login    begins a login, and ends it when the provider sends the browser back
POST /logout   forgets you here, and goes on to the provider's own way out
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import Any

from provider import Provider, make_provider_app

from zonda.auth import AuthError, OpenIDConnectMixin
from zonda.escape import json_decode, json_encode
from zonda.httpserver import HTTPServer
from zonda.ioloop import IOLoop
from zonda.log import app_log
from zonda.netutil import bind_sockets
from zonda.options import define, options, parse_command_line
from zonda.web import Application, RequestHandler

HERE = Path(__file__).parent
GOOGLE = "https://accounts.google.com"


class LoginDemoHandler(RequestHandler):
    def initialize(self, home: str) -> None:
        self.home = home

    def set_default_headers(self) -> None:
        self.set_header(
            "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
        )
        self.set_header("Cache-Control", "no-store")

    def get_current_user(self) -> dict[str, Any] | None:
        known = self.get_signed_cookie("user", max_age_days=1)
        return None if known is None else json_decode(known)


class HomeHandler(LoginDemoHandler):
    def get(self) -> None:
        self.render("home.html", user=self.current_user, issuer=self.settings["openid_connect"]["issuer"])


class LoginHandler(LoginDemoHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        try:
            if not self.is_answer():
                await self.authorize_redirect(f"{self.home}/login")
                return
            user = await self.get_authenticated_user()
            more = await self.get_userinfo(user)
        except AuthError as error:
            app_log.warning("login failed: %s", error)
            self.set_status(403)
            self.render("failed.html", reason=str(error))
            return
        # A new cookie at every login: whatever was there before it is no longer anybody.
        kept = {"sub": user["sub"], "name": more.get("name", user["sub"]), "email": more.get("email", "")}
        self.set_signed_cookie(
            "user",
            json_encode(kept),
            expires_days=1,
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        self.redirect("/")


class LogoutHandler(LoginDemoHandler, OpenIDConnectMixin):
    async def post(self) -> None:
        self.clear_cookie("user")
        try:
            url = await self.get_logout_url(post_logout_redirect_uri=f"{self.home}/")
        except AuthError:
            url = "/"  # this provider (Google is one) has no way out
        self.redirect(url, status=303)


def make_app(home: str, issuer: str, client_id: str, client_secret: str) -> Application:
    given = {"home": home}
    return Application(
        [(r"/", HomeHandler, given), (r"/login", LoginHandler, given), (r"/logout", LogoutHandler, given)],
        template_path=str(HERE / "templates"),
        cookie_secret=secrets.token_hex(32),
        xsrf_cookies=True,
        openid_connect={"issuer": issuer, "client_id": client_id, "client_secret": client_secret},
    )


def start_own_provider(home: str, port: int) -> tuple[str, str, str]:
    """Starts the demo's provider on a port of its own (0: a free one); gives issuer, client ID and secret."""
    # The address is only known when the port is, and the provider when the address is.
    provider = Provider("", "demo", secrets.token_hex(16), f"{home}/login", home=f"{home}/")
    app = make_provider_app(
        provider,
        template_path=str(HERE / "templates"),
        xsrf_cookies=True,
        # Cookies know no ports: without a name of its own this one would replace the demo's.
        xsrf_cookie_name="_xsrf_provider",
    )
    sockets = bind_sockets(port, address="127.0.0.1")
    HTTPServer(app).add_sockets(sockets)
    provider.issuer = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    return provider.issuer, provider.client_id, provider.client_secret


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    define("home", default="", help="the address that browsers know this demo by; its own by default")
    define("issuer", default="", help=f"the provider, such as {GOOGLE}; the demo's own by default")
    define("client_id", default="", help="what the provider calls this application")
    define("client_secret", default="", help="what the provider knows it by")
    define("provider_port", default=0, type=int, help="port of the demo's own provider; any by default")
    parse_command_line()
    home = (options.home or f"http://127.0.0.1:{options.port}").rstrip("/")
    if options.issuer:
        client = (options.issuer, options.client_id, options.client_secret)
    else:
        client = start_own_provider(home, options.provider_port)
    make_app(home, *client).listen(options.port, address="127.0.0.1")
    print(f"Login with {client[0]} is on http://127.0.0.1:{options.port}/", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
