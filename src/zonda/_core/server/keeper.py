"""Keeps the connections of one server: how many, for how long."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from zonda._core.base.clock import monotonic
from zonda._core.base.limits import Limits
from zonda._core.link.alarms import Alarms
from zonda._core.link.exchange import Keeper, Serve
from zonda._core.link.http1 import Http1Connection
from zonda._core.net.futures import done_future
from zonda._core.net.stream import Turn
from zonda._core.wire.http1.usual import Shared
from zonda.log import app_log, gen_log

from .proxy import TrustedProxy


class Kept(Protocol):
    """A connection: HTTP, or what was made of it."""

    loop: asyncio.AbstractEventLoop
    #: When `expire` is due; None = never.
    deadline: float | None

    @property
    def peer(self) -> Any: ...
    def expire(self, now: float) -> None: ...
    def leave(self) -> None: ...
    def retire(self, now: float) -> None: ...
    def abort(self) -> None: ...


class ConnectionKeeper(Keeper):
    """All open connections of a server, and the one timer that ages them."""

    def __init__(
        self,
        serve: Serve,
        limits: Limits,
        *,
        keep_alive: bool = True,
        decompress: bool = False,
        protocol: str = "http",
        proxy: TrustedProxy | None = None,
        on_close: Callable[[Http1Connection], None] | None = None,
    ) -> None:
        self.serve = serve
        self.limits = limits
        self.keep_alive = keep_alive
        self.draining = False
        self.decompress = decompress
        self.protocol = protocol
        self.readers = Shared()
        self.taken = None
        self.turn = Turn()
        self.proxy = proxy
        self.idle_deadline = 0.0
        #: Called with each connection that is no longer ours.
        self._on_close = on_close
        #: The oldest first; none has a value: a set of thousands would take twice as much.
        self.connections: dict[Any, None] = {}
        #: For connections that are not aged but woken, each at its own time.
        self.alarms = Alarms()
        self._timer: asyncio.TimerHandle | None = None
        shortest = min(limits.idle_timeout, limits.head_timeout, limits.stall_timeout)
        # Often enough to be right within a fraction of the shortest time, and a second at most.
        self._period = min(1.0, max(0.02, min(shortest, limits.body_timeout or shortest) / 4))

    def accept(self) -> Http1Connection:
        """The protocol object of a new connection (the loop's factory)."""
        loop = asyncio.get_running_loop()
        if self.taken is None or self.taken.get_loop() is not loop:
            self.taken = done_future(loop)
        return Http1Connection(self, loop)

    def joined(self, connection: Kept) -> None:
        if len(self.connections) >= self.limits.connections:
            gen_log.warning(
                "Refused a connection from %s: %d are open, no more are allowed",
                connection.peer,
                len(self.connections),
            )
            connection.abort()
            return
        self.connections[connection] = None
        self.turn.count(len(self.connections))
        if self._timer is None:
            self.idle_deadline = monotonic() + self._period + self.limits.idle_timeout
            self._timer = connection.loop.call_later(self._period, self._age)

    def left(self, connection: Kept) -> None:
        if connection not in self.connections:
            return
        del self.connections[connection]
        self.turn.count(len(self.connections))
        if self._on_close is not None and isinstance(connection, Http1Connection):
            try:
                self._on_close(connection)
            except Exception:
                app_log.error("Uncaught exception in on_close", exc_info=True)
        if not self.connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _age(self) -> None:
        now = monotonic()
        # Connections that fall idle until the next round would be asked too early otherwise.
        self.idle_deadline = now + self._period + self.limits.idle_timeout
        late = [c for c in self.connections if c.deadline is not None and c.deadline <= now]
        for connection in late:
            connection.expire(now)
        self._timer = None
        for connection in self.connections:
            self._timer = connection.loop.call_later(self._period, self._age)
            break

    async def close_all(self) -> None:
        """Closes every connection, and returns when they are closed; what does not go in time is aborted."""
        deadline = monotonic() + self.limits.stall_timeout
        for connection in list(self.connections):
            connection.leave()
        while self.connections:
            if monotonic() > deadline:
                for connection in list(self.connections):
                    connection.abort()
            await asyncio.sleep(0.001)
