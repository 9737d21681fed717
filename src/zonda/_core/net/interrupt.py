"""Ctrl-C ends a running loop, whatever code it meets.

Left to itself, SIGINT raises `KeyboardInterrupt` in whatever Python code runs just then.  Inside a protocol's
callback uvloop takes that for an error of the connection, closes it, and the program goes on.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While `loop` runs inside, SIGINT makes `run_forever` raise `KeyboardInterrupt`, between two callbacks.

    A second one, when the first has not been heard yet, is raised at once, so that a callback that never
    ends can be ended.  Nothing changes off the main thread, or where the program handles SIGINT itself.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    asked = False

    def interrupt() -> None:
        raise KeyboardInterrupt

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        loop.call_soon_threadsafe(interrupt)

    signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is on_signal:
            signal.signal(signal.SIGINT, signal.default_int_handler)
