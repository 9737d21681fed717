"""WebSocket echo in zonda: the same program as in Tornado."""

import sys

import zonda.ioloop
import zonda.web
import zonda.websocket


class Echo(zonda.websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


if __name__ == "__main__":
    application = zonda.web.Application([("/echo", Echo)])
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    zonda.ioloop.IOLoop.current().start()
