"""Hello in Tornado, as its documentation shows it: one Application, one RequestHandler, defaults."""

import sys

import tornado.ioloop
import tornado.web


class HelloHandler(tornado.web.RequestHandler):
    def get(self, name: str) -> None:
        self.write("Hello, " + name)


def application() -> tornado.web.Application:
    return tornado.web.Application([(r"/hello/([^/]+)", HelloHandler)])


if __name__ == "__main__":
    application().listen(int(sys.argv[1]), address="127.0.0.1")
    tornado.ioloop.IOLoop.current().start()
