"""One fetch, from its start to its response: attempts, redirects, times."""

import asyncio
from collections.abc import Awaitable, Callable
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
from .redirect import redirected, split_url
from .request_head import RequestHead

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
        request = self._original
        answer: Answer | None = None
        error: BaseException | None = None
        deadline = start + request.request_timeout - queued if request.request_timeout else None
        try:
            async with asyncio.timeout_at(deadline) as self._timeout:
                self._deadline = deadline
                answer = await self._follow(queued)
        except TimeoutError as timeout:
            error = HTTPTimeoutError(f"Timeout {self._phase}") if self._timeout.expired() else timeout
        except StreamClosedError as closed:
            error = closed.real_error or HTTPStreamClosedError("Stream closed")
        except Exception as failure:
            error = failure
        total = loop.time() - start + queued
        if error is not None or answer is None or answer.head is None:
            return HTTPResponse(
                request.request, 599, error=error, request_time=total, start_time=request.start_time
            )
        return HTTPResponse(
            request.request,
            answer.head.status,
            reason=answer.head.reason,
            headers=answer.headers,
            buffer=answer.buffer(),
            effective_url=self._request.url,
            request_time=total,
            start_time=request.start_time,
            time_info={"queue": queued, "total": total},
        )

    async def _follow(self, queued: float) -> Answer:
        while True:
            answer = await self._attempt(queued)
            if not answer.redirects:
                return answer
            assert answer.head is not None
            self._request = redirected(self._request, answer.head.status, answer.headers["Location"])
            queued = 0.0

    async def _attempt(self, queued: float) -> Answer:
        request = self._request
        origin = origin_of(request)
        head = RequestHead(request, split_url(request.url))
        printed = print_request(head.method, head.target, head.fields)
        repeatable = head.method in _IDEMPOTENT and request.body_producer is None
        while True:
            connection = self._pool.take(origin, repeatable)
            fresh = connection is None
            if connection is None:
                connection = await self._open(origin, queued)
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
                if connection.receiver is not None:
                    connection.release()
                else:
                    self._pool.give(origin, connection)
            return answer

    async def _open(self, origin: Origin, queued: float) -> Http1ClientConnection:
        loop = asyncio.get_running_loop()
        timeout = self._request.connect_timeout
        if timeout:
            deadline = loop.time() + timeout - queued
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
        if answer.invited is None:
            if body:
                printed += body
            connection.write(printed)
        else:
            connection.write(printed)
            await answer.invited
            if answer.begun or answer.done.done():
                # Refused, or answered without it: the body is not sent, and nothing can follow.
                await answer.done
                connection.close()
                return
            if body:
                connection.write(body)
        producer = self._request.body_producer
        if producer is not None:
            sending = asyncio.ensure_future(
                _produce(producer, connection, BodyPrinter(head.fields, head.chunked))
            )
            try:
                await asyncio.wait([sending, answer.done], return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
                else:
                    # Answered before the body was sent.
                    await answer.done
                    connection.close()
                    return
            finally:
                sending.cancel()
        await answer.done


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
