"""Serves until told to stop: by a signal, or by the supervisor."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterable, Sequence

from zonda._core.net import supervised

from .httpserver import HTTPServer


async def serve(
    server: HTTPServer,
    sockets: Iterable[socket.socket],
    say: Callable[[str], None],
    drain_timeout: float | None = None,
    spare: Sequence[socket.socket] = (),
) -> None:
    """Serves `sockets`, and returns after SIGINT or SIGTERM, or when the supervisor says so or is gone.

    What was begun is answered, within `drain_timeout` seconds (default: `Limits.drain_timeout`) or until a
    second signal.  `spare` sockets are a neighbour's, to be served while the supervisor says so.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    at_once = asyncio.Event()

    def leave(now: bool) -> None:
        stop.set()
        if now:
            at_once.set()

    covered: list[socket.socket] = []

    def cover(covering: bool) -> None:
        if covering and not covered:
            covered.extend(sock.dup() for sock in spare)
            server.add_sockets(covered)
        elif not covering:
            while covered:
                server.remove_socket(covered.pop())

    signals = 0

    def on_signal() -> None:
        # What the supervisor says does not count: a signal to all of a group reaches it as well.
        nonlocal signals
        signals += 1
        supervised.tell(leaving=True)
        leave(signals > 1)

    supervisor = loop.create_task(supervised.hear(leave, cover)) if await supervised.join() else None
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C is a KeyboardInterrupt there
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        if supervisor is not None:
            # A terminal that is closed says it to all; what becomes of it is the supervisor's to say.
            loop.add_signal_handler(signal.SIGHUP, lambda: None)
    server.add_sockets(sockets)
    supervised.tell(ready=True)
    await stop.wait()
    # Until this moment these could be connected to because of us, too.
    server.add_sockets(spare)
    if supervisor is None:
        say("zonda is stopping: it answers what it has begun (a second signal: at once)")
    ends = {loop.create_task(server.drain(drain_timeout)), loop.create_task(at_once.wait())}
    _, left = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    if supervisor is not None:
        supervisor.cancel()
