"""One fetch, from its start to its response: attempts, redirects, times."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from zonda._core.base.limits import Limits
from zonda._core.link.alarms import Alarm, Alarms
from zonda._core.link.http1_client import Http1ClientConnection
from zonda._core.net.errors import StreamClosedError
from zonda._core.net.resolve import Resolver
from zonda._core.wire.http1.request_printer import BodyPrinter, print_request

from .answer import Answer
from .connect import Origin, open_connection, origin_of
from .errors import HTTPStreamClosedError, HTTPTimeoutError
from .message import HTTPRequest, HTTPResponse, _RequestProxy, settled
from .pool import Pool
from .redirect import redirected
from .request_head import fields_of, says_close
from .url import target_of

#: RFC 9110, 9.2.2: sent twice, they do what they do once.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class Fetch:
    """Fetches one request; `run` gives the response, with an error in it if there was none."""

    def __init__(
        self,
        request: HTTPRequest | _RequestProxy,
        pool: Pool,
        alarms: Alarms,
        resolver: Resolver,
        limits: Limits,
    ) -> None:
        self.loop = pool.loop
        self._alarms = alarms
        #: What the response shows.
        self._original = request.request if isinstance(request, _RequestProxy) else request
        #: The request of the attempt under way, with all defaults.
        self._request = settled(request)
        self._pool = pool
        self._resolver = resolver
        self._limits = limits
        #: What is being waited for.
        self._phase = "during request"
        #: The one that does `run`.
        self.task: asyncio.Task[Any] | None = None
        self._alarm: Alarm | None = None
        self._expired = False

    async def run(self, queued: float) -> HTTPResponse:
        """`queued` are the seconds that the request has waited for its turn."""
        loop = self.loop
        start = loop.time()
        timeout = self._request.request_timeout
        if timeout:
            self._alarm = self._alarms.set(self, start + timeout)
        error: BaseException | None = None
        try:
            answer = await self._attempt()
            while answer.location is not None:
                assert answer.head is not None
                self._request = redirected(self._request, answer.head.status, answer.location)
                answer = await self._attempt()
            return self._response(answer, queued, loop.time() - start + queued)
        except asyncio.CancelledError:
            if not self._expired or (self.task is not None and self.task.uncancel() > 0):
                raise
            error = HTTPTimeoutError(f"Timeout {self._phase}")
        except StreamClosedError as failure:
            error = failure.real_error or HTTPStreamClosedError("Stream closed")
        except Exception as failure:
            error = failure
        finally:
            if self._alarm is not None:
                self._alarms.cancel(self._alarm)
        try:
            return self._no_response(error, loop.time() - start + queued)
        finally:
            # Its traceback holds this frame.
            error = None

    def wake(self, now: float) -> None:
        """Time has run out."""
        self._expired = True
        if self.task is not None:
            self.task.cancel()

    def _response(self, answer: Answer, queued: float, total: float) -> HTTPResponse:
        head = answer.head
        assert head is not None
        response = HTTPResponse(
            self._original,
            head.status,
            reason=head.reason,
            buffer=answer.buffer(),
            effective_url=self._request.url,
            request_time=total,
            start_time=self._original.start_time,
            time_info={"queue": queued, "total": total},
        )
        response._block = head.block
        return response

    def _no_response(self, error: BaseException, total: float) -> HTTPResponse:
        original = self._original
        return HTTPResponse(original, 599, error=error, request_time=total, start_time=original.start_time)

    async def _attempt(self) -> Answer:
        request = self._request
        target = target_of(request.url)
        origin = origin_of(request, target)
        fields = fields_of(request, target)
        printed = print_request(request.method, target.path, fields)
        repeatable = request.method in _IDEMPOTENT and request.body_producer is None
        while True:
            connection = self._pool.take(origin, repeatable)
            idled = False
            if connection is not None:
                idled = self._pool.idled(connection)
            else:
                connection = await self._open(origin)
            self._phase = "during request"
            answer = Answer(request, self._limits, connection.loop)
            try:
                await self._exchange(connection, fields, printed, answer)
            except (OSError, HTTPStreamClosedError):
                if not idled or answer.begun or not repeatable:
                    raise
                # The server closed a connection that idled: the request was not taken.
                continue
            finally:
                if says_close(fields):
                    connection.keep_alive = False
                if connection.receiver is not None:
                    connection.release()
                else:
                    self._pool.give(origin, connection)
            return answer

    async def _open(self, origin: Origin) -> Http1ClientConnection:
        timeout = self._request.connect_timeout
        alarm = None
        if timeout:
            alarm = self._alarms.set(self, self.loop.time() + timeout)
        try:
            return await open_connection(origin, self._resolver, self._limits, self._set_phase)
        finally:
            if alarm is not None:
                self._alarms.cancel(alarm)

    def _set_phase(self, phase: str) -> None:
        self._phase = phase

    async def _exchange(
        self, connection: Http1ClientConnection, fields: dict[str, Any], printed: bytes, answer: Answer
    ) -> None:
        connection.begin(answer, self._request.method)
        body = self._request.body
        if body and answer.invited is None and len(body) <= self._limits.write_high_water:
            connection.write(printed + body)
            await answer.done
            return
        connection.write(printed)
        if answer.invited is not None:
            await answer.invited
        if body or self._request.body_producer is not None:
            await self._send_body(connection, fields, answer)
        await answer.done

    async def _send_body(
        self, connection: Http1ClientConnection, fields: dict[str, Any], answer: Answer
    ) -> None:
        if answer.begun or answer.done.done():
            # Refused, or answered without it: it is not sent, and no other request can follow.
            connection.keep_alive = False
            return
        body = self._request.body or b""
        producer = self._request.body_producer or partial(_write_pieces, body, self._limits.chunk_size)
        printer = BodyPrinter(fields, "Transfer-Encoding" in fields)
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
