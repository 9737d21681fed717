"""Handlers behind Tornado's delegate interface, and bodies that handlers take piece by piece."""

import asyncio
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any

from zonda._core.link.delegates import HTTPMessageDelegate
from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import RequestStartLine, ResponseStartLine

from .execute import answer_awaited, answer_exception
from .start import start


class StreamedBody:
    """Gives a handler its body through `data_received`, from when `prepare` is done."""

    def __init__(self, handler: Any) -> None:
        loop = asyncio.get_running_loop()
        self._handler = handler
        self.prepared: asyncio.Future[None] = loop.create_future()
        #: True when the body is complete, False when the client went away.
        self.complete: asyncio.Future[bool] = loop.create_future()
        handler._prepared = self.prepared
        handler._body_complete = self.complete

    def take(self, chunk: bytes) -> Awaitable[None] | None:
        if not self.prepared.done():
            return self._take_later(chunk)
        if self._handler._finished:
            return None
        try:
            waiting: Awaitable[None] | None = self._handler.data_received(chunk)
        except (Exception, asyncio.CancelledError) as error:
            self.lost()
            answer_exception(self._handler, error)
            return None
        return None if waiting is None else self._wait(waiting)

    async def _take_later(self, chunk: bytes) -> None:
        await self.prepared
        waiting = self.take(chunk)
        if waiting is not None:
            await waiting

    async def _wait(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except (Exception, asyncio.CancelledError) as error:
            self.lost()
            answer_awaited(self._handler, error)

    def end(self) -> None:
        if not self.complete.done():
            self.complete.set_result(True)

    def lost(self) -> None:
        if not self.complete.done():
            self.complete.set_result(False)

    def closed(self) -> None:
        """The client went away."""
        self.lost()
        self._handler.on_connection_close()


class HandlerDelegate(HTTPMessageDelegate):
    """One request for one handler class, told through Tornado's interface."""

    def __init__(
        self,
        application: Any,
        request: HTTPServerRequest,
        handler_class: Any,
        handler_kwargs: dict[str, Any] | None,
        path_args: list[bytes] | None,
        path_kwargs: dict[str, bytes] | None,
    ) -> None:
        self.application = application
        self.request = request
        self.handler_class = handler_class
        self.handler_kwargs = handler_kwargs or {}
        self.path_args = path_args or []
        self.path_kwargs = path_kwargs or {}
        self.stream_request_body = handler_class._stream_request_body
        self._chunks: list[bytes] = []
        self._streamed: StreamedBody | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        if not self.stream_request_body:
            return None
        self._run(streamed=True)
        assert self._streamed is not None
        return self._streamed.prepared

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._streamed is not None:
            return self._streamed.take(chunk)
        self._chunks.append(chunk)
        return None

    def finish(self) -> None:
        if self._streamed is not None:
            self._streamed.end()
            return
        self.request.body = b"".join(self._chunks)
        self.execute()

    def on_connection_close(self) -> None:
        if self._streamed is not None:
            self._streamed.closed()
        self._chunks = []

    def execute(self) -> "asyncio.Task[None] | None":
        """Runs the handler on the request as it is; a Task if something has to be waited for."""
        return self._run(streamed=False)

    def _run(self, streamed: bool) -> "asyncio.Task[None] | None":
        task: asyncio.Task[None] | None = copy_context().run(
            start,
            self.application,
            self.request,
            self.handler_class,
            self.handler_kwargs,
            self.path_args,
            self.path_kwargs,
            self._stream if streamed else None,
        )
        return task

    def _stream(self, handler: Any) -> None:
        self._streamed = StreamedBody(handler)
