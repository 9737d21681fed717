"""Which asyncio loop: uvloop where we make one, whatever the user has chosen otherwise."""

import asyncio
import sys


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new asyncio loop: uvloop's, or what the policy makes if the user has set one of his own."""
    if _policy_is_default():
        try:
            import uvloop  # here: where another server runs the loop, none is made
        except ImportError:  # not on Windows, nor on PyPy
            pass
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def _policy_is_default() -> bool:
    if sys.version_info >= (3, 14):
        return True
    return type(asyncio.get_event_loop_policy()) is asyncio.DefaultEventLoopPolicy


def current_event_loop() -> asyncio.AbstractEventLoop | None:
    """The running loop, or the one set for this thread; `None` if there is neither.

    Unlike `asyncio.get_event_loop()` before Python 3.14 it never makes one: on the main thread
    that would be asyncio's own, where uvloop is wanted.
    """
    running = asyncio._get_running_loop()
    if running is not None:
        return running
    if sys.version_info < (3, 14):
        # No public question has this answer without the side effect.
        slot = getattr(asyncio.get_event_loop_policy(), "_local", None)
        if slot is not None:
            loop: asyncio.AbstractEventLoop | None = getattr(slot, "_loop", None)
            return loop
    try:
        return asyncio.get_event_loop()
    except RuntimeError:
        return None
