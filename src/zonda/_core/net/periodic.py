"""`PeriodicCallback`: something to do every so many milliseconds."""

import datetime
import math
import random
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from zonda.log import app_log

from .loop import IOLoop


class PeriodicCallback:
    """Calls `callback` every `callback_time` milliseconds (or a `timedelta`) once started.

    An awaitable that it returns is awaited before the next call is planned, so calls never
    overlap.  A call that takes longer than `callback_time` makes the next ones be skipped, back
    to the old schedule.  `jitter` is a fraction: 0.1 varies each step by up to 5 % either way,
    so that many processes do not work in step.

    Raises: `ValueError` for a `callback_time` that is not positive.
    Source: Tornado documentation, `tornado.ioloop`.
    """

    def __init__(
        self,
        callback: Callable[[], Awaitable[object] | None],
        callback_time: datetime.timedelta | float,
        jitter: float = 0,
    ) -> None:
        self.callback = callback
        if isinstance(callback_time, datetime.timedelta):
            self.callback_time: float = callback_time / datetime.timedelta(milliseconds=1)
        else:
            self.callback_time = callback_time
        if self.callback_time <= 0:
            raise ValueError("Periodic callback must have a positive callback_time")
        self.jitter = jitter
        self._running = False
        self._timeout: object = None

    def start(self) -> None:
        """Starts the timer, on the current loop; started again, it goes on as it was."""
        if self._running:
            return
        self.io_loop = IOLoop.current()
        self._running = True
        self._next_timeout = self.io_loop.time()
        self._schedule_next()

    def stop(self) -> None:
        """Stops the timer; a call that is under way finishes."""
        self._running = False
        if self._timeout is not None:
            self.io_loop.remove_timeout(self._timeout)
            self._timeout = None

    def is_running(self) -> bool:
        """True between `start` and `stop`."""
        return self._running

    async def _run(self) -> None:
        if not self._running:
            return
        try:
            outcome = self.callback()
            if outcome is not None and isawaitable(outcome):
                await outcome
        except Exception:
            app_log.error("Exception in callback %r", self.callback, exc_info=True)
        finally:
            self._schedule_next()

    def _schedule_next(self) -> None:
        if self._running:
            self._update_next(self.io_loop.time())
            self._timeout = self.io_loop.add_timeout(self._next_timeout, self._run)

    def _update_next(self, current_time: float) -> None:
        step = self.callback_time / 1000.0
        if self.jitter:
            step *= 1 + self.jitter * (random.random() - 0.5)
        if self._next_timeout <= current_time:
            # Late: on to the first point of the schedule that is still to come.
            missed = math.floor((current_time - self._next_timeout) / step)
            self._next_timeout += (missed + 1) * step
        else:
            # The clock went back, or the timer fired a little early: keep the schedule's step.
            self._next_timeout += step
