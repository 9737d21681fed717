"""Queues between coroutines of one loop; like locks, they do not make threads safe.

    queue = queues.Queue(maxsize=10)
    await queue.put(item)
    async for item in queue:
        ...
        queue.task_done()

A time-out is a `timedelta` from now, or a deadline on the clock of `IOLoop.time`.  Source: Tornado
documentation, page `queues`.
"""

import collections
import heapq
from collections.abc import Awaitable
from typing import Any, Generic, TypeVar

from zonda._core.net.futures import Future
from zonda.locks import Deadline, Event, fail_at_deadline

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"]

T = TypeVar("T")


class QueueEmpty(Exception):
    """`get_nowait` found nothing in the queue."""


class QueueFull(Exception):
    """`put_nowait` found no room in the queue."""


class _Line(collections.deque[tuple[Any, Future[Any]]]):
    """Who waits, in order, each with what is to be put (None for a getter)."""

    # Those who gave up (cancelled, timed out) leave when they come to the front.  Behind one who waits for
    # ever they would pile up: at this length all are looked at, and then at twice what is left.
    _search_at = 64

    def join(self, item: Any, future: "Future[Any]") -> None:
        self.append((item, future))
        if len(self) >= self._search_at:
            waiting = [entry for entry in self if not entry[1].done()]
            self.clear()
            self.extend(waiting)
            self._search_at = max(_Line._search_at, 2 * len(waiting))

    def drop_done(self) -> None:
        while self and self[0][1].done():
            self.popleft()


class _QueueIterator(Generic[T]):
    def __init__(self, queue: "Queue[T]") -> None:
        self._queue = queue

    def __anext__(self) -> Awaitable[T]:
        return self._queue.get()


class Queue(Generic[T]):
    """First in, first out.  `maxsize` 0 means no bound; with a bound, `put` waits while the queue is full.

    Raises TypeError if `maxsize` is None, ValueError if it is negative.
    """

    # What subclasses keep their items in; see _init.
    _queue: Any

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize can't be None")
        if maxsize < 0:
            raise ValueError(f"maxsize can't be negative, it is {maxsize}")
        self._maxsize = maxsize
        self._init()
        self._getters = _Line()
        self._putters = _Line()
        self._unfinished_tasks = 0
        self._finished = Event()
        self._finished.set()

    # The three that a queue of another order overrides.

    def _init(self) -> None:
        self._queue = collections.deque()

    def _get(self) -> T:
        return self._queue.popleft()  # type: ignore[no-any-return]

    def _put(self, item: T) -> None:
        self._queue.append(item)

    @property
    def maxsize(self) -> int:
        """Number of items allowed; 0 means no bound."""
        return self._maxsize

    def qsize(self) -> int:
        """Number of items in the queue."""
        return len(self._queue)

    def empty(self) -> bool:
        return not self._queue

    def full(self) -> bool:
        return self._maxsize > 0 and self.qsize() >= self._maxsize

    def put(self, item: T, timeout: Deadline = None) -> "Future[None]":
        """Puts an item in, once there is room.  TimeoutError if the time is over first."""
        future: Future[None] = Future()
        try:
            self.put_nowait(item)
        except QueueFull:
            fail_at_deadline(future, timeout)
            self._putters.join(item, future)
        else:
            future.set_result(None)
        return future

    def put_nowait(self, item: T) -> None:
        """Puts an item in; QueueFull if there is no room."""
        self._putters.drop_done()
        self._getters.drop_done()
        if self._getters:
            # Through _put and _get, so that a queue of another order sees every item.
            self._put_task(item)
            _, getter = self._getters.popleft()
            getter.set_result(self._get())
        elif self.full():
            raise QueueFull
        else:
            self._put_task(item)

    def get(self, timeout: Deadline = None) -> "Future[T]":
        """Takes an item out, once there is one.  TimeoutError if the time is over first."""
        future: Future[T] = Future()
        try:
            future.set_result(self.get_nowait())
        except QueueEmpty:
            fail_at_deadline(future, timeout)
            self._getters.join(None, future)
        return future

    def get_nowait(self) -> T:
        """Takes an item out; QueueEmpty if there is none."""
        self._putters.drop_done()
        self._getters.drop_done()
        if self._putters:
            item, putter = self._putters.popleft()
            self._put_task(item)
            putter.set_result(None)
        elif not self.qsize():
            raise QueueEmpty
        return self._get()

    def task_done(self) -> None:
        """Says that the work on an item that was taken out is done: once for each `get`.

        Raises ValueError if it is called more often than items were put in.
        """
        if self._unfinished_tasks <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished_tasks -= 1
        if self._unfinished_tasks == 0:
            self._finished.set()

    def join(self, timeout: Deadline = None) -> "Future[None]":
        """Waits until the work on all items is done.  TimeoutError if the time is over first."""
        return self._finished.wait(timeout)

    def __aiter__(self) -> _QueueIterator[T]:
        return _QueueIterator(self)

    def _put_task(self, item: T) -> None:
        self._unfinished_tasks += 1
        self._finished.clear()
        self._put(item)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {hex(id(self))} {self._format()}>"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._format()}>"

    def _format(self) -> str:
        text = f"maxsize={self.maxsize!r}"
        if self._queue:
            text += f" queue={self._queue!r}"
        if self._getters:
            text += f" getters[{len(self._getters)}]"
        if self._putters:
            text += f" putters[{len(self._putters)}]"
        if self._unfinished_tasks:
            text += f" tasks={self._unfinished_tasks}"
        return text


class PriorityQueue(Queue[T]):
    """The smallest item first; items are often tuples `(priority, data)`."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: T) -> None:
        heapq.heappush(self._queue, item)

    def _get(self) -> T:
        return heapq.heappop(self._queue)  # type: ignore[no-any-return]


class LifoQueue(Queue[T]):
    """Last in, first out."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: T) -> None:
        self._queue.append(item)

    def _get(self) -> T:
        return self._queue.pop()  # type: ignore[no-any-return]
