"""Serves one application in this process until it is told to stop."""

from collections.abc import Callable

from zonda._core.server.serve import serve
from zonda._listening import addresses, bind
from zonda.httpserver import HTTPServer
from zonda.ioloop import IOLoop
from zonda.web import Application


def say(line: str) -> None:
    """A line of progress."""
    print(line, flush=True)


def serve_alone(
    load: Callable[[], Application], host: str, port: int, uds: str | None, drain_timeout: float | None
) -> None:
    """Listens on `uds`, or on `host` and `port`, and returns after SIGINT or SIGTERM.

    `load` is called when the loop exists and before anything listens: an application may ask for
    `IOLoop.current()` while it is made.  Raises `CannotListen`.
    """
    loop = IOLoop.current()
    application = load()

    async def main() -> None:
        (sockets,) = bind(host, port, uds)
        for address in addresses(sockets, uds):
            say(f"zonda is listening on {address}")
        await serve(HTTPServer(application), sockets, say, drain_timeout)

    loop.run_sync(main)
