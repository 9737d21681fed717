"""Serves one application until it is told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

from zonda.httpserver import HTTPServer
from zonda.ioloop import IOLoop
from zonda.netutil import bind_sockets, bind_unix_socket
from zonda.web import Application


class CannotListen(Exception):
    """The address is taken, or not ours; the message says which and why."""


def serve(load: Callable[[], Application], host: str, port: int, uds: str | None) -> None:
    """Listens on `uds`, or on `host` and `port`, and returns after SIGINT or SIGTERM.

    `load` is called when the loop exists and before anything listens: an application may ask for
    `IOLoop.current()` while it is made.  Raises `CannotListen`.
    """
    loop = IOLoop.current()
    application = load()
    loop.run_sync(lambda: _serve(application, host, port, uds))


async def _serve(application: Application, host: str, port: int, uds: str | None) -> None:
    server = HTTPServer(application)
    for address in _listen(server, host, port, uds):
        print(f"zonda is listening on {address}", flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C is a KeyboardInterrupt there
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
    server.stop()
    print("zonda is stopping: it answers what it has begun (a second signal: at once)", flush=True)
    stop.clear()
    ends = {loop.create_task(server.drain()), loop.create_task(stop.wait())}
    _, left = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()


def _listen(server: HTTPServer, host: str, port: int, uds: str | None) -> list[str]:
    try:
        if uds is not None:
            server.add_socket(bind_unix_socket(uds))
            return [f"unix:{uds}"]
        sockets = bind_sockets(port, host)
    except OSError as error:
        place = uds if uds is not None else f"{host or 'any address'}, port {port}"
        raise CannotListen(f"cannot listen on {place}: {error.strerror or error}") from None
    server.add_sockets(sockets)
    addresses = []
    for sock in sockets:
        name, number = sock.getsockname()[:2]
        addresses.append(f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}")
    return addresses
