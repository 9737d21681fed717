"""Hello in Tornado behind as many routes as the first argument says; the second is the port."""

import sys

import tornado.ioloop
import tornado.web


class HelloHandler(tornado.web.RequestHandler):
    def get(self, name: str) -> None:
        self.write("Hello, " + name)


if __name__ == "__main__":
    routes = [(rf"/place-{number}/([^/]+)", HelloHandler) for number in range(int(sys.argv[1]))]
    application = tornado.web.Application(routes)
    application.listen(int(sys.argv[2]), address="127.0.0.1")
    tornado.ioloop.IOLoop.current().start()
