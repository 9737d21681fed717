"""Topics over WebSocket."""

import asyncio
from collections.abc import Callable
from typing import Any

from zonda._core.channels import objects
from zonda._core.channels.errors import ChannelError
from zonda._core.channels.message import Message
from zonda._core.channels.session import Session
from zonda._core.link.websocket import WebSocketConnection
from zonda._core.link.websocket_receiver import WebSocketClosedError
from zonda._core.web.websocket import WebSocketHandler
from zonda._core.wire.ws.close import GOING_AWAY, UNSUPPORTED_DATA
from zonda._core.wire.ws.printer import PreparedMessage, print_message

from .handler import DoorHandler

#: Close code: what waited for this client was more than its topic allows.
TOO_SLOW = 4008
_LONGEST_REASON = 120


class ChannelWebSocketHandler(WebSocketHandler, DoorHandler):
    """Topics over WebSocket: define `authorize`.  Messages are not compressed, unless
    `get_compression_options` says so.
    """

    _session: Session | None = None
    _client = ""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """The opening handshake; `?client=ID` names the client."""
        try:
            self._client = self.client_id()
        except ChannelError as error:
            self.answer_error(error)
            return None
        # Without a hub there is no WebSocket either.
        self.hub  # noqa: B018
        return super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> Any:
        """Called when the WebSocket is open."""

    def on_message(self, message: str | bytes) -> Any:
        if isinstance(message, str):
            return self._begun().receive(message)
        self.close(UNSUPPORTED_DATA, "commands are text")
        return None

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
            self._door.gone()
            self._door = None
        super().on_ws_connection_close(close_code, close_reason)

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings: the setting, or `Limits.channel_keepalive`; presence has to be right."""
        interval: float | None = self.settings.get(
            "websocket_ping_interval", self.hub.limits.channel_keepalive
        )
        return interval

    def _begun(self) -> Session:
        session = self._session
        if session is None:
            assert self.ws_connection is not None
            door = self._door = WebSocketDoor(self.ws_connection)
            session = self._session = Session(self.hub, self.hub, self, door, self._client)
            door.writable = session.writable
        return session


class WebSocketDoor:
    """A session's connection (`session.Door`)."""

    #: Called when the connection takes more.
    writable: Callable[[], None] | None = None

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self._compresses = connection.compresses
        self.form = "ws-prepared" if self._compresses else "ws"
        self.send: Callable[[Any], bool] = self._send_prepared if self._compresses else connection.send_frame

    def render(self, message: Message) -> Any:
        return self.wrap(objects.message(message))

    def wrap(self, printed: bytes) -> Any:
        return PreparedMessage(printed) if self._compresses else print_message(printed, False)

    def _send_prepared(self, message: PreparedMessage) -> bool:
        try:
            return self._connection.write_prepared(message).done()
        except WebSocketClosedError:
            return False

    def hold(self) -> None:
        self._connection.drained().add_done_callback(self._drained)

    def _drained(self, drained: "asyncio.Future[None]") -> None:
        if self.writable is not None and drained.exception() is None:
            self.writable()

    def overflow(self, reason: str) -> None:
        self._connection.close(TOO_SLOW, reason[:_LONGEST_REASON])

    def leave(self) -> None:
        self._connection.close(GOING_AWAY)

    def gone(self) -> None:
        """The connection is closed: nothing holds on to the session any more."""
        self.writable = None
