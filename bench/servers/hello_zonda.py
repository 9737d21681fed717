"""Hello in zonda: hello_tornado.py with the package renamed."""

import sys

import zonda.ioloop
import zonda.web


class HelloHandler(zonda.web.RequestHandler):
    def get(self, name: str) -> None:
        self.write("Hello, " + name)


def application() -> zonda.web.Application:
    return zonda.web.Application([(r"/hello/([^/]+)", HelloHandler)])


if __name__ == "__main__":
    application().listen(int(sys.argv[1]), address="127.0.0.1")
    zonda.ioloop.IOLoop.current().start()
