"""IOLoop and asyncio: the public module `zonda.platform.asyncio` (Tornado: `tornado.platform.asyncio`)."""

import asyncio
import warnings
from typing import Any

from zonda._core.base.face import show
from zonda._core.net import selector_thread as _selector_thread
from zonda._core.net.loop import AsyncIOLoop, AsyncIOMainLoop, BaseAsyncIOLoop
from zonda._core.net.selector_thread import AddThreadSelectorEventLoop, SelectorThread
from zonda.gen import convert_yielded

__all__ = [
    "AddThreadSelectorEventLoop",
    "AnyThreadEventLoopPolicy",
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "BaseAsyncIOLoop",
    "SelectorThread",
    "to_asyncio_future",
    "to_tornado_future",
]

#: Made by `__getattr__` when first asked for.
AnyThreadEventLoopPolicy: type[asyncio.AbstractEventLoopPolicy]

_selector_loops = _selector_thread._selector_loops
_atexit_callback = _selector_thread._atexit_callback


def to_tornado_future(asyncio_future: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """The same Future: ours are asyncio's."""
    return asyncio_future


def to_asyncio_future(tornado_future: Any) -> Any:
    """A Future of any yieldable, a coroutine included."""
    return convert_yielded(tornado_future)


def __getattr__(name: str) -> Any:
    # Made when first asked for: naming asyncio's policies warns from Python 3.14 on.
    if name != "AnyThreadEventLoopPolicy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        base: Any = getattr(asyncio, "WindowsSelectorEventLoopPolicy", asyncio.DefaultEventLoopPolicy)

    class AnyThreadEventLoopPolicy(base):  # type: ignore[misc]
        """An event loop policy that makes a loop for every thread that asks, not the main one alone.

        `asyncio.set_event_loop_policy(AnyThreadEventLoopPolicy())`, before threads start.
        Source: Tornado documentation, `tornado.platform.asyncio`.
        """

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            try:
                loop: asyncio.AbstractEventLoop = super().get_event_loop()
            except RuntimeError:
                loop = self.new_event_loop()
                self.set_event_loop(loop)
            return loop

    AnyThreadEventLoopPolicy.__qualname__ = name
    globals()[name] = AnyThreadEventLoopPolicy
    return AnyThreadEventLoopPolicy


show(__name__, globals(), [name for name in __all__ if name != "AnyThreadEventLoopPolicy"])
