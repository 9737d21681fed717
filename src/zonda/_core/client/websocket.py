"""`websocket_connect`: the client's side of WebSockets."""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from inspect import isawaitable
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.alarms import Alarms
from zonda._core.link.http1_client import Http1ClientConnection
from zonda._core.link.websocket_receiver import WebSocketClosedError, WebSocketError
from zonda._core.net.futures import future_set_result_unless_cancelled
from zonda._core.net.loop import IOLoop
from zonda._core.net.resolve import Resolver
from zonda._core.wire.headers import HTTPHeaders, headers_from_block
from zonda._core.wire.http1.events import ResponseHead, field_values
from zonda._core.wire.http1.request_printer import print_request
from zonda._core.wire.ws import handshake
from zonda._core.wire.ws.deflate import Compressor
from zonda._core.wire.ws.extension import draw_for_offer, print_offer, read_answer
from zonda._core.wire.ws.reader import FrameReader
from zonda.log import app_log

from .connect import open_connection, origin_of
from .counting import CountingConnection
from .errors import HTTPClientError, HTTPStreamClosedError, HTTPTimeoutError
from .message import HTTPRequest, _RequestProxy, settled
from .request_head import fields_of
from .url import target_of

_SCHEMES = {"ws": "http", "wss": "https"}

Message = str | bytes | None


