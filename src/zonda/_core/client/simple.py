"""`SimpleAsyncHTTPClient`: the client on asyncio's transports, with connections kept alive."""

import asyncio
import contextvars
from dataclasses import replace
from functools import partial
from typing import Any

from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.alarms import Alarms
from zonda._core.net.resolve import OverrideResolver, Resolver
from zonda.log import gen_log

from .api import AsyncHTTPClient, Callback
from .errors import HTTPTimeoutError
from .fetch import Fetch
from .message import HTTPRequest, HTTPResponse
from .pool import Pool


class _Waiting:
    """A request that waits for its turn."""

    __slots__ = ("callback", "context", "request", "since", "timer")

    def __init__(self, request: HTTPRequest, callback: Callback, since: float) -> None:
        self.request = request
        self.callback = callback
        self.since = since
        self.context = contextvars.copy_context()
        self.timer: asyncio.TimerHandle | None = None


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """An HTTP/1.1 client without libraries of its own: redirects, gzip, TLS, connections kept alive.

    Up to `max_clients` requests are under way at once, others wait; as many connections are kept for later
    requests.  `hostname_mapping` stands in front of `resolver`, as in `OverrideResolver`.
    `max_buffer_size` bounds what is received and not read, `max_header_size` the head of a response
    (default 65536), `max_body_size` its body (default `max_buffer_size`), all in bytes.
    Source: Tornado documentation, `tornado.simple_httpclient`.
    """

    def initialize(  # type: ignore[override]
        self,
        max_clients: int = 10,
        hostname_mapping: dict[Any, Any] | None = None,
        max_buffer_size: int = 104857600,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
    ) -> None:
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.max_buffer_size = max_buffer_size
        self.max_header_size = max_header_size
        self.max_body_size = max_body_size
        self.own_resolver = resolver is None
        self.resolver: Resolver = Resolver() if resolver is None else resolver
        if hostname_mapping is not None:
            self.resolver = OverrideResolver(resolver=self.resolver, mapping=hostname_mapping)
        head_bytes = max_header_size or DEFAULT_LIMITS.head_bytes
        self._limits = replace(
            DEFAULT_LIMITS,
            head_bytes=head_bytes,
            line_bytes=head_bytes,
            body_bytes=max_body_size or max_buffer_size,
            read_ahead_bytes=min(max_buffer_size, DEFAULT_LIMITS.read_ahead_bytes),
        )
        #: Requests that wait for their turn, in the order they came.
        self.queue: dict[object, _Waiting] = {}
        #: Requests under way.
        self.active: dict[object, asyncio.Task[HTTPResponse]] = {}
        self._alarms = Alarms()
        self._pool = Pool(self.io_loop.asyncio_loop, self._limits, max_clients)

    def close(self) -> None:
        super().close()
        self._pool.close()
        if self.own_resolver:
            self.resolver.close()

    def fetch_impl(self, request: HTTPRequest, callback: Callback) -> None:
        if len(self.active) < self.max_clients and not self.queue:
            self._start(object(), request, callback)
            return
        loop = self.io_loop.asyncio_loop
        key = object()
        waiting = _Waiting(request, callback, loop.time())
        self.queue[key] = waiting
        times = [time for time in (request.connect_timeout, request.request_timeout) if time]
        if times:
            waiting.timer = loop.call_later(min(times), self._give_up, key)
        gen_log.debug(
            "max_clients limit reached, request queued. %d active, %d queued requests.",
            len(self.active),
            len(self.queue),
        )

    def _process_queue(self) -> None:
        now = self.io_loop.asyncio_loop.time()
        while self.queue and len(self.active) < self.max_clients:
            key = next(iter(self.queue))
            waiting = self.queue.pop(key)
            if waiting.timer is not None:
                waiting.timer.cancel()
            waiting.context.run(self._start, key, waiting.request, waiting.callback, now - waiting.since)

    def _start(self, key: object, request: HTTPRequest, callback: Callback, queued: float = 0.0) -> None:
        fetch = Fetch(request, self._pool, self._alarms, self.resolver, self._limits)
        # Its context is the one of the call of `fetch`.
        fetch.task = task = self.io_loop.asyncio_loop.create_task(fetch.run(queued))
        self.active[key] = task
        task.add_done_callback(partial(self._finish, key, callback))

    def _finish(self, key: object, callback: Callback, task: "asyncio.Task[HTTPResponse]") -> None:
        del self.active[key]
        if self.queue:
            self._process_queue()
        if not task.cancelled():
            callback(task.result())

    def _give_up(self, key: object) -> None:
        waiting = self.queue.pop(key)
        now = self.io_loop.asyncio_loop.time()
        waiting.callback(
            HTTPResponse(
                waiting.request,
                599,
                error=HTTPTimeoutError("Timeout in request queue"),
                request_time=now - waiting.since,
                start_time=waiting.request.start_time,
            )
        )
