"""`zonda.run`: a program's coroutine on the fastest loop there is."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

from zonda._core.net.event_loop import new_event_loop

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]] | Awaitable[T], *, debug: bool | None = None) -> T:
    """Runs a coroutine, or a function that returns one, to its end; its result.

    Like `asyncio.run`, and on uvloop where it is installed: the loop is new, Ctrl-C cancels the
    coroutine, and at the end tasks are cancelled, asynchronous generators and the executor closed.
    A function is called on the loop, so that it may use it.  `debug`: asyncio's debug mode.
    Raises: what the coroutine raised; `RuntimeError` if a loop runs in this thread already.
    """

    async def run_main() -> T:
        return await (main if inspect.isawaitable(main) else main())

    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(run_main())
