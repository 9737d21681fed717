"""Signed cookies, XSRF tokens, origins."""

from typing import Any

from package import NOW, RequestHandler, web

SECRET = "it-is-a-secret"
ORIGIN_SETTINGS: dict[str, Any] = {"cross_origin_protection": True}


class SignHandler(RequestHandler):
    def get(self, how: str) -> None:
        if how == "v1":
            self.set_signed_cookie("sid", "value", version=1)
        elif how == "v2":
            self.set_signed_cookie("sid", "value", version=2)
        elif how == "v3":
            self.set_signed_cookie("sid", "value", version=3)
        elif how == "bytes":
            self.set_signed_cookie("sid", b"\x00\xff")
        elif how == "unicode":
            self.set_signed_cookie("sid", "gr\u00fc\u00dfe")
        elif how == "session":
            self.set_signed_cookie("sid", "value", expires_days=None, httponly=True)
        elif how == "old":
            self.set_secure_cookie("sid", "value")
        else:
            self.write(self.create_signed_value(how, "value"))


class ReadHandler(RequestHandler):
    def get(self) -> None:
        days = float(self.get_argument("days", "31"))
        version = self.get_argument("min", None)
        value = self.get_signed_cookie(
            "sid", max_age_days=days, min_version=int(version) if version else None
        )
        self.write(
            {
                "value": repr(value),
                "old": repr(self.get_secure_cookie("sid")),
                "given": repr(self.get_signed_cookie("sid", self.get_argument("given", None))),
                "key": self.get_signed_cookie_key_version("sid"),
            }
        )


class MadeHandler(RequestHandler):
    """Makes a value at another time or with another key, reads it, and says both."""

    def get(self) -> None:
        argument = self.get_argument
        age, version = float(argument("age", "0")), int(argument("version", "2"))
        secret, name = argument("secret", SECRET), argument("name", "sid")
        made = web.create_signed_value(
            secret, name, argument("value", "v"), version=version, clock=lambda: NOW - age
        )
        broken = made.replace(argument("cut", "\0").encode(), argument("paste", "").encode())
        read = web.decode_signed_value(
            SECRET, "sid", broken, max_age_days=float(argument("days", "31")), clock=lambda: NOW
        )
        self.write(
            {
                "made": made.decode(),
                "read": repr(read),
                "own": repr(self.get_signed_cookie("sid", broken.decode())),
            }
        )


class XsrfHandler(RequestHandler):
    def get(self) -> None:
        self.write(
            {
                "token": self.xsrf_token.decode(),
                "form": self.xsrf_form_html(),
                "again": self.xsrf_token.decode(),
            }
        )

    def answer(self) -> None:
        self.write("passed")

    post = put = delete = patch = head = options = answer


class UncheckedHandler(XsrfHandler):
    def check_xsrf_cookie(self) -> None:
        self.set_header("X-Unchecked", "1")


class TrustingHandler(XsrfHandler):
    def check_trusted_origin(self, origin: str) -> bool:
        self.set_header("X-Asked", origin)
        return origin == "https://friend.example"


ROUTES = [
    (r"/sign/(\w+)", SignHandler),
    (r"/read", ReadHandler),
    (r"/made", MadeHandler),
    (r"/xsrf", XsrfHandler),
    (r"/unchecked", UncheckedHandler),
    (r"/trusting", TrustingHandler),
]
