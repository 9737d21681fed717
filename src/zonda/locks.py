"""Locks for coroutines on one loop: they let a coroutine wait for others, and do not make threads safe.

    lock = locks.Lock()
    async with lock:
        ...

Waiters are served in the order in which they came.  A time-out is a `timedelta` from now, or a deadline
on the clock of `IOLoop.time`.  Source: Tornado documentation, page `locks`.
"""

import asyncio
import datetime
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Any

from zonda._core.net.futures import Future, future_set_exception_unless_cancelled
from zonda._core.net.loop import IOLoop

__all__ = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"]

Deadline = float | datetime.timedelta | None


def call_at_deadline(
    future: "Future[Any]", timeout: Deadline, action: "Callable[[Future[Any]], None]"
) -> None:
    """Calls `action(future)` at the deadline, if there is one and the future is not done by then."""
    if timeout is None:
        return

    def expire() -> None:
        if not future.done():
            action(future)

    io_loop = IOLoop.current()
    handle = io_loop.add_timeout(timeout, expire)
    future.add_done_callback(lambda _: io_loop.remove_timeout(handle))


def fail_at_deadline(future: "Future[Any]", timeout: Deadline) -> None:
    """Fails the future with TimeoutError at the deadline, if there is one."""
    call_at_deadline(future, timeout, _fail)


def _fail(future: "Future[Any]") -> None:
    future_set_exception_unless_cancelled(future, TimeoutError("Timeout"))


class _Waiters:
    """Futures in the order of their arrival; one that was cancelled or timed out leaves by itself."""

    def __init__(self) -> None:
        # Ordered, and O(1) at both ends and in the middle: a deque would keep those who gave up.
        self._waiters: OrderedDict[Future[Any], None] = OrderedDict()

    def _wait(self) -> "Future[Any]":
        waiter: Future[Any] = Future()
        self._waiters[waiter] = None
        waiter.add_done_callback(self._forget)
        return waiter

    def _forget(self, waiter: "Future[Any]") -> None:
        self._waiters.pop(waiter, None)

    def _next_waiter(self) -> "Future[Any] | None":
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                return waiter
        return None


class Condition(_Waiters):
    """Coroutines wait until another one says that something may have changed."""

    def __repr__(self) -> str:
        waiters = f" waiters[{len(self._waiters)}]" if self._waiters else ""
        return f"<{type(self).__name__}{waiters}>"

    def wait(self, timeout: Deadline = None) -> "Future[bool]":
        """Waits for `notify`; True, or False if the time was over first."""
        waiter: Future[bool] = self._wait()
        call_at_deadline(waiter, timeout, lambda expired: expired.set_result(False))
        return waiter

    def notify(self, n: int = 1) -> None:
        """Wakes the `n` coroutines that have waited longest."""
        # All are taken before any is woken: a callback may wait or notify again.
        woken: list[Future[bool]] = []
        while len(woken) < n and (waiter := self._next_waiter()) is not None:
            woken.append(waiter)
        for waiter in woken:
            if not waiter.done():
                waiter.set_result(True)

    def notify_all(self) -> None:
        """Wakes all who wait now."""
        self.notify(len(self._waiters))


class Event(_Waiters):
    """A flag: while it is not set, coroutines wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._value = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._value else 'clear'}>"

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._value

    def set(self) -> None:
        """Sets the flag and wakes all who wait; until `clear`, nobody waits."""
        self._value = True
        while (waiter := self._next_waiter()) is not None:
            waiter.set_result(None)

    def clear(self) -> None:
        """Takes the flag down: `wait` waits for the next `set`."""
        self._value = False

    def wait(self, timeout: Deadline = None) -> "Future[None]":
        """Waits until the flag is set.  TimeoutError if the time is over first."""
        if self._value:
            future: Future[None] = Future()
            future.set_result(None)
            return future
        waiter: Future[None] = self._wait()
        fail_at_deadline(waiter, timeout)
        return waiter


class _Release:
    """Releases a lock at the end of `with (yield lock.acquire()):`."""

    def __init__(self, lock: "Semaphore") -> None:
        self._lock = lock

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._lock.release()


class Semaphore(_Waiters):
    """A counter of permits: `acquire` takes one and waits while there is none, `release` gives one back.

    Use it with `async with semaphore:` or, in a generator coroutine, `with (yield semaphore.acquire()):`.
    Raises ValueError if `value`, the number at first, is negative.
    """

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        if value < 0:
            raise ValueError(f"semaphore initial value must be >= 0, not {value}")
        self._value = value

    def __repr__(self) -> str:
        state = f"unlocked,value:{self._value}" if self._value else "locked"
        if self._waiters:
            state += f",waiters:{len(self._waiters)}"
        return f"<{super().__repr__()[1:-1]} [{state}]>"

    def release(self) -> None:
        """Gives a permit to the coroutine that has waited longest, or adds one to the counter."""
        waiter = self._next_waiter()
        if waiter is None:
            self._value += 1
        else:
            waiter.set_result(_Release(self))

    def acquire(self, timeout: Deadline = None) -> "Future[_Release]":
        """Takes a permit.  TimeoutError if the time is over first.

        The result is a context manager that releases.
        """
        if self._value == 0:
            waiter: Future[_Release] = self._wait()
            fail_at_deadline(waiter, timeout)
            return waiter
        self._value -= 1
        future: Future[_Release] = Future()
        future.set_result(_Release(self))
        return future

    def __enter__(self) -> None:
        raise RuntimeError("Use 'async with' instead of 'with' for Semaphore")

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__enter__()

    async def __aenter__(self) -> None:
        acquired = self.acquire()
        try:
            await acquired
        except asyncio.CancelledError:
            # Cancelled between being given the permit and running again: nobody else could return it.
            if not acquired.cancelled():
                self.release()
            raise

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """A semaphore that may not be released more often than it was acquired."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value=value)
        self._initial_value = value

    def release(self) -> None:
        """Gives a permit back.  ValueError if none is out."""
        if self._value >= self._initial_value:
            raise ValueError("Semaphore released too many times")
        super().release()


class Lock:
    """One coroutine at a time; use it with `async with lock:`."""

    def __init__(self) -> None:
        self._block = BoundedSemaphore(value=1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} _block={self._block}>"

    def acquire(self, timeout: Deadline = None) -> "Future[_Release]":
        """Takes the lock.  TimeoutError if the time is over first."""
        return self._block.acquire(timeout)

    def release(self) -> None:
        """Gives the lock to the coroutine that has waited longest.  RuntimeError if it is not taken."""
        try:
            self._block.release()
        except ValueError:
            raise RuntimeError("release unlocked lock") from None

    def __enter__(self) -> None:
        raise RuntimeError("Use `async with` instead of `with` for Lock")

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.__enter__()

    async def __aenter__(self) -> None:
        await self._block.__aenter__()

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()
