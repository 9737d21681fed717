"""`IOLoop`: Tornado's event loop, which is asyncio's (uvloop's where we make it) in other words.

One class does all the work; the names of `zonda.platform.asyncio` are thin layers over it that
say who owns the asyncio loop.  Exceptions of callbacks are logged here, never lost.
"""

import asyncio
import concurrent.futures
import datetime
import functools
import numbers
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar, overload

from zonda._core.base import clock
from zonda.log import app_log
from zonda.util import Configurable, import_object

from . import file_handlers
from .event_loop import current_event_loop, new_event_loop
from .file_handlers import FileHandlers, Handler, Selectable
from .futures import FUTURES, AnyFuture, future_add_done_callback, is_future
from .interrupt import interruptible
from .selector_thread import AddThreadSelectorEventLoop
from .yieldable import BadYieldError, convert_yielded

T = TypeVar("T")


class IOLoop(Configurable):
    """Tornado's interface to the asyncio loop of this thread.

    `IOLoop.current()` wraps the running asyncio loop; where none runs, it makes one.
    `IOLoop()` makes a new asyncio loop (uvloop's where it is installed and the user has set no
    event loop policy), `IOLoop(asyncio_loop=...)` wraps a given one; `make_current=False` leaves
    the thread's loop as it is.  Only `add_callback` may be called from other threads.
    Source: Tornado documentation, `tornado.ioloop`.
    """

    NONE = file_handlers.NONE
    READ = file_handlers.READ
    WRITE = file_handlers.WRITE
    ERROR = file_handlers.ERROR

    #: Which IOLoop stands for an asyncio loop.  Closed loops are swept out when the next comes.
    _ioloop_for_asyncio: ClassVar[dict[asyncio.AbstractEventLoop, "IOLoop"]] = {}

    asyncio_loop: asyncio.AbstractEventLoop
    #: The one that knows `add_reader`; asyncio's proactor on Windows does not.
    selector_loop: asyncio.AbstractEventLoop
    _files: FileHandlers
    closing: bool

    # --- which loop -------------------------------------------------------------------------

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Names the class that `IOLoop()` makes: a subclass of `BaseAsyncIOLoop`.

        Raises: `RuntimeError` for another.
        """
        if isinstance(impl, str):
            impl = import_object(impl)
        if isinstance(impl, type) and not issubclass(impl, BaseAsyncIOLoop):
            raise RuntimeError("only AsyncIOLoop is allowed when asyncio is available")
        super().configure(impl, **kwargs)

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return AsyncIOLoop

    @staticmethod
    def instance() -> "IOLoop":
        """The same as `IOLoop.current()`."""
        return IOLoop.current()

    @overload
    @staticmethod
    def current() -> "IOLoop": ...
    @overload
    @staticmethod
    def current(instance: bool = True) -> "IOLoop | None": ...
    @staticmethod
    def current(instance: bool = True) -> "IOLoop | None":
        """The loop of this thread: the running one, else the one made current.

        If there is none, one is made, or with `instance=False` `None` is returned.
        """
        asyncio_loop = asyncio._get_running_loop()
        if asyncio_loop is None:
            asyncio_loop = current_event_loop()
            if asyncio_loop is None or asyncio_loop.is_closed():
                if not instance:
                    return None
                asyncio_loop = new_event_loop()
                asyncio.set_event_loop(asyncio_loop)
        found = IOLoop._ioloop_for_asyncio.get(asyncio_loop)
        if found is None and instance:
            found = AsyncIOMainLoop(asyncio_loop=asyncio_loop)
        return found

    def install(self) -> None:
        """The same as `make_current()`; deprecated."""
        self.make_current()

    def make_current(self) -> None:
        """Makes this the loop of the thread; deprecated: start it, and it is."""
        warnings.warn("make_current is deprecated; start the event loop first", DeprecationWarning, 2)
        self._make_current()

    @staticmethod
    def clear_instance() -> None:
        """The same as `clear_current()`; deprecated."""
        IOLoop.clear_current()

    @staticmethod
    def clear_current() -> None:
        """Leaves the thread without a loop; deprecated."""
        warnings.warn("clear_current is deprecated", DeprecationWarning, 2)
        current = IOLoop.current(instance=False)
        if current is None:
            asyncio.set_event_loop(None)
        else:
            current._clear_current()

    def _make_current(self) -> None:
        asyncio.set_event_loop(self.asyncio_loop)

    def _clear_current(self) -> None:
        asyncio.set_event_loop(None)

    # --- life -------------------------------------------------------------------------------

    def initialize(self, make_current: bool = True) -> None:
        if make_current:
            self._make_current()

    def start(self) -> None:
        """Runs the loop until `stop()`.

        Raises: `RuntimeError` if it runs or is closed; `KeyboardInterrupt` on Ctrl-C.
        """
        with interruptible(self.asyncio_loop):
            self.asyncio_loop.run_forever()

    def stop(self) -> None:
        """Stops the loop after this turn; before `start()`, that one will end after one turn."""
        self.asyncio_loop.stop()

    def run_sync(self, func: Callable[..., Any], timeout: float | None = None) -> Any:
        """Starts the loop, calls `func`, and stops when what it returned is done; its result.

        `func` returns an awaitable or `None`.  `timeout` is in seconds; past it the work is
        cancelled.  Raises: what `func` raised; `TimeoutError`; `BadYieldError` if its result is
        no awaitable; `RuntimeError` if the loop runs already, or was stopped before the end.
        """
        if self.asyncio_loop.is_running():
            raise RuntimeError("run_sync was called on a loop that is running: use await there")
        waiting: AnyFuture[Any] | None = None
        timed_out = False

        def run() -> None:
            nonlocal waiting
            try:
                outcome = func()
                if outcome is not None:
                    outcome = convert_yielded(outcome)
            except BaseException as failure:
                waiting = self.asyncio_loop.create_future()
                if isinstance(failure, asyncio.CancelledError):
                    waiting.cancel()
                else:
                    waiting.set_exception(failure)
            else:
                if is_future(outcome):
                    waiting = outcome
                else:
                    waiting = self.asyncio_loop.create_future()
                    waiting.set_result(outcome)
            self.add_future(waiting, lambda future: self.stop())

        def expire() -> None:
            # The work gets the chance to clean up; its end, whichever, stops the loop.
            nonlocal timed_out
            timed_out = True
            if waiting is None or not waiting.cancel():
                self.stop()

        self.add_callback(run)
        handle = None if timeout is None else self.add_timeout(self.time() + timeout, expire)
        try:
            self.start()
        finally:
            if handle is not None:
                self.remove_timeout(handle)
        if waiting is not None and waiting.done() and not (timed_out and waiting.cancelled()):
            return waiting.result()
        if timed_out:
            raise TimeoutError(f"Operation timed out after {timeout} seconds")
        raise RuntimeError("Event loop stopped before Future completed.")

    def close(self, all_fds: bool = False) -> None:
        """Closes the loop and the asyncio loop under it; `all_fds` also what is registered on it."""
        if self.closing:
            return
        self.closing = True
        self._files.clear(close=all_fds)
        self._clear_current_on_close()
        IOLoop._ioloop_for_asyncio.pop(self.asyncio_loop, None)
        if self.selector_loop is not self.asyncio_loop:
            self.selector_loop.close()
        with warnings.catch_warnings():
            # uvloop warns of each transport that it finds open.  Where warnings are errors, that would leave
            # the transport open, and `close` waiting for it for ever.
            warnings.simplefilter("ignore", ResourceWarning)
            self.asyncio_loop.close()

    def _clear_current_on_close(self) -> None:
        pass

    def time(self) -> float:
        """Seconds of the clock that `add_timeout` reads: since 1970, as `time.time()`."""
        return clock.wall()

    # --- files and sockets ------------------------------------------------------------------

    def add_handler(self, fd: int | Selectable, handler: Handler, events: int) -> None:
        """Calls `handler(fd, events)` whenever `fd` is ready for one of `events`.

        `fd` is a number or has `fileno()` and `close()`; `events` is READ, WRITE and ERROR or-ed
        together (ERROR always comes as one of the others).  Remove it before closing the file.
        Raises: `ValueError` if the file has a handler already.
        """
        self._files.add(fd, handler, events)

    def update_handler(self, fd: int | Selectable, events: int) -> None:
        """Changes the events that `fd` is watched for.  Raises: `KeyError` if it has no handler."""
        self._files.update(fd, events)

    def remove_handler(self, fd: int | Selectable) -> None:
        """Stops watching `fd`; nothing happens if it was not watched."""
        self._files.remove(fd)

    def split_fd(self, fd: int | Selectable) -> tuple[int, int | Selectable]:
        """The number and the object of what a handler is added for."""
        return file_handlers.split_fd(fd)

    def close_fd(self, fd: int | Selectable) -> None:
        """Closes a number or an object; one that is closed already is no error."""
        file_handlers.close_fd(fd)

    # --- callbacks and time -----------------------------------------------------------------

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Calls `callback` on the next turn of the loop; may be called from any thread.

        If it returns an awaitable, that is followed, and its failure logged.
        On a closed loop it is silently dropped.
        """
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        try:
            # The other threads' way wakes the loop by a byte in a pipe: not for our own thread.
            if asyncio._get_running_loop() is self.asyncio_loop:
                self.asyncio_loop.call_soon(self._run_callback, callback, *args)
            else:
                self.asyncio_loop.call_soon_threadsafe(self._run_callback, callback, *args)
        except RuntimeError:
            if not self.asyncio_loop.is_closed():
                raise

    def add_callback_from_signal(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Like `add_callback`, from a signal handler; deprecated: `asyncio_loop.add_signal_handler`."""
        warnings.warn("add_callback_from_signal is deprecated", DeprecationWarning, 2)
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        # A signal arrives in the loop's own thread while it sleeps: it has to be woken all the same.
        with suppress(RuntimeError):  # the loop is closed
            self.asyncio_loop.call_soon_threadsafe(self._run_callback, callback, *args)

    def spawn_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """The same as `add_callback`."""
        self.add_callback(callback, *args, **kwargs)

    def add_timeout(
        self, deadline: float | datetime.timedelta, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> object:
        """Calls `callback` at `deadline`: a time as of `time()`, or a `timedelta` from now.

        Returns a handle for `remove_timeout`.  Raises: `TypeError` for another kind of deadline.
        """
        if isinstance(deadline, numbers.Real):
            return self.call_at(float(deadline), callback, *args, **kwargs)
        if isinstance(deadline, datetime.timedelta):
            return self.call_at(self.time() + deadline.total_seconds(), callback, *args, **kwargs)
        raise TypeError(f"Unsupported deadline {deadline!r}")

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
        """Calls `callback` after `delay` seconds; returns a handle for `remove_timeout`."""
        return self.call_at(self.time() + delay, callback, *args, **kwargs)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
        """Calls `callback` at the time `when` as of `time()`; returns a handle for `remove_timeout`."""
        if kwargs:
            callback = functools.partial(callback, **kwargs)
        delay = max(0.0, when - self.time())
        return self.asyncio_loop.call_later(delay, self._run_callback, callback, *args)

    def remove_timeout(self, timeout: Any) -> None:
        """Cancels what `add_timeout`, `call_at` or `call_later` returned, whether it has run or not."""
        timeout.cancel()

    def _run_callback(self, callback: Callable[..., Any], *args: Any) -> None:
        try:
            outcome = callback(*args)
            if outcome is None:
                return
            try:
                waiting = convert_yielded(outcome)
            except BadYieldError:
                return  # a plain value: callbacks of others return all sorts of things
            if is_future(waiting):
                self.add_future(waiting, _raise_failure)
        except asyncio.CancelledError:
            pass
        except Exception:
            app_log.error("Exception in callback %r", callback, exc_info=True)

    def add_future(self, future: AnyFuture[T], callback: Callable[[Any], Any]) -> None:
        """Calls `callback(future)` on this loop when the future is done.

        It takes an asyncio or a `concurrent.futures` Future, no other awaitable.
        """
        if isinstance(future, asyncio.Future):
            future.add_done_callback(functools.partial(self._run_callback, callback))
            return
        assert isinstance(future, FUTURES), "add_future takes a Future"
        future_add_done_callback(future, functools.partial(self.add_callback, callback))

    # --- threads ----------------------------------------------------------------------------

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[..., T], *args: Any
    ) -> Awaitable[T]:
        """Calls `func(*args)` in `executor` (`None`: the default one); a Future of its result."""
        return self.asyncio_loop.run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: concurrent.futures.Executor) -> None:
        """The executor for `run_in_executor(None, ...)`: a `ThreadPoolExecutor`."""
        self.asyncio_loop.set_default_executor(executor)


def _raise_failure(future: AnyFuture[Any]) -> None:
    """Lets `_run_callback` log the failure of an awaitable that a callback returned."""
    future.result()


def _with_add_reader(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    proactor = getattr(asyncio, "ProactorEventLoop", None)  # on Windows alone
    if proactor is None or not isinstance(loop, proactor):
        return loop
    return AddThreadSelectorEventLoop(loop)  # type: ignore[abstract]  # it asks the real loop


class BaseAsyncIOLoop(IOLoop):
    """What all loops over asyncio have in common."""

    def initialize(  # type: ignore[override]
        self, asyncio_loop: asyncio.AbstractEventLoop, **kwargs: Any
    ) -> None:
        """Raises: `RuntimeError` if the asyncio loop has an IOLoop already."""
        register = IOLoop._ioloop_for_asyncio
        for known in list(register):
            if known.is_closed():
                register.pop(known, None)  # another thread may have been here first
        self.asyncio_loop = asyncio_loop
        if register.setdefault(asyncio_loop, self) is not self:
            raise RuntimeError(f"IOLoop {register[asyncio_loop]} already associated with asyncio loop")
        self.selector_loop = _with_add_reader(asyncio_loop)
        self._files = FileHandlers(self.selector_loop)
        # Tornado shows these three here.
        self.handlers, self.readers, self.writers = (
            self._files.handlers,
            self._files.readers,
            self._files.writers,
        )
        self.closing = False
        super().initialize(**kwargs)


class AsyncIOMainLoop(BaseAsyncIOLoop):
    """An IOLoop over the asyncio loop that this thread has already."""

    def initialize(  # type: ignore[override]
        self, *, asyncio_loop: asyncio.AbstractEventLoop | None = None, **kwargs: Any
    ) -> None:
        if asyncio_loop is None:
            asyncio_loop = current_event_loop()
        if asyncio_loop is None:
            asyncio_loop = new_event_loop()
            asyncio.set_event_loop(asyncio_loop)
        super().initialize(asyncio_loop, **{**kwargs, "make_current": False})

    def _make_current(self) -> None:
        """It is the loop of its thread; nothing to do."""


class AsyncIOLoop(BaseAsyncIOLoop):
    """An IOLoop over an asyncio loop of its own (or over the `asyncio_loop` it is given)."""

    #: True while it stands in for another loop of the thread.
    is_current = False
    old_asyncio: asyncio.AbstractEventLoop | None = None

    def initialize(  # type: ignore[override]
        self, *, asyncio_loop: asyncio.AbstractEventLoop | None = None, **kwargs: Any
    ) -> None:
        made = None
        if asyncio_loop is None:
            asyncio_loop = made = new_event_loop()
        try:
            super().initialize(asyncio_loop, **kwargs)
        except BaseException:
            if made is not None:
                made.close()
            raise

    def _make_current(self) -> None:
        if not self.is_current:
            self.old_asyncio = current_event_loop()
            self.is_current = True
        asyncio.set_event_loop(self.asyncio_loop)

    def _clear_current(self) -> None:
        if self.is_current:
            asyncio.set_event_loop(self.old_asyncio)
            self.is_current = False
            self.old_asyncio = None
        else:
            asyncio.set_event_loop(None)

    def _clear_current_on_close(self) -> None:
        if self.is_current:
            self._clear_current()
