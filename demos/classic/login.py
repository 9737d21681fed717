#!/usr/bin/env python3
"""Signing in with a signed cookie and an XSRF token, as in 2009."""

import os

import zonda.escape
import zonda.ioloop
import zonda.options
import zonda.web
from zonda.options import define, options

define("port", default=8888, help="run on the given port", type=int)


class BaseHandler(zonda.web.RequestHandler):
    def get_current_user(self):
        return self.get_secure_cookie("user")


class MainHandler(BaseHandler):
    @zonda.web.authenticated
    def get(self):
        name = zonda.escape.xhtml_escape(self.current_user)
        self.write("Hello, " + name)


class LoginHandler(BaseHandler):
    def get(self):
        self.render("login.html")

    def post(self):
        self.set_secure_cookie("user", self.get_argument("name"))
        self.redirect("/")


class LogoutHandler(BaseHandler):
    def get(self):
        self.clear_cookie("user")
        self.redirect("/login")


class CounterHandler(BaseHandler):
    """A cookie that is not signed: anybody may write in it."""

    def get(self):
        if not self.get_cookie("mycookie"):
            self.set_cookie("mycookie", "myvalue")
            self.write("Your cookie was not set yet!")
        else:
            self.write("Your cookie was set!")


settings = {
    "cookie_secret": "your own random value belongs here, 32 bytes or more of it",
    "login_url": "/login",
    "template_path": os.path.join(os.path.dirname(__file__), "templates"),
    "xsrf_cookies": True,
    "autoescape": None,
}
application = zonda.web.Application(
    [
        (r"/", MainHandler),
        (r"/login", LoginHandler),
        (r"/logout", LogoutHandler),
        (r"/cookie", CounterHandler),
    ],
    **settings,
)

if __name__ == "__main__":
    zonda.options.parse_command_line()
    application.listen(options.port, address="127.0.0.1")
    print("http://127.0.0.1:" + str(options.port))
    zonda.ioloop.IOLoop.instance().start()
