"""What a WebSocket needs of those above it, and the errors that it shows them."""

from typing import Any, Protocol

from zonda._core.net.stream import Turn


class WebSocketError(Exception):
    """A WebSocket could not be opened, or cannot be used.  Source: `tornado.websocket`."""


class WebSocketClosedError(WebSocketError):
    """Something was to be sent on a WebSocket that is closed.

    Source: Tornado documentation, `tornado.websocket`.
    """


class Receiver(Protocol):
    """Who is told what comes.  What the first three return, where it can be awaited, is waited for."""

    def on_message(self, message: str | bytes, /) -> Any: ...
    def on_ping(self, data: bytes, /) -> Any: ...
    def on_pong(self, data: bytes, /) -> Any: ...
    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> None: ...
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None: ...


class Membership(Protocol):
    """Who counts open connections, and closes them at the end."""

    turn: Turn

    def joined(self, connection: Any) -> None: ...
    def left(self, connection: Any) -> None: ...
