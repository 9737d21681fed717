"""Coroutines written as generators, and ways to wait for several things at once.

`async def` is what new code uses; `@gen.coroutine` remains for what was written before it, and
the two call each other freely.  The public module `zonda.gen` (Tornado: `tornado.gen`).
"""

import asyncio
import builtins
import collections
import contextvars
import datetime
import functools
from collections.abc import Callable, Generator, Iterable, Mapping
from types import GeneratorType, TracebackType
from typing import Any, TypeVar

from zonda._core.base.face import show
from zonda._core.net.futures import (
    AnyFuture,
    Future,
    chain_future,
    future_set_result_unless_cancelled,
    is_future,
)
from zonda._core.net.loop import IOLoop
from zonda._core.net.yieldable import BadYieldError, convert_yielded, moment
from zonda.concurrent import ReturnValueIgnoredError
from zonda.log import app_log

__all__ = [
    "BadYieldError",
    "KeyReuseError",
    "LeakedCallbackError",
    "Multi",
    "Return",
    "ReturnValueIgnoredError",
    "Runner",
    "TimeoutError",
    "UnknownKeyError",
    "WaitIterator",
    "convert_yielded",
    "coroutine",
    "is_coroutine_function",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]

T = TypeVar("T")

TimeoutError = builtins.TimeoutError

_Exceptions = type[Exception] | tuple[type[Exception], ...]


class KeyReuseError(Exception):
    """Nothing raises it any more; programs may still name it."""


class UnknownKeyError(Exception):
    """Nothing raises it any more; programs may still name it."""


class LeakedCallbackError(Exception):
    """Nothing raises it any more; programs may still name it."""


class Return(Exception):
    """`raise gen.Return(value)` in a coroutine does what `return value` does."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value
        self.args = (value,)


# --- generator coroutines -------------------------------------------------------------------


def coroutine(func: Callable[..., Any]) -> Callable[..., Future[Any]]:
    """Makes a generator function a coroutine: what it yields is waited for, and it returns a Future.

    A function that does not yield may be decorated too.  The body runs in a copy of the caller's
    context, all of it in the same one.  An exception appears on the Future, never in the call.
    Source: Tornado documentation, `tornado.gen`.
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] | None = _new_future()
        assert future is not None
        run = contextvars.copy_context().run
        outcome = yielded = None
        try:
            outcome = run(func, *args, **kwargs)
            if isinstance(outcome, GeneratorType):
                # Up to the first yield without a Runner: many coroutines never get further.
                yielded = run(next, outcome)
                Runner(run, outcome, future, yielded)
                return future
        except (Return, StopIteration) as end:
            future_set_result_unless_cancelled(future, end.value)
            return future
        except asyncio.CancelledError:
            future.cancel()
            return future
        except Exception as failure:
            future.set_exception(failure)
            return future
        else:
            future.set_result(outcome)
            return future
        finally:
            # This frame is in the traceback of what was raised: see the end of `Runner.run`.
            future = outcome = yielded = None

    call.__wrapped__ = func
    call.__tornado_coroutine__ = True  # type: ignore[attr-defined]
    return call


def is_coroutine_function(func: Any) -> bool:
    """True for a function decorated with `coroutine`; False for others, `async def` included."""
    return bool(getattr(func, "__tornado_coroutine__", False))


def _new_future() -> Future[Any]:
    loop = asyncio._get_running_loop() or IOLoop.current().asyncio_loop
    future: Future[Any] = Future(loop=loop)
    # In debug mode asyncio notes where a future was made: that is where the coroutine was called.
    trace = getattr(future, "_source_traceback", None)
    while trace and trace[-1][0] == __file__:
        trace.pop()
    return future


