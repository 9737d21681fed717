"""Futures of asyncio and of `concurrent.futures` under one roof, without any loop of our own.

What `zonda.concurrent` shows of them stands here, because the loop needs it too and is a floor below.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeGuard, TypeVar

from zonda.log import app_log

T = TypeVar("T")

#: asyncio's Future, under the name that Tornado's users import.
Future = asyncio.Future

FUTURES = (concurrent.futures.Future, asyncio.Future)

AnyFuture = asyncio.Future[T] | concurrent.futures.Future[T]


def is_future(x: object) -> TypeGuard[AnyFuture[Any]]:
    """True for an asyncio Future (a Task too) and for a `concurrent.futures.Future`."""
    return isinstance(x, FUTURES)


def done_future(loop: asyncio.AbstractEventLoop) -> "asyncio.Future[None]":
    """A future of `loop` that is done."""
    future: asyncio.Future[None] = loop.create_future()
    future.set_result(None)
    return future


def chain_future(a: AnyFuture[T], b: AnyFuture[T]) -> None:
    """Copies the outcome of `a` (result, exception, cancellation) to `b` when `a` is done.

    `b` is left alone if it is done by then.  Either may be an asyncio Future or a
    `concurrent.futures.Future`; when `a` is finished by another thread and `b` belongs to a
    loop, the copy is made on that loop, and dropped when the loop is closed.
    Source: Tornado documentation, `tornado.concurrent`.
    """

    def copy(a: AnyFuture[T]) -> None:
        if b.done():
            return
        if a.cancelled():
            b.cancel()
            return
        failure = a.exception()
        if failure is not None:
            b.set_exception(failure)
        else:
            b.set_result(a.result())

    if isinstance(a, concurrent.futures.Future) and isinstance(b, asyncio.Future):
        loop = b.get_loop()

        def copy_on_loop(a: AnyFuture[T]) -> None:
            with suppress(RuntimeError):  # the loop of `b` was closed: nobody waits any more
                loop.call_soon_threadsafe(copy, a)

        if not a.done():
            a.add_done_callback(copy_on_loop)
            return
    future_add_done_callback(a, copy)


def future_set_result_unless_cancelled(future: AnyFuture[T], value: T) -> None:
    """Sets the result, or does nothing if the future was cancelled.

    Raises: `asyncio.InvalidStateError` if it is done in another way.
    """
    if not future.cancelled():
        future.set_result(value)


def future_set_exception_unless_cancelled(future: AnyFuture[T], exc: BaseException) -> None:
    """Sets the exception; if the future was cancelled, logs it, so that no failure is lost."""
    if future.cancelled():
        app_log.error("Exception after Future was cancelled", exc_info=exc)
    else:
        future.set_exception(exc)


def future_set_exc_info(
    future: AnyFuture[T],
    exc_info: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
) -> None:
    """Sets the exception of a `sys.exc_info()` triple; a cancelled future gets it logged instead.

    Raises: `Exception` if the triple holds none.
    """
    if exc_info[1] is None:
        raise Exception("future_set_exc_info called with no exception")
    future_set_exception_unless_cancelled(future, exc_info[1])


def future_add_done_callback(future: AnyFuture[T], callback: Callable[[Any], None]) -> None:
    """Calls `callback(future)` when the future is done, and at once if it is already.

    asyncio's own `add_done_callback` would wait for the next turn of the loop.
    """
    if future.done():
        callback(future)
    else:
        future.add_done_callback(callback)
