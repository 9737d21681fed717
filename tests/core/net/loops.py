"""The loops on which the contracts of this room are run."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

FACTORIES: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def runner(factory: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    """Runs a coroutine on a new loop, for ten seconds at most."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(10):
                return await main

        with asyncio.Runner(loop_factory=factory) as own:
            return own.run(bounded())

    return run
