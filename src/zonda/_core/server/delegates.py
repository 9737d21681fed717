"""Tornado's interfaces on top of exchanges, for servers whose application is not ours."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from zonda._core.base.errors import ProtocolError
from zonda._core.link.delegates import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
from zonda._core.link.exchange import Exchange
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.headers import HTTPHeaders, headers_from_block
from zonda._core.wire.startline import RequestStartLine, ResponseStartLine
from zonda.log import app_log

from .request import HTTPServerRequest, request_of


class DelegateServe:
    """Tells a delegate of each exchange: head, pieces, end, or that the client is gone."""

    def __init__(self, delegate: HTTPServerConnectionDelegate) -> None:
        self._delegate = delegate

    def __call__(self, exchange: Exchange) -> None:
        try:
            message = self._delegate.start_request(exchange.server_connection, exchange)
            head = exchange.head
            start_line = RequestStartLine(head.method, head.target, head.version)
            exchange.on_close = message.on_connection_close
            waiting = message.headers_received(start_line, headers_from_block(head.block[2:]))
        except Exception:
            _fail(exchange)
            return
        if exchange.complete:
            if waiting is None:
                _guarded(exchange, message.finish)
            else:
                _after(exchange, waiting, message.finish)
            return
        _Body(exchange, message, waiting)


class _Body:
    """Passes a body on, after the head was dealt with."""

    def __init__(
        self, exchange: Exchange, message: HTTPMessageDelegate, waiting: Awaitable[None] | None
    ) -> None:
        self._exchange = exchange
        self._message = message
        self._head: asyncio.Future[None] | None = None if waiting is None else asyncio.ensure_future(waiting)
        exchange.on_body = self._take
        exchange.on_end = self._end

    def _take(self, chunk: bytes) -> Awaitable[None] | None:
        if self._head is not None:
            return self._take_later(chunk)
        try:
            return self._message.data_received(chunk)
        except Exception:
            _fail(self._exchange)
            return None

    async def _take_later(self, chunk: bytes) -> None:
        await self._wait_for_head()
        waiting = self._message.data_received(chunk)
        if waiting is not None:
            await waiting

    async def _wait_for_head(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            await head

    def _end(self) -> None:
        if self._head is not None:
            _after(self._exchange, self._head, self._message.finish)
        else:
            _guarded(self._exchange, self._message.finish)


def _after(exchange: Exchange, waiting: Awaitable[None], then: Callable[[], None]) -> None:
    def done(task: "asyncio.Future[None]") -> None:
        if task.cancelled() or task.exception() is not None:
            _fail(exchange, None if task.cancelled() else task.exception())
        else:
            _guarded(exchange, then)

    asyncio.ensure_future(waiting).add_done_callback(done)


def _guarded(exchange: Exchange, call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        _fail(exchange)


def _fail(exchange: Exchange, error: BaseException | None = None) -> None:
    """A delegate raised: bad input is refused, anything else is logged and ends the connection."""
    error = error or sys.exception()
    if isinstance(error, HTTPInputError):
        exchange.refuse(ProtocolError(str(error)))
        return
    app_log.error("Uncaught exception", exc_info=error)
    exchange.abort()


class CallbackServe:
    """Calls a plain function with each request, once its body is whole."""

    def __init__(self, callback: Callable[[HTTPServerRequest], None]) -> None:
        self._callback = callback

    def __call__(self, exchange: Exchange) -> None:
        if exchange.complete:
            self._run(exchange)
        else:
            exchange.on_end = lambda: self._run(exchange)

    def _run(self, exchange: Exchange) -> None:
        try:
            request = request_of(exchange)
            if request.body:
                request._parse_body()
            self._callback(request)
        except Exception:
            _fail(exchange)

    def delegate(self, connection: HTTPConnection) -> HTTPMessageDelegate:
        """The same for those who speak in delegates (`HTTPServer.start_request`)."""
        return _CallbackDelegate(self._callback, connection)


class _CallbackDelegate(HTTPMessageDelegate):
    def __init__(self, callback: Callable[[HTTPServerRequest], None], connection: HTTPConnection) -> None:
        self._callback = callback
        self._connection = connection
        self._pieces: list[bytes] = []
        self._request: HTTPServerRequest | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, RequestStartLine)
        self._request = HTTPServerRequest(start_line=start_line, headers=headers, connection=self._connection)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._pieces.append(chunk)
        return None

    def finish(self) -> None:
        request: Any = self._request
        request.body = b"".join(self._pieces)
        request._parse_body()
        self._callback(request)