class Runner:
    """Drives one generator: waits for what it yields, sends it the result, until it ends."""

    def __init__(
        self,
        ctx_run: Callable[..., Any],
        gen: Generator[Any, Any, Any],
        result_future: Future[Any],
        first_yielded: Any,
    ) -> None:
        self.ctx_run = ctx_run
        self.gen = gen
        self.result_future: Future[Any] | None = result_future
        self.future: AnyFuture[Any] | None = None
        self.running = False
        self.finished = False
        self.io_loop = IOLoop.current()
        # Who holds the result holds the coroutine: otherwise the two of them may be collected
        # as garbage while the result is still being waited for.
        result_future._zonda_runner = self  # type: ignore[attr-defined]
        ready = self.ctx_run(self.handle_yield, first_yielded)
        del result_future, first_yielded  # as in `run`: this frame may last as long as a traceback
        if ready:
            self.ctx_run(self.run)

    def run(self) -> None:
        """Goes on until the generator ends, or yields something that is not done yet."""
        if self.running or self.finished:
            return
        self.running = True
        try:
            while True:
                future = self.future
                if future is None:
                    raise RuntimeError("a generator coroutine was resumed that waits for nothing")
                if not future.done():
                    return
                self.future = None
                thrown: BaseException | None = None
                value = None
                try:
                    value = future.result()
                except (Exception, asyncio.CancelledError) as failure:
                    thrown = failure
                try:
                    if thrown is None:
                        yielded = self.gen.send(value)
                    else:
                        # Outside the `except` above, or it would be the context of what comes.
                        yielded = self.gen.throw(thrown)
                except (StopIteration, Return) as end:
                    future_set_result_unless_cancelled(self._end(), end.value)
                    return
                except asyncio.CancelledError:
                    self._end().cancel()
                    return
                except Exception as failure:
                    self._fail(failure)
                    return
                if not self.handle_yield(yielded):
                    return
        finally:
            self.running = False
            # This frame is in the traceback of what was thrown: held here, the two would be a
            # cycle, and what the coroutine used would wait for the garbage collector.
            future = thrown = value = yielded = None

    def _end(self) -> Future[Any]:
        """The generator has ended: gives the Future of its result away."""
        self.finished = True
        self.future = None
        result_future = self.result_future
        assert result_future is not None
        self.result_future = None
        del result_future._zonda_runner  # type: ignore[attr-defined]
        return result_future

    def _fail(self, failure: Exception) -> None:
        result_future = self._end()
        if not result_future.cancelled():
            result_future.set_exception(failure)

    def handle_yield(self, yielded: Any) -> bool:
        """Takes what was yielded; True if it is done already, so that `run` may go on."""
        try:
            future = convert_yielded(yielded)
        except BadYieldError as failure:
            future = self.io_loop.asyncio_loop.create_future()
            future.set_exception(failure)
        self.future = future
        if future is moment:
            self.io_loop.add_callback(self.ctx_run, self.run)
            return False
        if future.done():
            return True
        self.io_loop.add_future(future, self._resume)
        return False

    def _resume(self, future: AnyFuture[Any]) -> None:
        self.ctx_run(self.run)

    def handle_exception(self, typ: type[Exception], value: Exception, tb: TracebackType | None) -> bool:
        """Throws an exception into the generator from outside; False if it has ended."""
        if self.running or self.finished:
            return False
        self.future = self.io_loop.asyncio_loop.create_future()
        self.future.set_exception(value)
        self.ctx_run(self.run)
        return True


# --- several things at once -----------------------------------------------------------------


def multi(children: Iterable[Any] | Mapping[Any, Any], quiet_exceptions: _Exceptions = ()) -> Future[Any]:
    """Waits for all of a list or dict of yieldables: a list or dict of their results, in order.

    The first failure becomes the result's; others are logged, unless of a type among
    `quiet_exceptions`.  A child that was cancelled counts as one that raised `CancelledError`.
    Raises: `BadYieldError` if a child is no yieldable.
    Source: Tornado documentation, `tornado.gen`.
    """
    keys: list[Any] | None = None
    if isinstance(children, Mapping):
        keys = list(children)
        children = children.values()
    futures = [convert_yielded(child) for child in children]
    pending = {future for future in futures if not future.done()}
    result_future = _new_future()

    def collect() -> None:
        results = []
        for future in futures:
            try:
                results.append(future.result())
            except (Exception, asyncio.CancelledError) as failure:
                if not result_future.done():
                    result_future.set_exception(failure)
                elif not isinstance(failure, (quiet_exceptions, asyncio.CancelledError)):
                    app_log.error("Multiple exceptions in yield list", exc_info=True)
        if not result_future.done():
            result_future.set_result(results if keys is None else dict(zip(keys, results, strict=True)))

    def one_done(future: AnyFuture[Any]) -> None:
        pending.discard(future)
        if not pending:
            collect()

    if not pending:
        collect()
    else:
        io_loop = IOLoop.current()
        for future in list(pending):
            io_loop.add_future(future, one_done)
    return result_future


multi_future = multi
Multi = multi
convert_yielded.register(list, multi)
convert_yielded.register(dict, multi)


