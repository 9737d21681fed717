"""Tornado's interfaces between an HTTP connection and whoever answers on it.

Applications and libraries that bring their own delegates implement these; zonda's own `Application`
does not go through them.  Source: Tornado documentation, `tornado.httputil`.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable

from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import RequestStartLine, ResponseStartLine


class HTTPServerConnectionDelegate:
    """Gets the requests of a server's connections."""

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Called when a request begins; returns who receives it.

        `server_conn` stands for the connection, `request_conn` is where this one request is answered.
        """
        raise NotImplementedError()

    def on_close(self, server_conn: object) -> None:
        """Called when a connection is closed; `server_conn` is what `start_request` got."""


class HTTPMessageDelegate:
    """Receives one message, a request or a response, piece by piece."""

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Called when the head is complete; the body follows when the returned awaitable is done."""

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called with a piece of the body; the next comes when the returned awaitable is done."""

    def finish(self) -> None:
        """Called when the message is complete."""

    def on_connection_close(self) -> None:
        """Called, in place of `finish`, when the connection is closed before the message is complete."""


class HTTPConnection:
    """Where one message is answered: the head once, any number of pieces, then the end."""

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Writes the head, and `chunk` as the first piece of the body.

        The `version` of the start line is not looked at.  Returns a future for flow control: it is
        done when the data are on their way.
        """
        raise NotImplementedError()

    def write(self, chunk: bytes) -> Future[None]:
        """Writes a piece of the body.  Returns a future for flow control."""
        raise NotImplementedError()

    def finish(self) -> None:
        """Says that the body is complete."""
        raise NotImplementedError()
