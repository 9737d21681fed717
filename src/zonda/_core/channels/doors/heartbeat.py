"""Signs of life on streams that have nothing to tell: one timer for all of a hub's."""

import asyncio
from itertools import islice
from typing import Protocol
from weakref import WeakKeyDictionary

from zonda._core.channels.hub import Hub

#: Looks at the streams within an interval.
_ROUNDS = 25


class Beating(Protocol):
    """A stream."""

    def beat(self) -> None:
        """Shows a sign of life."""


class Heartbeat:
    """Has each stream beat before `interval` seconds have passed since it last did."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        #: When each of them last beat (`loop.time()`), in that order.
        self._streams: dict[Beating, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, stream: Beating) -> None:
        loop = asyncio.get_running_loop()
        self._streams[stream] = loop.time()
        if self._timer is None:
            self._set_timer(loop)

    def discard(self, stream: Beating) -> None:
        self._streams.pop(stream, None)
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._interval / _ROUNDS, self._round, loop)

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        streams = self._streams
        # Half the interval is enough to have all of them beat in lots, however many came at once.
        for stream, last in list(islice(streams.items(), 1 + 2 * len(streams) // _ROUNDS)):
            if last > now - self._interval / 2:
                break
            del streams[stream]
            streams[stream] = now
            stream.beat()
        if streams and self._timer is None:
            self._set_timer(loop)


_heartbeats: WeakKeyDictionary[Hub, Heartbeat] = WeakKeyDictionary()


def heartbeat_of(hub: Hub) -> Heartbeat:
    """The one of a hub."""
    found = _heartbeats.get(hub)
    if found is None:
        found = _heartbeats[hub] = Heartbeat(hub.limits.channel_keepalive)
    return found
