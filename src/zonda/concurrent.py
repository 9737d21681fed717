"""Futures, and work for threads: the public module `zonda.concurrent` (Tornado: `tornado.concurrent`).

What concerns futures alone stands in the net room, which needs it; here stand the executors.
"""

import asyncio
import concurrent.futures
import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from zonda._core.base.face import show
from zonda._core.net.futures import (
    FUTURES,
    Future,
    chain_future,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
)
from zonda._core.net.loop import IOLoop

__all__ = [
    "FUTURES",
    "DummyExecutor",
    "Future",
    "ReturnValueIgnoredError",
    "chain_future",
    "dummy_executor",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_exception_unless_cancelled",
    "future_set_result_unless_cancelled",
    "is_future",
    "run_on_executor",
]

T = TypeVar("T")


class ReturnValueIgnoredError(Exception):
    """Nothing raises it any more; programs may still name it."""


class DummyExecutor(concurrent.futures.Executor):
    """An executor without threads: `submit` calls the function at once."""

    def submit(  # type: ignore[override]
        self, fn: Callable[..., T], *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as failure:
            future.set_exception(failure)
        return future

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        """Nothing to shut down."""


dummy_executor = DummyExecutor()


@overload
def run_on_executor(fn: Callable[..., T], /) -> Callable[..., Future[T]]: ...
@overload
def run_on_executor(*, executor: str = ...) -> Callable[[Callable[..., T]], Callable[..., Future[T]]]: ...
def run_on_executor(*args: Any, **kwargs: Any) -> Any:
    """Decorates a method so that it runs on the executor of its object, and returns a Future.

    The executor is `self.executor`; `@run_on_executor(executor="_pool")` names another attribute.
    Raises: `ValueError` for more than one positional argument.
    Source: Tornado documentation, `tornado.concurrent`.
    """

    def decorate(fn: Callable[..., T]) -> Callable[..., Future[T]]:
        attribute = kwargs.get("executor", "executor")

        @functools.wraps(fn)
        def submit(self: Any, *args: Any, **kwargs: Any) -> Future[T]:
            loop: asyncio.AbstractEventLoop = IOLoop.current().asyncio_loop
            future: Future[T] = loop.create_future()
            chain_future(getattr(self, attribute).submit(fn, self, *args, **kwargs), future)
            return future

        return submit

    if len(args) > 1:
        raise ValueError(f"expected 1 argument, got {len(args)}")
    return decorate(args[0]) if args else decorate


show(__name__, globals(), __all__)
