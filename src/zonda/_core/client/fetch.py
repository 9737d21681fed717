"""One fetch, from its start to its response: attempts, redirects, times."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from zonda._core.base.limits import Limits
from zonda._core.link.http1_client import Http1ClientConnection
from zonda._core.net.errors import StreamClosedError
from zonda._core.net.resolve import Resolver
from zonda._core.wire.http1.request_printer import BodyPrinter, print_request

from .answer import Answer
from .connect import Origin, open_connection, origin_of
from .errors import HTTPStreamClosedError, HTTPTimeoutError
from .message import HTTPResponse, _RequestProxy
from .pool import Pool
from .redirect import redirected
from .request_head import RequestHead, says_close
from .url import split_url

#: RFC 9110, 9.2.2: sent twice, they do what they do once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class Fetch:
    """Fetches one request; `run` gives the response, with an error in it if there was none."""

    def __init__(self, request: _RequestProxy, pool: Pool, resolver: Resolver, limits: Limits) -> None:
        self._original = request
        self._request = request
        self._pool = pool
        self._resolver = resolver
        self._limits = limits
        self._phase = "during request"

    async def run(self, queued: float) -> HTTPResponse:
        """`queued` are the seconds that the request has waited for its turn."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        timeout = self._original.request_timeout
        self._deadline = start + timeout if timeout else None
        error: BaseException | None = None
        try:
            async with asyncio.timeout_at(self._deadline) as self._timeout:
                answer = await self._follow()
            return self._response(answer, queued, loop.time() - start + queued)
        except TimeoutError as failure:
            error = HTTPTimeoutError(f"Timeout {self._phase}") if self._timeout.expired() else failure
        except StreamClosedError as failure:
            error = failure.real_error or HTTPStreamClosedError("Stream closed")
        except Exception as failure:
            error = failure
        try:
            return self._no_response(error, loop.time() - start + queued)
        finally:
            # Its traceback holds this frame.
            error = None

    def _response(self, answer: Answer, queued: float, total: float) -> HTTPResponse:
        head = answer.head
        assert head is not None
        original = self._original.request
        return HTTPResponse(
            original,
            head.status,
            reason=head.reason,
            headers=answer.headers,
            buffer=answer.buffer(),
            effective_url=self._request.url,
            request_time=total,
            start_time=original.start_time,
            time_info={"queue": queued, "total": total},
        )

    def _no_response(self, error: BaseException, total: float) -> HTTPResponse:
        original = self._original.request
        return HTTPResponse(original, 599, error=error, request_time=total, start_time=original.start_time)

    async def _follow(self) -> Answer:
        while True:
            answer = await self._attempt()
            if not answer.redirects:
                return answer
            assert answer.head is not None
            self._request = redirected(self._request, answer.head.status, answer.headers["Location"])

    async def _attempt(self) -> Answer:
        request = self._request
        origin = origin_of(request)
        head = RequestHead(request, split_url(request.url))
        printed = print_request(head.method, head.target, head.fields)
        repeatable = head.method in _IDEMPOTENT and request.body_producer is None
        while True:
            connection = self._pool.take(origin, repeatable)
            fresh = connection is None
            if connection is None:
                connection = await self._open(origin)
            self._phase = "during request"
            answer = Answer(request, self._limits, connection.loop)
            try:
                await self._exchange(connection, head, printed, answer)
            except (OSError, HTTPStreamClosedError):
                if fresh or answer.begun or not repeatable:
                    raise
                # The server closed a connection that idled: the request was not taken.
                continue
            finally:
                if says_close(head.fields):
                    connection.keep_alive = False
                if connection.receiver is not None:
                    connection.release()
                else:
                    self._pool.give(origin, connection)
            return answer

    async def _open(self, origin: Origin) -> Http1ClientConnection:
        loop = asyncio.get_running_loop()
        timeout = self._request.connect_timeout
        if timeout:
            deadline = loop.time() + timeout
            if self._deadline is None or deadline < self._deadline:
                self._timeout.reschedule(deadline)
        connection = await open_connection(origin, self._resolver, self._limits, self._set_phase)
        if timeout:
            self._timeout.reschedule(self._deadline)
        return connection

    def _set_phase(self, phase: str) -> None:
        self._phase = phase

    async def _exchange(
        self, connection: Http1ClientConnection, head: RequestHead, printed: bytes, answer: Answer
    ) -> None:
        connection.begin(answer, head.method)
        body = head.body
        if body and answer.invited is None and len(body) <= self._limits.write_high_water:
            connection.write(printed + body)
            await answer.done
            return
        connection.write(printed)
        if answer.invited is not None:
            await answer.invited
        if body or self._request.body_producer is not None:
            await self._send_body(connection, head, answer)
        await answer.done

    async def _send_body(self, connection: Http1ClientConnection, head: RequestHead, answer: Answer) -> None:
        if answer.begun or answer.done.done():
            # Refused, or answered without it: it is not sent, and no other request can follow.
            connection.keep_alive = False
            return
        body = head.body or b""
        producer = self._request.body_producer or partial(_write_pieces, body, self._limits.chunk_size)
        printer = BodyPrinter(head.fields, head.chunked)
        sending = asyncio.ensure_future(_produce(producer, connection, printer))
        try:
            await asyncio.wait([sending, answer.done], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            else:
                # Answered before all of it was sent.
                connection.keep_alive = False
        finally:
            sending.cancel()


async def _write_pieces(body: bytes, size: int, write: Callable[[bytes], Any]) -> None:
    for at in range(0, len(body), size):
        await write(body[at : at + size])


async def _produce(
    producer: Callable[[Callable[[bytes], Any]], Awaitable[None] | None],
    connection: Http1ClientConnection,
    printer: BodyPrinter,
) -> None:
    def write(chunk: bytes) -> "asyncio.Future[None]":
        connection.write(printer.piece(chunk))
        return connection.drained()

    waiting = producer(write)
    if waiting is not None:
        await waiting
    last = printer.end()
    if last:
        connection.write(last)
