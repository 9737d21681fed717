"""`HTTPServer`: a non-blocking server of HTTP/1, on asyncio's transports."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.link.delegates import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
from zonda._core.link.exchange import Serve
from zonda._core.net.iostream_socket import IOStream
from zonda._core.net.loop import IOLoop
from zonda._core.net.tcpserver import TCPServer
from zonda._core.net.tls import SSLOptions
from zonda.log import gen_log
from zonda.util import Configurable

from .delegates import CallbackServe, DelegateServe
from .drain import drain
from .keeper import ConnectionKeeper
from .proxy import TrustedProxy
from .request import HTTPServerRequest


class HTTPServer(TCPServer, Configurable, HTTPServerConnectionDelegate):
    """Serves an `Application`, an `HTTPServerConnectionDelegate`, or a function that takes a request.

    `no_keep_alive` closes each connection after its answer.  `xheaders` believes X-Real-Ip,
    X-Forwarded-For, X-Scheme and X-Forwarded-Proto, of which `trusted_downstream` addresses are skipped.
    `protocol` ("http" or "https") is what requests show behind a proxy that ends TLS.  `ssl_options` is an
    `ssl.SSLContext` or a dictionary of `certfile`, `keyfile` and so on.  `decompress_request` undoes gzip.
    `chunk_size`, `max_header_size`, `max_body_size`, `max_buffer_size` are bytes,
    `idle_connection_timeout` and `body_timeout` seconds; None = the default in `Limits`.

    Source: Tornado documentation, `tornado.httpserver`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # `Configurable` calls `initialize`; nothing is left to do here.
        pass

    def initialize(
        self,
        request_callback: HTTPServerConnectionDelegate | Callable[[HTTPServerRequest], None],
        no_keep_alive: bool = False,
        xheaders: bool = False,
        ssl_options: SSLOptions | None = None,
        protocol: str | None = None,
        decompress_request: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        idle_connection_timeout: float | None = None,
        body_timeout: float | None = None,
        max_body_size: int | None = None,
        max_buffer_size: int | None = None,
        trusted_downstream: list[str] | None = None,
    ) -> None:
        TCPServer.__init__(self, ssl_options=ssl_options, max_buffer_size=max_buffer_size)
        self.request_callback = request_callback
        self.xheaders = xheaders
        self.protocol = protocol
        self.trusted_downstream = trusted_downstream or []
        if ssl_options is not None:
            # A certificate that cannot be used is an error here, not at the first connection.
            self._tls_context(ssl_options)
        largest = max_body_size if max_body_size is not None else max_buffer_size
        self._keeper = ConnectionKeeper(
            self._choose_serve(request_callback),
            _limits(
                chunk_size=chunk_size,
                head_bytes=max_header_size,
                line_bytes=max_header_size,
                idle_timeout=idle_connection_timeout,
                body_timeout=body_timeout,
                body_bytes=largest,
                decompressed_body_bytes=largest,
            ),
            keep_alive=not no_keep_alive,
            decompress=decompress_request,
            protocol=protocol or ("http" if ssl_options is None else "https"),
            proxy=TrustedProxy(self.trusted_downstream) if xheaders else None,
            on_close=self._choose_on_close(request_callback),
        )

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return HTTPServer

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return HTTPServer

    def _choose_serve(self, callback: Any) -> Serve:
        """Our own application takes exchanges; Tornado's interfaces are spoken to in theirs."""
        serve: Serve | None = getattr(callback, "_serve_exchange", None)
        if serve is not None:
            return serve
        if type(self).start_request is not HTTPServer.start_request:
            return DelegateServe(self)
        if isinstance(callback, HTTPServerConnectionDelegate):
            return DelegateServe(callback)
        return CallbackServe(callback)

    def _choose_on_close(self, callback: Any) -> Callable[[object], None] | None:
        """Who wants to know that a connection is closed, if anybody does."""
        if type(self).on_close is not HTTPServer.on_close:
            return self.on_close
        if not isinstance(callback, HTTPServerConnectionDelegate):
            return None
        return None if type(callback).on_close is _ON_CLOSE else callback.on_close

    def _start_accepting(self, sock: socket.socket) -> Callable[[], None]:
        loop = IOLoop.current().asyncio_loop
        sock.setblocking(False)
        starting = loop.create_task(
            loop.create_server(self._keeper.accept, sock=sock, **self._tls_arguments())
        )
        stopped = False

        def started(task: "asyncio.Task[asyncio.base_events.Server]") -> None:
            if not task.cancelled():
                server = task.result()
                if stopped:
                    server.close()

        def stop() -> None:
            nonlocal stopped
            stopped = True
            if not starting.done():
                starting.cancel()
            elif not starting.cancelled():
                starting.result().close()

        starting.add_done_callback(started)
        return stop

    def _tls_arguments(self) -> dict[str, Any]:
        """What asyncio is told of TLS; nothing where there is none."""
        if self.ssl_options is None:
            return {}
        tls = self._tls_context(self.ssl_options)
        tls.sslobject_class = _TellingSSLObject
        return {"ssl": tls, "ssl_handshake_timeout": self._keeper.limits.handshake_timeout}

    async def close_all_connections(self) -> None:
        """Closes all open connections; for tests and shut-down, behind `stop()`."""
        await self._keeper.close_all()

    async def drain(self, within: float | None = None) -> None:
        """Stops as `stop()` does, lets what was begun end, and returns when all connections are closed.

        Who waits in an accept queue is let in before it stops listening.  WebSockets are closed with 1001;
        handlers that are answering are told (`RequestHandler.on_server_leave`).  An idle connection may send
        one more request, in `Limits.drain_grace`.  What is not done after `within` seconds (default:
        `Limits.drain_timeout`) is closed all the same.  Not in Tornado.
        """
        limits = self._keeper.limits
        waiting = [] if self._stopped else self._accept_waiting()
        self.stop()
        handshake = limits.drain_grace if self.ssl_options is not None else 0.0
        await drain(self._keeper, limits.drain_timeout if within is None else within, handshake)
        for joining in waiting:
            joining.cancel()

    def _accept_waiting(self) -> "list[asyncio.Task[Any]]":
        """Accepts what the kernel has accepted for us; tasks that end when these connections are ours."""
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Task[Any]] = []
        for sock in self._sockets.values():
            while len(waiting) < self._keeper.limits.connections:
                try:
                    connection, _ = sock.accept()
                except ConnectionAbortedError:
                    continue
                except OSError:  # BlockingIOError: there is no more
                    break
                joining = loop.create_task(
                    loop.connect_accepted_socket(self._keeper.accept, connection, **self._tls_arguments())
                )
                joining.add_done_callback(_joined)
                waiting.append(joining)
        return waiting

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Who answers a request; for subclasses, which may wrap it."""
        callback = self.request_callback
        if isinstance(callback, HTTPServerConnectionDelegate):
            return callback.start_request(server_conn, request_conn)
        return CallbackServe(callback).delegate(request_conn)

    def on_close(self, server_conn: object) -> None:
        if isinstance(self.request_callback, HTTPServerConnectionDelegate):
            self.request_callback.on_close(server_conn)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> Awaitable[None] | None:
        """Not how this server takes connections: they are asyncio transports, not `IOStream`s."""
        raise NotImplementedError("HTTPServer accepts on asyncio transports; use add_socket()")


_ON_CLOSE = HTTPServerConnectionDelegate.on_close


def _joined(joining: "asyncio.Task[Any]") -> None:
    if not joining.cancelled():
        joining.exception()  # a failed handshake, which is logged elsewhere, or who has gone


def _limits(**given: Any) -> Limits:
    return replace(DEFAULT_LIMITS, **{name: value for name, value in given.items() if value is not None})


class _TellingSSLObject(ssl.SSLObject):
    """asyncio keeps a failed handshake to itself; the log should have its line."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            gen_log.warning("SSL Error in a handshake: %s", error)
            raise
