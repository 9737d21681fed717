"""What anybody says goes to everybody, in Tornado: a loop over its handlers."""

import sys

import tornado.ioloop
import tornado.web
import tornado.websocket

handlers: dict[tornado.websocket.WebSocketHandler, None] = {}


class Room(tornado.websocket.WebSocketHandler):
    def open(self) -> None:
        handlers[self] = None

    def on_close(self) -> None:
        handlers.pop(self, None)

    def on_message(self, message: str | bytes) -> None:
        for other in handlers:
            other.write_message(message)


if __name__ == "__main__":
    application = tornado.web.Application([("/echo", Room)])
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    tornado.ioloop.IOLoop.current().start()
