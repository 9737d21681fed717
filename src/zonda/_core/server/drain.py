"""The end of a server that answers what it has begun."""

import asyncio

from zonda._core.base.clock import monotonic

from .keeper import ConnectionKeeper

#: Seconds between looks at what is still being answered; a stop happens once in a server's life.
_LOOK_EVERY = 0.02


async def drain(keeper: ConnectionKeeper, within: float, least: float) -> None:
    """Lets requests that are being answered end, and the connections with them.

    Returns when no connection is left.  What is not done after `within` seconds is closed with its answer
    unfinished.  It lasts `least` seconds anyhow: for connections that were accepted and have not joined the
    keeper yet.  New ones must be refused already.
    """
    keeper.draining = True
    keeper.keep_alive = False
    now = monotonic()
    deadline = now + within
    earliest = now + min(least, within)
    while True:
        for connection in list(keeper.connections):
            connection.retire(now)
        await asyncio.sleep(_LOOK_EVERY)
        now = monotonic()
        if now >= deadline or (now >= earliest and not keeper.connections):
            break
    await keeper.close_all()
