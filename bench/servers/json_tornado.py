"""JSON in Tornado: a path argument, a signed cookie, an object of ten fields."""

import sys

import tornado.ioloop
import tornado.web
from items import SECRET, cookies_wanted, item


class ItemHandler(tornado.web.RequestHandler):
    def get(self, number: str) -> None:
        visitor = self.get_signed_cookie("visitor")
        if visitor is None:
            raise tornado.web.HTTPError(403)
        self.write(item(int(number), visitor.decode()))


def signed(visitor: str) -> str:
    return tornado.web.create_signed_value(SECRET, "visitor", visitor).decode()


if __name__ == "__main__" and not cookies_wanted(signed):
    application = tornado.web.Application([(r"/item/(\d+)", ItemHandler)], cookie_secret=SECRET)
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    tornado.ioloop.IOLoop.current().start()
