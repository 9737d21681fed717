#!/usr/bin/env python3
"""One page in the language of its reader, as in 2009."""

import os

import zonda.ioloop
import zonda.locale
import zonda.options
import zonda.web
from zonda.options import define, options

define("port", default=8888, help="run on the given port", type=int)


class SignInHandler(zonda.web.RequestHandler):
    def get_user_locale(self):
        chosen = self.get_argument("locale", None)
        if chosen is None:
            # Use the Accept-Language header
            return None
        return zonda.locale.get(chosen)

    def get(self):
        people = self.get_arguments("person")
        self.render("words.html", people=people)


settings = {
    "template_path": os.path.join(os.path.dirname(__file__), "templates"),
    "autoescape": None,
}
application = zonda.web.Application([(r"/", SignInHandler)], **settings)


def main():
    zonda.options.parse_command_line()
    zonda.locale.load_translations(os.path.join(os.path.dirname(__file__), "translations"))
    application.listen(options.port, address="127.0.0.1")
    print("http://127.0.0.1:" + str(options.port))
    zonda.ioloop.IOLoop.instance().start()


if __name__ == "__main__":
    main()