class WebSocketClientConnection:
    """A WebSocket to a server; `websocket_connect` makes it.

    Source: Tornado documentation, `tornado.websocket`.
    """

    #: The connection underneath, once the handshake is done.
    protocol: Any = None
    #: What the server's Close frame said.
    close_code: int | None = None
    close_reason: str | None = None
    #: The answer to the handshake.
    headers: HTTPHeaders | None = None
    code: int | None = None
    reason: str | None = None

    def __init__(
        self,
        request: Any,
        on_message_callback: Callable[[Message], Any] | None = None,
        compression_options: Mapping[str, Any] | None = None,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        max_message_size: int = DEFAULT_LIMITS.websocket_message_bytes,
        subprotocols: list[str] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Raises `ValueError` for a URL that is neither ws nor wss."""
        self.io_loop = IOLoop.current()
        self.key = handshake.new_key()
        #: Memory for what may be agreed on, until the contexts have it.
        self._share: Any = None
        if compression_options is not None:
            compression_options, self._share = draw_for_offer(
                compression_options, DEFAULT_LIMITS.websocket_deflate_memory
            )
        self.request = self._http_request(request, compression_options, subprotocols or [])
        #: Done with this object when the WebSocket is open, or with why it is not.
        self.connect_future: asyncio.Future[WebSocketClientConnection] = asyncio.Future()
        self._on_message_callback = on_message_callback
        self._compression_options = compression_options
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._max_message_size = max_message_size
        self._subprotocols = subprotocols or []
        self._resolver = resolver
        #: Messages that were not asked for yet; the next is read when there is none.
        self.read_queue: deque[str | bytes] = deque()
        self._readers: deque[asyncio.Future[Message]] = deque()
        self._room: asyncio.Future[None] | None = None
        self._closed = False
        self._context = copy_context()
        self._phase = "during request"
        self._task = self.io_loop.asyncio_loop.create_task(self._run())
        self.connect_future.add_done_callback(self._connected)

    def _http_request(
        self, request: HTTPRequest | _RequestProxy, options: Mapping[str, Any] | None, subprotocols: list[str]
    ) -> HTTPRequest:
        scheme, colon, rest = request.url.partition(":")
        if scheme not in _SCHEMES:
            raise ValueError(f"Unsupported url scheme: {request.url}")
        ours = copy.copy(settled(request))
        ours.url = _SCHEMES[scheme] + colon + rest
        ours.decompress_response = False
        headers = HTTPHeaders(request.headers)
        headers["Upgrade"] = "websocket"
        headers["Connection"] = "Upgrade"
        headers["Sec-WebSocket-Key"] = self.key
        headers["Sec-WebSocket-Version"] = handshake.VERSION
        if subprotocols:
            headers["Sec-WebSocket-Protocol"] = ",".join(subprotocols)
        if options is not None:
            headers["Sec-WebSocket-Extensions"] = print_offer(options)
        ours.headers = headers
        return ours

    @property
    def parsed(self) -> SplitResult:
        """The parts of the address, its scheme http or https.  distributed reads `parsed.netloc`."""
        return urlsplit(self.request.url)

    # ---- the handshake

    def _connected(self, connect_future: "asyncio.Future[WebSocketClientConnection]") -> None:
        if connect_future.cancelled():
            # Nobody wants it any more, and nobody would hear why it failed.
            self._task.cancel()

    async def _run(self) -> None:
        request = self.request
        timeouts = [time for time in (request.connect_timeout, request.request_timeout) if time]
        error: BaseException
        try:
            async with asyncio.timeout(min(timeouts, default=None)) as timeout:
                await self._shake_hands(request)
                return
        except TimeoutError as late:
            error = HTTPTimeoutError(f"Timeout {self._phase}") if timeout.expired() else late
        except ProtocolError as refused:
            error = WebSocketError(refused.reason)
        except Exception as failure:
            error = failure
        finally:
            self._share = None
        if not self.connect_future.cancelled():
            self.connect_future.set_exception(error)

    async def _shake_hands(self, request: HTTPRequest) -> None:
        target = target_of(request.url)
        printed = print_request("GET", target.path, fields_of(request, target))
        resolver = self._resolver or Resolver()
        try:
            connection = await open_connection(
                origin_of(request, target), resolver, DEFAULT_LIMITS, self._set_phase
            )
        finally:
            if self._resolver is None:
                resolver.close()
        self._phase = "during request"
        answer = _Answer(self, connection)
        connection.begin(answer, "GET", upgradable=True)
        try:
            connection.write(printed)
            await answer.done
        finally:
            if self.protocol is None:
                connection.release()

    def _set_phase(self, phase: str) -> None:
        self._phase = phase

    def _open(self, head: ResponseHead, connection: Http1ClientConnection) -> None:
        """The server agrees.  Raises `ProtocolError` if it does so wrongly."""
        subprotocol = handshake.check_answer(head, self.key, self._subprotocols)
        reader = FrameReader(connection.limits, False, self._max_message_size)
        protocol = self._context.run(
            CountingConnection,
            cast(Any, self),
            reader,
            loop=connection.loop,
            limits=connection.limits,
            alarms=Alarms(),
            is_server=False,
            # As at the server: no name here refers to it.
            compressor=self._agreed_compressor(head, reader),
            subprotocol=subprotocol,
        )
        transport, rest = connection.detach()
        self.protocol = protocol
        protocol._wire_bytes_in = len(rest)
        protocol.begin(transport, b"", rest, None)
        if self._ping_interval:
            timeout = self._ping_interval if self._ping_timeout is None else self._ping_timeout
            protocol.start_pinging(self._ping_interval, timeout)
        if self.connect_future.cancelled():
            self.close()
        else:
            future_set_result_unless_cancelled(self.connect_future, self)

    def _agreed_compressor(self, head: ResponseHead, reader: FrameReader) -> Compressor | None:
        options = self._compression_options
        answer = field_values(head.block, head.lower, "sec-websocket-extensions")
        share, self._share = self._share, None
        agreement = read_answer(answer, options, share)
        if agreement is None:
            return None
        reader.use(agreement.decompressor(False, self._max_message_size))
        return agreement.compressor(False, options or {})

    # ---- for programs to call

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> "asyncio.Future[None]":
        """Sends a message; a dictionary as JSON.  Await the future to go at the server's pace.

        Raises `WebSocketClosedError`, as the future may.
        """
        protocol = self.protocol
        if protocol is None:
            raise WebSocketClosedError()
        future: asyncio.Future[None] = protocol.write_message(message, binary)
        if not isinstance(message, dict):
            protocol._message_bytes_out += len(message.encode() if isinstance(message, str) else message)
        return future

    def read_message(
        self, callback: "Callable[[asyncio.Future[Message]], None] | None" = None
    ) -> "asyncio.Future[Message]":
        """A future of the next message: `str`, `bytes`, or None when the WebSocket is closed.

        `callback` is called with the future when it is done.
        """
        future: asyncio.Future[Message] = asyncio.Future()
        if self.read_queue:
            future.set_result(self.read_queue.popleft())
            if self._room is not None and not self.read_queue:
                room, self._room = self._room, None
                if not room.done():
                    room.set_result(None)
        elif self._closed:
            future.set_result(None)
        else:
            self._readers.append(future)
        if callback is not None:
            self.io_loop.add_future(future, callback)
        return future

    def ping(self, data: str | bytes = b"") -> None:
        """Sends a Ping of at most 125 bytes.  Raises `WebSocketClosedError`, and `ValueError` for more."""
        if self.protocol is None:
            raise WebSocketClosedError()
        self.protocol.write_ping(data.encode() if isinstance(data, str) else data)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Closes the WebSocket.  Raises `ValueError` for a code or reason that cannot be sent."""
        if self.protocol is not None:
            self.protocol.close(code, reason)

    @property
    def selected_subprotocol(self) -> str | None:
        """What the server chose of the subprotocols that were offered."""
        return None if self.protocol is None else cast("str | None", self.protocol.selected_subprotocol)

    @property
    def stream(self) -> Any:
        """The connection underneath."""
        return self.protocol

    def get_websocket_protocol(self) -> Any:
        return self.protocol

    # ---- what the connection calls

    def on_message(self, message: Message) -> Awaitable[None] | None:
        if self.protocol is not None and message is not None:
            size = len(message.encode() if isinstance(message, str) else message)
            self.protocol._message_bytes_in += size
        if self._on_message_callback is not None:
            result = self._on_message_callback(message)
            return result if isawaitable(result) else None
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(message)
                return None
        if message is None:
            return None
        self.read_queue.append(message)
        self._room = asyncio.Future()
        return self._room

    def on_ping(self, data: bytes) -> Any:
        """Called with each Ping of the server's; it is answered already."""

    def on_pong(self, data: bytes) -> Any:
        """Called with each Pong."""

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> None:
        self.close_code = close_code
        self.close_reason = close_reason
        self._closed = True
        readers, self._readers = self._readers, deque()
        for reader in readers:
            if not reader.done():
                reader.set_result(None)
        if self._on_message_callback is not None:
            self._on_message_callback(None)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        app_log.error("Uncaught exception %s", value, exc_info=(typ, value, tb))


class _Answer:
    """Receives the answer to the handshake."""

    def __init__(self, client: WebSocketClientConnection, connection: Http1ClientConnection) -> None:
        self._client = client
        self._connection = connection
        self._head: ResponseHead | None = None
        self.done: asyncio.Future[None] = connection.loop.create_future()

    def head_received(self, head: ResponseHead) -> None:
        if head.status != 101 and head.status < 200:
            return
        self._head = head
        self._client.headers = headers_from_block(head.block[2:])
        self._client.code = head.status
        self._client.reason = head.reason
        if head.status != 101:
            # Whatever its body says: it is no WebSocket.
            self._refused(head)

    def _refused(self, head: ResponseHead) -> None:
        if head.status >= 300:
            error: Exception = HTTPClientError(head.status, head.reason)
        else:
            error = WebSocketError("Non-websocket response")
        if not self.done.done():
            self.done.set_exception(error)

    def body_received(self, data: bytes) -> None:
        return None

    def ended(self) -> None:
        if self.done.done() or self._head is None:
            return
        try:
            self._client._open(self._head, self._connection)
        except Exception as error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)

    def failed(self, error: BaseException | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or HTTPStreamClosedError("Stream closed"))


