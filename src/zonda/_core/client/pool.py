"""Connections that wait for their next request, by origin."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from zonda._core.base.limits import Limits
from zonda._core.link.http1_client import Http1ClientConnection

from .connect import Origin

#: Seconds after its last answer during which a connection does not count as one that idled.  A server may
#: close at any time one that idles, and then nobody knows whether it took the request: so there only requests
#: go that may be sent twice.  On one that has just answered, an end has to do with the request itself.
_TRUSTED = 1.0


class Pool:
    """Keeps up to `size` idle connections, each for `Limits.client_idle_timeout` seconds.

    The one that was used last is used first, so that those that are not needed grow old.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, size: int) -> None:
        self.loop = loop
        self._timeout = limits.client_idle_timeout
        self._size = size
        #: The most recently used last, in each origin and among all.
        self._idle: dict[Origin, list[Http1ClientConnection]] = {}
        self._all: dict[Http1ClientConnection, Origin] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._shutdown: AsyncGenerator[None, None] | None = None

    def __len__(self) -> int:
        return len(self._all)

    def take(self, origin: Origin, repeatable: bool) -> Http1ClientConnection | None:
        """An idle connection; `repeatable`: the request may be sent again if it turns out to be dead."""
        while connections := self._idle.get(origin):
            connection = connections[-1]
            reusable = connection.reusable
            if reusable and not repeatable and self.idled(connection):
                return None
            connections.pop()
            if not connections:
                del self._idle[origin]
            del self._all[connection]
            if reusable:
                return connection
            connection.close()
        return None

    def idled(self, connection: Http1ClientConnection) -> bool:
        """Whether it has waited so long that the server may have given it up meanwhile."""
        return self.loop.time() - connection.idle_since > _TRUSTED

    def give(self, origin: Origin, connection: Http1ClientConnection) -> None:
        """Takes a connection back, or closes it if it is of no more use."""
        if self._closed or not connection.reusable:
            connection.close()
            return
        while len(self._all) >= self._size:
            oldest = next(iter(self._all))
            self._remove(oldest)
            oldest.close()
        connection.idle_since = self.loop.time()
        self._idle.setdefault(origin, []).append(connection)
        self._all[connection] = origin
        if self._timer is None:
            self._timer = self.loop.call_later(self._timeout, self._expire)
        if self._shutdown is None:
            self._shutdown = _until_shutdown(self)
            # Up to its `yield`: from now on the loop knows it.
            with contextlib.suppress(StopIteration):
                self._shutdown.__anext__().send(None)

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self._all:
            connection.abort()
        self._all.clear()
        self._idle.clear()

    def _remove(self, connection: Http1ClientConnection) -> None:
        origin = self._all.pop(connection)
        connections = self._idle[origin]
        connections.remove(connection)
        if not connections:
            del self._idle[origin]

    def _expire(self) -> None:
        self._timer = None
        now = self.loop.time()
        for connection in list(self._all):
            left = connection.idle_since + self._timeout - now
            if left > 0 and not connection.closed():
                self._timer = self.loop.call_later(left, self._expire)
                return
            self._remove(connection)
            connection.close()


async def _until_shutdown(pool: Pool) -> AsyncGenerator[None, None]:
    """The one way to hear that a loop ends: it closes its asynchronous generators (`asyncio.run`)."""
    try:
        yield
    finally:
        pool.close()
