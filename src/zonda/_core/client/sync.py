"""`HTTPClient`: a client that blocks, for scripts and for tests."""

import asyncio
import functools
import sys
from typing import Any

from zonda._core.net.loop import IOLoop

from .api import AsyncHTTPClient
from .message import HTTPRequest, HTTPResponse


async def _some_turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


class HTTPClient:
    """Fetches and waits, on a loop of its own; not to be used where a loop runs already.

    `async_client_class` (default `AsyncHTTPClient`) does the work, `kwargs` are its keywords.
    Source: Tornado documentation, `tornado.httpclient`.
    """

    # Until everything is made: `__del__` runs after a failing `__init__` too.
    _closed = True

    def __init__(self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any) -> None:
        self._io_loop = IOLoop(make_current=False)
        kind = AsyncHTTPClient if async_client_class is None else async_client_class

        async def make_client() -> AsyncHTTPClient:
            return kind(**kwargs)

        self._async_client = self._io_loop.run_sync(make_client)
        self._closed = False

    def __del__(self) -> None:
        # At the end of the process the modules that closing needs are gone.
        if not sys.is_finalizing():
            self._free()

    def close(self) -> None:
        """Frees the loop and the connections."""
        if not self._closed:
            self._async_client.close()
            # Transports close in the turns that follow.
            self._io_loop.run_sync(_some_turns)
            self._free()

    def _free(self) -> None:
        if not self._closed:
            self._closed = True
            self._async_client.close()
            self._io_loop.close()

    def fetch(self, request: str | HTTPRequest, **kwargs: Any) -> HTTPResponse:
        """The response, or what `AsyncHTTPClient.fetch` would fail with."""
        response: HTTPResponse = self._io_loop.run_sync(
            functools.partial(self._async_client.fetch, request, **kwargs)
        )
        return response
