"""`add_reader` for asyncio loops that lack it (Windows' proactor): a thread that runs `select()`.

The thread watches, the loop's own thread calls: after each answer of `select()` the loop runs the
handlers and tells the thread what to watch next.  Both sides meet only in `_request`, under its lock.
"""

import asyncio
import atexit
import contextvars
import select
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

#: Those with a thread that may run; what is left of them is closed when the process ends.
_selector_loops: set["SelectorThread"] = set()

_FdSets = tuple[list[int], list[int]]


def _atexit_callback() -> None:
    for selector in list(_selector_loops):
        selector._shut_down()


class SelectorThread:
    """Watches files for `real_loop`, in a thread that starts with the loop.

    `close()` it before the loop; `loop.shutdown_asyncgens()` (so `asyncio.run`) does that too.
    Source: Tornado documentation, `tornado.platform.asyncio`.
    """

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        if not _selector_loops:
            atexit.unregister(_atexit_callback)
            atexit.register(_atexit_callback)
        self._real_loop = real_loop
        # Handlers run as those of the thread that made this, not of the one that watches.
        self._context = contextvars.copy_context()
        self._readers: dict[int, Callable[[], None]] = {}
        self._writers: dict[int, Callable[[], None]] = {}
        self._meeting = threading.Condition()
        self._request: _FdSets | None = None
        self._closing = False
        self._thread: threading.Thread | None = None
        self._waker_r, self._waker_w = socket.socketpair()
        self._waker_r.setblocking(False)
        self._waker_w.setblocking(False)
        self.add_reader(self._waker_r, self._drain_waker)
        # An asynchronous generator, because the loop tells those that it is about to end.
        self._thread_manager_handle = self._thread_manager()
        self._thread_manager_task: asyncio.Task[None] | None = None
        real_loop.call_soon(self._create_thread_manager_task)
        _selector_loops.add(self)

    def _create_thread_manager_task(self) -> None:
        if not self._closing:
            self._thread_manager_task = self._real_loop.create_task(self._start_thread_manager())

    async def _start_thread_manager(self) -> None:
        await self._thread_manager_handle.__anext__()

    async def _thread_manager(self) -> AsyncGenerator[None, None]:
        self._thread = threading.Thread(name="zonda selector", daemon=True, target=self._watch)
        self._thread.start()
        self._ask()
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Ends the thread and closes what it was woken by; may be called again."""
        self._shut_down()
        task = self._thread_manager_task
        if task is not None and not task.done():
            # Made, never run, and its loop is about to close: nobody is to hear of it as lost.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            with suppress(RuntimeError):  # it is running: this call comes from inside
                if coroutine is not None:
                    coroutine.close()

    def _shut_down(self) -> None:
        if self._closing:
            return
        with self._meeting:
            self._closing = True
            self._meeting.notify()
        self._wake()
        if self._thread is not None:
            self._thread.join()
        _selector_loops.discard(self)
        self._readers.clear()
        self._writers.clear()
        self._waker_r.close()
        self._waker_w.close()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it will wake anyhow; closed: nobody sleeps
            self._waker_w.send(b"\0")

    def _drain_waker(self) -> None:
        with suppress(OSError):
            self._waker_r.recv(1024)

    # --- in the loop's thread ---------------------------------------------------------------

    def _ask(self) -> None:
        with self._meeting:
            self._request = (list(self._readers), list(self._writers))
            self._meeting.notify()

    def _answered(self, readable: list[int], writable: list[int]) -> None:
        for handlers, ready in ((self._readers, readable), (self._writers, writable)):
            for fd in ready:
                handler = handlers.get(fd)  # an earlier handler may have removed it
                if handler is not None:
                    handler()
        if not self._closing:
            self._ask()

    def add_reader(self, fd: Any, callback: Callable[..., None], *args: Any) -> None:
        """Calls `callback(*args)` on the loop whenever `fd` is readable."""
        self._add(self._readers, fd, callback, args)

    def add_writer(self, fd: Any, callback: Callable[..., None], *args: Any) -> None:
        """Calls `callback(*args)` on the loop whenever `fd` is writable."""
        self._add(self._writers, fd, callback, args)

    def remove_reader(self, fd: Any) -> bool:
        """Stops watching `fd` for reading; False if nobody did."""
        return self._remove(self._readers, fd)

    def remove_writer(self, fd: Any) -> bool:
        """Stops watching `fd` for writing; False if nobody did."""
        return self._remove(self._writers, fd)

    def _add(
        self, handlers: dict[int, Callable[[], None]], fd: Any, callback: Callable[..., None], args: Any
    ) -> None:
        handlers[_number(fd)] = lambda: self._call(callback, args)
        self._wake()

    def _remove(self, handlers: dict[int, Callable[[], None]], fd: Any) -> bool:
        if handlers.pop(_number(fd), None) is None:
            return False
        self._wake()
        return True

    def _call(self, callback: Callable[..., None], args: Any) -> None:
        try:
            callback(*args)
        except Exception as failure:
            self._real_loop.call_exception_handler(
                {"message": f"Exception in callback {callback!r}", "exception": failure}
            )

    # --- in the thread ----------------------------------------------------------------------

    def _watch(self) -> None:
        while True:
            with self._meeting:
                while self._request is None and not self._closing:
                    self._meeting.wait()
                if self._closing or self._request is None:
                    return
                reads, writes = self._request
                self._request = None
            try:
                # On Windows a connection that failed shows among the exceptional ones alone.
                readable, writable, failed = select.select(reads, writes, writes)
            except (OSError, ValueError):
                # A file was closed while it was watched: removing it has woken us, or will.
                readable, writable, failed = [self._waker_r.fileno()], [], []
            with suppress(RuntimeError):  # the loop was closed; nobody asks any more
                self._real_loop.call_soon_threadsafe(
                    self._answered, readable, [*writable, *failed], context=self._context
                )


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else int(fd.fileno())


class AddThreadSelectorEventLoop(asyncio.AbstractEventLoop):
    """`real_loop` with the four methods for readers and writers, by a `SelectorThread`."""

    #: What is found on this object; all else is asked of the real loop.
    MY_ATTRIBUTES = frozenset(
        {
            "_real_loop",
            "_selector",
            "add_reader",
            "add_writer",
            "close",
            "remove_reader",
            "remove_writer",
        }
    )

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop
        self._selector = SelectorThread(real_loop)

    def __getattribute__(self, name: str) -> Any:
        # AbstractEventLoop defines every method, so __getattr__ would never be asked.
        if name in AddThreadSelectorEventLoop.MY_ATTRIBUTES:
            return super().__getattribute__(name)
        return getattr(self._real_loop, name)

    def close(self) -> None:
        """Closes the thread and the real loop."""
        self._selector.close()
        self._real_loop.close()

    def add_reader(self, fd: Any, callback: Callable[..., None], *args: Any) -> None:  # type: ignore[override]
        """Calls `callback(*args)` whenever `fd` is readable."""
        self._selector.add_reader(fd, callback, *args)

    def add_writer(self, fd: Any, callback: Callable[..., None], *args: Any) -> None:  # type: ignore[override]
        """Calls `callback(*args)` whenever `fd` is writable."""
        self._selector.add_writer(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        """Stops watching `fd` for reading; False if nobody did."""
        return self._selector.remove_reader(fd)

    def remove_writer(self, fd: Any) -> bool:
        """Stops watching `fd` for writing; False if nobody did."""
        return self._selector.remove_writer(fd)