def websocket_connect(
    url: str | HTTPRequest,
    callback: "Callable[[asyncio.Future[WebSocketClientConnection]], None] | None" = None,
    connect_timeout: float | None = None,
    on_message_callback: Callable[[Message], Any] | None = None,
    compression_options: dict[str, Any] | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int = DEFAULT_LIMITS.websocket_message_bytes,
    subprotocols: list[str] | None = None,
    resolver: Resolver | None = None,
) -> "asyncio.Future[WebSocketClientConnection]":
    """Opens a WebSocket to `url` (ws or wss, or an `HTTPRequest` for one); a future of the connection.

    Messages are read with `read_message`, or given to `on_message_callback`, with None at the end.
    `connect_timeout` and `ping_*` are seconds, `max_message_size` bytes (inflated).
    `compression_options`: as `WebSocketHandler.get_compression_options`; None offers no compression.
    The future fails with `HTTPClientError` for an answer of 300 and above, `WebSocketError` for one that is
    no WebSocket's, and `OSError` where no connection is made.
    Source: Tornado documentation, `tornado.websocket`.
    """
    if isinstance(url, str):
        request = HTTPRequest(url, connect_timeout=connect_timeout)
    else:
        if connect_timeout is not None:
            raise ValueError("connect_timeout goes into the HTTPRequest, where one is given")
        request = url
    connection = WebSocketClientConnection(
        request,
        on_message_callback=on_message_callback,
        compression_options=compression_options,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        max_message_size=max_message_size,
        subprotocols=subprotocols,
        resolver=resolver,
    )
    if callback is not None:
        IOLoop.current().add_future(connection.connect_future, callback)
    return connection.connect_future
