"""The bus: one process of a machine, to which every node of a `unixbus://` is connected.

    python -m zonda._core.channels.brokers.unixbus_server --fd N      a listening Unix socket, inherited
    python -m zonda._core.channels.brokers.unixbus_server --path P    standing alone

Everything is kept in memory and gone with the process; topics have other epochs then.  With `--fd` the
socket stays its supervisor's, which starts another bus on it: who connects in between waits, and is not
refused.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress

from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.net import supervised
from zonda._core.net.event_loop import new_event_loop
from zonda.log import LogFormatter, gen_log

from .unixbus_bus import Bus, Connection

#: For the nodes to go once the supervisor is gone.
_LINGER = DEFAULT_LIMITS.drain_timeout
#: Seconds before accepting again when that has failed: without descriptors it would fail at once.
_AGAIN = 0.1


async def serve(sock: socket.socket) -> None:
    """Is the bus of a listening socket until SIGTERM, or until the supervisor says so or is gone."""
    bus = Bus()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    tasks = [asyncio.ensure_future(_accept(bus, sock))]
    if await supervised.join():
        supervised.tell(ready=True)
        tasks.append(asyncio.ensure_future(_obey(bus, stopped)))
    await stopped.wait()
    for task in tasks:
        task.cancel()
    for connection in list(bus.connections):
        connection.transport.close()


async def _accept(bus: Bus, sock: socket.socket) -> None:
    # Not a server of the loop's: those take the socket's path away when they end, and it is not ours.
    loop = asyncio.get_running_loop()
    while True:
        try:
            accepted, _ = await loop.sock_accept(sock)
            await loop.connect_accepted_socket(lambda: Connection(bus), accepted)
        except OSError as error:
            gen_log.warning("unixbus: cannot accept a connection: %s", error)
            await asyncio.sleep(_AGAIN)


async def _obey(bus: Bus, stopped: asyncio.Event) -> None:
    def leave(at_once: bool) -> None:
        if at_once:
            stopped.set()

    await supervised.hear(leave)
    # The supervisor is gone; nodes may still be finishing what they do.
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            await bus.empty.wait()
    stopped.set()


def listen(path: str) -> socket.socket:
    """A Unix socket at `path` that only we can connect to.

    What a bus that is dead has left there is replaced; raises `OSError` where one is alive.
    """
    sock = socket.socket(socket.AF_UNIX)
    try:
        try:
            sock.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        else:
            raise OSError(f"{path}: a bus is there already")
        sock.close()
        sock = socket.socket(socket.AF_UNIX)
        with suppress(FileNotFoundError):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        sock.listen(1024)
    except BaseException:
        sock.close()
        raise
    return sock


def main() -> None:
    parser = argparse.ArgumentParser(prog="unixbus_server", description="The bus of unixbus://")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fd", type=int, help="number of a listening Unix socket that was inherited")
    where.add_argument("--path", help="where to make a Unix socket and listen")
    arguments = parser.parse_args()
    # Ctrl-C goes to the whole group of processes; the bus is the last one that its supervisor ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter())
    logging.getLogger().addHandler(handler)
    path: str | None = arguments.path
    try:
        sock = listen(path) if path is not None else socket.socket(fileno=arguments.fd)
    except OSError as error:
        parser.error(str(error) if path is not None else f"--fd {arguments.fd} is no socket: {error}")
    sock.setblocking(False)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(sock))
    finally:
        if path is not None:
            os.unlink(path)


if __name__ == "__main__":
    main()
