"""`@asynchronous`, as handlers were written from 2009 on: the answer is finished by a callback, later."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any


def asynchronous(method: Callable[..., Any]) -> Callable[..., Any]:
    """Leaves the request open when the method returns; the handler calls `self.finish()` some day.

    With a coroutine the request is finished when that is done, as it is without the decorator.
    Source: Tornado 1.0 documentation, `tornado.web.asynchronous`; Tornado itself dropped it in 6.0.
    """

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        self._auto_finish = False
        waiting = method(self, *args, **kwargs)
        return None if waiting is None else _finish_after(self, waiting)

    return wrapper


async def _finish_after(handler: Any, waiting: Awaitable[Any]) -> None:
    await waiting
    if not handler._finished:
        handler.finish()
