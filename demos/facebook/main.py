"""Login with Facebook, and one request to its Graph API; or with a stand-in for it, which needs no network.

GET  /         who you are
GET  /login    begins a login, and ends it when Facebook sends the browser back
POST /logout   forgets you here
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from pathlib import Path
from typing import Any

from stand_in import make_stand_in

from zonda.auth import AuthError, FacebookGraphMixin
from zonda.escape import json_decode, json_encode
from zonda.httpclient import HTTPClientError
from zonda.httpserver import HTTPServer
from zonda.ioloop import IOLoop
from zonda.log import app_log
from zonda.netutil import bind_sockets
from zonda.options import define, options, parse_command_line
from zonda.web import Application, HTTPError, RequestHandler

HERE = Path(__file__).parent
LOGIN_DAYS = 10 / 1440  # ten minutes


class DemoHandler(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header(
            "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"
        )
        self.set_header("Cache-Control", "no-store")

    def get_current_user(self) -> dict[str, Any] | None:
        known = self.get_signed_cookie("user", max_age_days=1)
        return None if known is None else json_decode(known)

    def cookie_flags(self) -> dict[str, Any]:
        return {"httponly": True, "samesite": "Lax", "secure": self.request.protocol == "https"}


class HomeHandler(DemoHandler):
    def get(self) -> None:
        self.render("home.html", user=self.current_user)


class LoginHandler(DemoHandler, FacebookGraphMixin):
    def initialize(self, home: str, service: str) -> None:
        self.redirect_uri = f"{home}/login"
        if service:  # the stand-in, in place of Facebook's addresses
            self._OAUTH_AUTHORIZE_URL = f"{service}/dialog/oauth?"
            self._OAUTH_ACCESS_TOKEN_URL = f"{service}/oauth/access_token?"
            self._FACEBOOK_BASE_URL = service

    async def get(self) -> None:
        code = self.get_query_argument("code", None)
        if code is None:
            if self.get_query_argument("error", None) is not None:
                raise HTTPError(403, reason="Login refused")
            state = secrets.token_urlsafe(32)
            self.set_signed_cookie("state", state, expires_days=LOGIN_DAYS, **self.cookie_flags())
            self.authorize_redirect(
                redirect_uri=self.redirect_uri,
                client_id=self.settings["facebook_api_key"],
                extra_params={"scope": "email", "state": state},
            )
            return
        # Without this, anybody's link could log this browser in as somebody else.
        began = self.get_signed_cookie("state", max_age_days=LOGIN_DAYS) or b""
        if not began or not hmac.compare_digest(began, self.get_query_argument("state", "").encode()):
            raise HTTPError(403, reason="This browser began no such login")
        self.clear_cookie("state")
        try:
            user = await self.get_authenticated_user(
                redirect_uri=self.redirect_uri,
                client_id=self.settings["facebook_api_key"],
                client_secret=self.settings["facebook_secret"],
                code=code,
                extra_fields={"email": None},
            )
        except (AuthError, HTTPClientError) as error:
            app_log.warning("login failed: %s", error)
            raise HTTPError(403, reason="Facebook did not confirm the login") from error
        if user is None:
            raise HTTPError(403, reason="Facebook knows no such user")
        kept = {name: user[name] for name in ("id", "name", "email")}
        self.set_signed_cookie("user", json_encode(kept), expires_days=1, **self.cookie_flags())
        self.redirect("/")


class LogoutHandler(DemoHandler):
    def post(self) -> None:
        self.clear_cookie("user")
        self.redirect("/", status=303)


def make_app(home: str, service: str, key: str, secret: str) -> Application:
    return Application(
        [
            (r"/", HomeHandler),
            (r"/login", LoginHandler, {"home": home, "service": service}),
            (r"/logout", LogoutHandler),
        ],
        template_path=str(HERE / "templates"),
        cookie_secret=secrets.token_hex(32),
        xsrf_cookies=True,
        facebook_api_key=key,
        facebook_secret=secret,
    )


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    define("home", default="", help="the address that browsers know this demo by; its own by default")
    define("facebook_api_key", default="", help="Facebook's ID of the app; without it, a stand-in is started")
    define("facebook_secret", default="", help="Facebook's secret of the app")
    parse_command_line()
    home = (options.home or f"http://127.0.0.1:{options.port}").rstrip("/")
    service, key, secret = "", options.facebook_api_key, options.facebook_secret
    if not key:
        key, secret = "demo", secrets.token_hex(16)
        sockets = bind_sockets(0, address="127.0.0.1")
        HTTPServer(make_stand_in(key, secret, f"{home}/login")).add_sockets(sockets)
        service = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    make_app(home, service, key, secret).listen(options.port, address="127.0.0.1")
    print(f"Login with {service or 'Facebook'} is on http://127.0.0.1:{options.port}/", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
