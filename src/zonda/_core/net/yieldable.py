"""What may be waited for: everything that a generator coroutine may `yield` and a callback return.

`zonda.gen` adds its own kinds (lists, dicts) by `convert_yielded.register`; the loop stays below it.
"""

import asyncio
import functools
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any, TypeVar

from .futures import FUTURES, AnyFuture

T = TypeVar("T")


class BadYieldError(Exception):
    """Something was yielded that cannot be waited for."""


class _NullFuture:
    """Quacks like a Future that is done with `None`; the same object serves everyone."""

    def result(self) -> None:
        return None

    def done(self) -> bool:
        return True


#: Yielded in a generator coroutine: let the loop turn once, then go on.
#: In native coroutines `await asyncio.sleep(0)` does that.
moment: Any = _NullFuture()


@functools.singledispatch
def convert_yielded(yielded: Any) -> AnyFuture[Any]:
    """Turns what was yielded into a Future (an awaitable becomes a Task).

    New kinds are added with `convert_yielded.register`.
    Raises: `BadYieldError` for what cannot be waited for.
    Source: Tornado documentation, `tornado.gen`.
    """
    if yielded is None or yielded is moment:
        return moment  # type: ignore[no-any-return]  # as good as a Future to those who ask `done()`
    if isinstance(yielded, FUTURES):
        return yielded
    if isawaitable(yielded):
        return wrap_awaitable(yielded)
    raise BadYieldError(f"yielded unknown object {yielded!r}")


#: asyncio holds its Tasks weakly; one that nobody else holds (a callback's) must not vanish half-way.
_unfinished: set[asyncio.Future[Any]] = set()


def wrap_awaitable(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    """A Task on the running loop, or, when none runs, on the thread's; held until it is done."""
    task = asyncio.ensure_future(awaitable)
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    return task
