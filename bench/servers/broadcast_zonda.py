"""Topics over WebSocket in zonda: `live` has no history, `kept` one of 100 messages; anybody may publish."""

import sys
from typing import Any

import zonda.channels
import zonda.ioloop
import zonda.web


class Open(zonda.channels.ChannelWebSocketHandler):
    def authorize(self, topic: str) -> bool:
        return True

    def authorize_publish(self, topic: str, data: Any) -> bool:
        return True


if __name__ == "__main__":
    topics = [zonda.channels.Topic("live"), zonda.channels.Topic("kept", history=100)]
    hub = zonda.channels.Hub("local://", topics)
    application = zonda.web.Application([("/echo", Open, {"hub": hub})])
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    zonda.ioloop.IOLoop.current().start()
