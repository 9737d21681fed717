"""`WebSocketHandler`: a handler whose connection becomes a WebSocket."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.exchange import Exchange
from zonda._core.link.websocket import WebSocketConnection
from zonda._core.link.websocket_receiver import WebSocketClosedError
from zonda._core.net.errors import StreamClosedError
from zonda._core.wire.http1.events import field_values
from zonda._core.wire.http1.response import print_head
from zonda._core.wire.ws import handshake
from zonda._core.wire.ws.deflate import Compressor
from zonda._core.wire.ws.extension import accept_offer
from zonda._core.wire.ws.reader import FrameReader

from .errors import HTTPError
from .execute import let_empty_go
from .handler import RequestHandler
from .output import add_new_cookies
from .xsrf import check_cross_origin


class WebSocketHandler(RequestHandler):
    """Base class of WebSocket handlers: define `on_message`, and perhaps `open` and `on_close`.

    Settings of the application: `websocket_ping_interval` (seconds; none by default),
    `websocket_ping_timeout` (seconds, by default the interval; 0: never), `websocket_max_message_size`
    (bytes, 10 MiB by default).  Beyond Tornado: `websocket_deflate_memory` (bytes that all WebSockets of the
    process keep for compression between messages, 64 MiB by default; None: no bound).
    Source: Tornado documentation, `tornado.websocket`.
    """

    #: The WebSocket while it is open; `ws_connection.client_terminated` tells whether the client has closed.
    ws_connection: WebSocketConnection | None = None
    #: What the client's Close frame said; known in `on_close`.
    close_code: int | None = None
    close_reason: str | None = None
    open_args: Any = ()
    open_kwargs: Any = {}  # noqa: RUF012 - read only
    #: The connection is a WebSocket, or was one: there is no answer to write.
    _upgraded = False

    # ---- for subclasses to define

    def open(self, *args: str, **kwargs: str) -> Any:
        """Called when the WebSocket is open, with the path's arguments; messages wait for a coroutine."""

    def on_message(self, message: str | bytes) -> Any:
        """Called with each message, `str` for text, `bytes` for binary; the next waits for a coroutine."""
        raise NotImplementedError

    def on_ping(self, data: bytes) -> Any:
        """Called with each Ping of the client's; it is answered already."""

    def on_pong(self, data: bytes) -> Any:
        """Called with each Pong."""

    def on_close(self) -> None:
        """Called when the WebSocket is closed, whoever closed it."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Chooses one of the subprotocols that the client offers; None chooses none."""
        return None

    def get_compression_options(self) -> dict[str, Any] | None:
        """None: messages are not compressed.  A dictionary, which may be empty: they are, if the client can.

        `compression_level` and `mem_level` are zlib's.  Beyond Tornado: the four parameters of RFC 7692,
        `server_no_context_takeover`, `client_no_context_takeover` (bool), `server_max_window_bits` and
        `client_max_window_bits` (8 to 15).
        """
        return None

    def check_origin(self, origin: str) -> bool:
        """Whether a page from `origin` may connect: by default from here, and from `trusted_origins`."""
        try:
            check_cross_origin(self)
        except HTTPError:
            return False
        return True

    # ---- for handlers to call

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> "asyncio.Future[None]":
        """Sends a message; a dictionary as JSON.  Await the future to go at the client's pace.

        Raises `WebSocketClosedError`, as the future may.
        """
        connection = self.ws_connection
        if connection is None:
            raise WebSocketClosedError()
        return connection.write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Sends a Ping of at most 125 bytes.  Raises `WebSocketClosedError`, and `ValueError` for more."""
        if self.ws_connection is None:
            raise WebSocketClosedError()
        self.ws_connection.write_ping(data.encode() if isinstance(data, str) else data)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Closes the WebSocket.  Raises `ValueError` for a code or reason that cannot be sent."""
        if self.ws_connection is not None:
            self.ws_connection.close(code, reason)

    def set_nodelay(self, value: bool) -> None:
        """Whether small messages are sent at once, and not gathered by the kernel."""
        if self.ws_connection is None:
            raise WebSocketClosedError()
        self.ws_connection.set_nodelay(value)

    @property
    def selected_subprotocol(self) -> str | None:
        """What `select_subprotocol` chose."""
        return None if self.ws_connection is None else self.ws_connection.selected_subprotocol

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings: the setting `websocket_ping_interval`."""
        return cast("float | None", self.settings.get("websocket_ping_interval"))

    @property
    def ping_timeout(self) -> float | None:
        """Seconds that a ping may stay unanswered: the setting `websocket_ping_timeout`."""
        return cast("float | None", self.settings.get("websocket_ping_timeout"))

    @property
    def max_message_size(self) -> int:
        """Bytes of a message, inflated: the setting `websocket_max_message_size`."""
        return cast(
            int, self.settings.get("websocket_max_message_size", DEFAULT_LIMITS.websocket_message_bytes)
        )

    # ---- the handshake

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """The opening handshake (RFC 6455 section 4.2)."""
        self.open_args = args
        self.open_kwargs = kwargs
        exchange: Any = self.request.connection
        if not isinstance(exchange, Exchange):
            raise HTTPError(400, "this connection cannot become a WebSocket")
        try:
            handshake.check_upgrade(exchange.head)
            request = self.request
            origin = request._field("Origin") or request._field("Sec-Websocket-Origin")
            if origin is not None and not self.check_origin(origin):
                raise ProtocolError("Cross origin websockets not allowed", 403)
            key = handshake.check_key(exchange.head)
            subprotocols = handshake.offered_subprotocols(exchange.head)
        except ProtocolError as error:
            self.set_status(error.status)
            if error.status == 426:
                self.set_header("Sec-WebSocket-Version", handshake.VERSION)
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish(error.reason)
            return
        subprotocol = self.select_subprotocol(subprotocols)
        if subprotocol is not None and subprotocol not in subprotocols:
            raise ValueError(f"select_subprotocol() chose {subprotocol!r}, which the client did not offer")
        self._upgrade(exchange, key, subprotocol)

    def _upgrade(self, exchange: Any, key: str, subprotocol: str | None) -> None:
        """Answers, and takes the connection out of HTTP."""
        fields = self._headers
        fields.pop("Content-Type", None)
        fields["Upgrade"] = "websocket"
        fields["Connection"] = "Upgrade"
        fields["Sec-WebSocket-Accept"] = handshake.accept_value(key)
        if subprotocol is not None:
            fields["Sec-WebSocket-Protocol"] = subprotocol
        limit = self.max_message_size
        carrier = exchange.connection
        if carrier is None:
            # The client is gone.
            return
        keeper = carrier.keeper
        reader = FrameReader(keeper.limits, True, limit)
        connection = WebSocketConnection(
            self,
            reader,
            loop=carrier.loop,
            limits=keeper.limits,
            alarms=keeper.alarms,
            is_server=True,
            # No name here refers to it: a traceback that is kept would keep its memory.
            compressor=self._agree_on_compression(exchange, reader, limit),
            keeper=keeper,
            subprotocol=subprotocol,
            taken=carrier.taken,
        )
        transport = None
        try:
            self.set_status(101)
            add_new_cookies(self)
            printed = print_head(101, self._reason, fields._map, "")
            transport, rest = exchange.upgrade()
            self.ws_connection = connection
            self._upgraded = self._finished = self._headers_written = True
            self.application.log_request(self)
            self.on_finish()
        except BaseException as error:
            self.ws_connection = None
            reader.close()
            del connection
            if transport is not None:
                # Nobody else has it any more.
                transport.abort()
            elif isinstance(error, StreamClosedError):
                return
            raise
        opened = partial(self.open, *self.open_args, **self.open_kwargs)
        self._let_go(exchange)
        interval = self.ping_interval
        connection.begin(transport, printed, rest, opened)
        if interval and not connection.closed():
            timeout = self.ping_timeout
            connection.start_pinging(interval, interval if timeout is None else timeout)

    def _agree_on_compression(self, exchange: Any, reader: FrameReader, limit: int) -> Compressor | None:
        """Answers what the client offers; what to compress with."""
        options = self.get_compression_options()
        if options is None:
            return None
        head, limits = exchange.head, exchange.connection.keeper.limits
        accepted = accept_offer(
            field_values(head.block, head.lower, "sec-websocket-extensions"),
            options,
            self.settings.get("websocket_deflate_memory", limits.websocket_deflate_memory),
        )
        if accepted is None:
            return None
        agreement, self._headers["Sec-WebSocket-Extensions"] = accepted
        reader.use(agreement.decompressor(True, limit))
        return agreement.compressor(True, options)

    def _let_go(self, exchange: Exchange) -> None:
        """What only an answer needs is not kept as long as the WebSocket is open."""
        exchange.head.lowered = None
        self._headers._map = {}
        self._write_buffer = []
        self._transforms = []
        let_empty_go(self)

    def get_websocket_protocol(self) -> WebSocketConnection | None:
        return self.ws_connection

    # ---- what the connection calls

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> None:
        self.close_code = close_code
        self.close_reason = close_reason
        self.ws_connection = None
        self.on_close()

    def on_connection_close(self) -> None:
        pass


def _only_before_the_handshake(name: str) -> Callable[..., Any]:
    method = getattr(RequestHandler, name)

    def call(self: WebSocketHandler, *args: Any, **kwargs: Any) -> Any:
        if self._upgraded:
            raise RuntimeError("Method not supported for Web Sockets")
        return method(self, *args, **kwargs)

    call.__name__ = name
    call.__qualname__ = f"WebSocketHandler.{name}"
    call.__doc__ = f"As `RequestHandler.{name}`, until the WebSocket is open; then it raises `RuntimeError`."
    return call


# Methods of an answer: a WebSocket has none.
for _name in ("write", "redirect", "set_header", "set_cookie", "set_status", "flush", "finish"):
    setattr(WebSocketHandler, _name, _only_before_the_handshake(_name))
