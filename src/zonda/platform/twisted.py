"""Twisted's Deferreds in generator coroutines: `zonda.platform.twisted` (`tornado.platform.twisted`).

Importing it makes `yield deferred` work in `@gen.coroutine`.  New programs need neither: both sides
run on asyncio.  Needs Twisted, which is installed for itself (`pip install twisted`).
"""

import asyncio
from typing import Any

from twisted.internet.defer import Deferred

from zonda.gen import convert_yielded
from zonda.ioloop import IOLoop

__all__ = ["install"]


def install() -> None:
    """Makes Twisted's reactor on asyncio the default one, on this thread's loop.

    Raises: `twisted.internet.error.ReactorAlreadyInstalledError`.
    Source: Tornado documentation, `tornado.platform.twisted`; the same as
    `twisted.internet.asyncioreactor.install`.
    """
    # Inside: importing it looks for the reactor that is to be installed.
    from twisted.internet.asyncioreactor import install

    install()


@convert_yielded.register(Deferred)
def _as_future(deferred: Any) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = deferred.asFuture(IOLoop.current().asyncio_loop)
    return future
