"""One URL for all ways in."""

from typing import Any

from zonda._core.wire.sse import CONTENT_TYPE

from . import longpoll, sse
from .handler import DoorHandler, post
from .websocket import ChannelWebSocketHandler


class ChannelHandler(ChannelWebSocketHandler):
    """Topics over whatever a client asks for: WebSocket, server-sent events, or long polling; commands also
    by POST.  Define `authorize`, and `authorize_publish` if clients may publish.

        class Live(ChannelHandler):
            def authorize(self, topic):
                return self.current_user is not None

        hub = Hub(topics=[Topic("room.*", history=100)])
        Application([(r"/channels", Live, {"hub": hub})])
    """

    def get(self, *args: Any, **kwargs: Any) -> Any:
        headers = self.request.headers
        if "websocket" in headers.get("Upgrade", "").lower():
            return super().get(*args, **kwargs)
        if CONTENT_TYPE in headers.get("Accept", "").lower():
            return sse.serve(self)
        return longpoll.serve(self)

    async def post(self, *args: Any, **kwargs: Any) -> None:
        await post(self)

    def on_connection_close(self) -> None:
        DoorHandler.on_connection_close(self)
