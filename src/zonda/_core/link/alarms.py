"""One timer for many connections."""

import asyncio
from heapq import heapify, heappop, heappush
from typing import Protocol

#: Cancelled alarms that may stand in the queue beside as many as there are live ones.
_SLACK = 64


class Waking(Protocol):
    """What can be woken."""

    loop: asyncio.AbstractEventLoop

    def wake(self, now: float) -> None:
        """Its time has come; it may set another."""


class Alarm:
    """When somebody is to be woken; `waking` is None once nobody wants it any more."""

    __slots__ = ("waking", "when")

    def __init__(self, when: float, waking: Waking) -> None:
        self.when = when
        self.waking: Waking | None = waking

    def __lt__(self, other: "Alarm") -> bool:
        return self.when < other.when


class Alarms:
    """Wakes connections of one loop (times are `loop.time()`), with one timer of the loop's for all."""

    __slots__ = ("_live", "_queue", "_timer")

    def __init__(self) -> None:
        self._queue: list[Alarm] = []
        self._timer: asyncio.TimerHandle | None = None
        self._live = 0

    def set(self, waking: Waking, when: float, earlier: Alarm | None = None) -> Alarm:
        """Wakes at `when` or, if the `earlier` alarm is set before, then."""
        if earlier is not None and earlier.waking is not None:
            if earlier.when <= when:
                return earlier
            self.cancel(earlier)
        alarm = Alarm(when, waking)
        heappush(self._queue, alarm)
        self._live += 1
        if self._queue[0] is alarm:
            self._arm(waking.loop)
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        if alarm.waking is None:
            return
        alarm.waking = None
        self._live -= 1
        if not self._live:
            self._queue.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif len(self._queue) > 2 * self._live + _SLACK:
            # In place: `_ring` may be going through it.
            self._queue[:] = [alarm for alarm in self._queue if alarm.waking is not None]
            heapify(self._queue)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._queue[0].when, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        queue = self._queue
        while queue and queue[0].when <= now:
            alarm = heappop(queue)
            waking = alarm.waking
            if waking is None:
                continue
            alarm.waking = None
            self._live -= 1
            waking.wake(now)
        if queue and self._timer is None:
            self._arm(loop)