class WaitIterator:
    """Gives results in the order in which futures finish.

    Made with futures as arguments or as keywords, not both.  `async for` over it, or `next()`
    until `done()`; after each, `current_index` (position or keyword) and `current_future` say
    whose result it was.  An exception of a future is raised by its turn; the iterator goes on.
    Raises: `ValueError` for both kinds of arguments.
    Source: Tornado documentation, `tornado.gen`.
    """

    current_index: str | int | None
    current_future: AnyFuture[Any] | None

    def __init__(self, *args: AnyFuture[Any], **kwargs: AnyFuture[Any]) -> None:
        if args and kwargs:
            raise ValueError("You must provide args or kwargs, not both")
        self.current_index = None
        self.current_future = None
        self._running_future: Future[Any] | None = None
        self._finished: collections.deque[tuple[str | int, AnyFuture[Any]]] = collections.deque()
        entries: list[tuple[str | int, AnyFuture[Any]]]
        entries = [*kwargs.items()] if kwargs else [*enumerate(args)]
        #: How many have not been given out yet.
        self._left = len(entries)
        for index, future in entries:
            if future.done():
                self._finished.append((index, future))
            else:
                IOLoop.current().add_future(future, functools.partial(self._one_done, index))

    def done(self) -> bool:
        """True when every result has been given out."""
        if self._left:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> Future[Any]:
        """A Future of the next result to come."""
        self._running_future = _new_future()
        if self._finished:
            return self._give(*self._finished.popleft())
        return self._running_future

    def _one_done(self, index: str | int, future: AnyFuture[Any]) -> None:
        if self._running_future is not None and not self._running_future.done():
            self._give(index, future)
        else:
            self._finished.append((index, future))

    def _give(self, index: str | int, future: AnyFuture[Any]) -> Future[Any]:
        result_future = self._running_future
        assert result_future is not None
        self._running_future = None
        self._left -= 1
        self.current_index = index
        self.current_future = future
        chain_future(future, result_future)
        return result_future

    def __aiter__(self) -> "WaitIterator":
        return self

    def __anext__(self) -> Future[Any]:
        if self.done():
            raise StopAsyncIteration
        return self.next()


# --- time -----------------------------------------------------------------------------------


def with_timeout(
    timeout: float | datetime.timedelta,
    future: Any,
    quiet_exceptions: _Exceptions = (),
    *,
    message: str | Callable[[], str] | None = None,
) -> Future[Any]:
    """Waits for a yieldable until `timeout`: a time as of `IOLoop.time()`, or a `timedelta` from now.

    Past it the result is `TimeoutError(message)` (a callable `message` is asked only then), and
    what was waited for goes on: its later failure is logged, unless of a type among
    `quiet_exceptions`.
    Source: Tornado documentation, `tornado.gen`.
    """
    waiting = convert_yielded(future)
    result_future = _new_future()
    if waiting is moment:
        result_future.set_result(None)
        return result_future
    io_loop = IOLoop.current()

    def log_late_failure(waiting: AnyFuture[Any]) -> None:
        try:
            waiting.result()
        except asyncio.CancelledError:
            pass
        except quiet_exceptions:
            pass
        except Exception:
            app_log.error("Exception in Future %r after timeout", waiting, exc_info=True)

    def expire() -> None:
        if not result_future.done():
            text = "Timeout" if message is None else message if isinstance(message, str) else message()
            result_future.set_exception(TimeoutError(text))
        io_loop.add_future(waiting, log_late_failure)

    chain_future(waiting, result_future)
    if waiting.done():
        return result_future
    handle = io_loop.add_timeout(timeout, expire)
    if isinstance(waiting, asyncio.Future):
        waiting.add_done_callback(lambda waiting: io_loop.remove_timeout(handle))
    else:
        # Finished by another thread: the timer must be cancelled on the loop.
        io_loop.add_future(waiting, lambda waiting: io_loop.remove_timeout(handle))
    return result_future


def sleep(duration: float) -> Future[None]:
    """A Future that is done after `duration` seconds; `await asyncio.sleep` does the same."""
    future = _new_future()
    IOLoop.current().call_later(duration, future_set_result_unless_cancelled, future, None)
    return future


def maybe_future(x: Any) -> AnyFuture[Any]:
    """`x` if it is a Future, else a Future that is done with `x`."""
    if is_future(x):
        return x
    future = _new_future()
    future.set_result(x)
    return future


show(__name__, globals(), __all__)
