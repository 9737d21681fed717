"""The end of a server that answers what it has begun."""

import asyncio

from zonda._core.base.clock import monotonic

from .keeper import ConnectionKeeper

#: Seconds between looks at what is still being answered; a stop happens once in a server's life.
_LOOK_EVERY = 0.02


async def drain(keeper: ConnectionKeeper) -> None:
    """Lets requests that are being answered end, closes their connections and the idle ones.

    Returns when no connection is left.  What is not done after `Limits.drain_timeout` is closed with
    its answer unfinished.  New connections must be refused already.
    """
    keeper.keep_alive = False
    deadline = monotonic() + keeper.limits.drain_timeout
    while keeper.connections and monotonic() < deadline:
        for connection in list(keeper.connections):
            if connection.current is None:
                connection.leave()
        await asyncio.sleep(_LOOK_EVERY)
    await keeper.close_all()
