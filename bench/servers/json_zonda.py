"""JSON in zonda: a path argument, a signed cookie, an object of ten fields."""

import sys

from items import SECRET, cookies_wanted, item

import zonda.ioloop
import zonda.web


class ItemHandler(zonda.web.RequestHandler):
    def get(self, number: str) -> None:
        visitor = self.get_signed_cookie("visitor")
        if visitor is None:
            raise zonda.web.HTTPError(403)
        self.write(item(int(number), visitor.decode()))


def signed(visitor: str) -> str:
    return zonda.web.create_signed_value(SECRET, "visitor", visitor).decode()


if __name__ == "__main__" and not cookies_wanted(signed):
    application = zonda.web.Application([(r"/item/(\d+)", ItemHandler)], cookie_secret=SECRET)
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    zonda.ioloop.IOLoop.current().start()
