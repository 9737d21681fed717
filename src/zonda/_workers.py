"""`zonda.run_workers`: one application, several processes."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.net import supervised
from zonda._core.net.process import cpu_count
from zonda._core.server.serve import serve
from zonda._core.server.workers import Companion, Supervisor
from zonda.httpserver import HTTPServer
from zonda.ioloop import IOLoop
from zonda.log import gen_log
from zonda.netutil import bind_unix_socket
from zonda.web import Application

from ._listening import addresses, bind

_BUS = "zonda._core.channels.brokers.unixbus_server"


def run_workers(
    make: Callable[[], Application | HTTPServer],
    workers: int | None = None,
    *,
    port: int = 8888,
    address: str = "127.0.0.1",
    uds: str | None = None,
    drain_timeout: float | None = None,
    broker: str | None = None,
    reload: bool = False,
    say: Callable[[str], None] = gen_log.info,
) -> None:
    """Serves what `make` returns in `workers` processes (default: one per processor) until SIGTERM or SIGINT.

    The last line of a program: this process becomes the supervisor, which never calls `make`, and each worker
    is the same program started anew, in which it is called.  They listen on `port` of `address` (a host name
    or IP address, "" = all), or share the Unix socket `uds`.  A worker that dies is replaced; SIGHUP replaces
    all, without a request lost, and with the code as it is then.  `drain_timeout` (seconds, default:
    `Limits.drain_timeout`) bounds how long a process goes on with what it has begun.  `broker` is the URL by
    which channels reach other processes; by default a bus of our own joins the workers.  `reload` replaces
    the workers when a source file changes.  `say` gets lines of progress.

    Raises `OSError` if that cannot be listened on, `RuntimeError` if a worker ends before all have begun,
    and where there are no such processes (Windows).
    """
    if supervised.is_supervised():
        # Until we serve, Ctrl-C ends us without a word: the supervisor has it too, and says what is to be
        # said.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        loop = IOLoop.current()
        made = make()
        server = made if isinstance(made, HTTPServer) else HTTPServer(made)
        if reload:
            from zonda import autoreload

            loop.add_callback(autoreload.start)
        sockets = supervised.inherited_sockets(supervised.LISTEN_FDS)
        spare = supervised.inherited_sockets(supervised.SPARE_FDS)
        loop.run_sync(lambda: serve(server, sockets, say, drain_timeout, spare))
        return
    if sys.platform == "win32":
        raise RuntimeError("workers need a system with Unix sockets that are handed down: not Windows")
    count = workers or cpu_count()
    limits = DEFAULT_LIMITS
    if drain_timeout is not None:
        limits = replace(limits, drain_timeout=drain_timeout)
    with ExitStack() as stack:
        places = bind(address, port, uds, places=count)
        environment = {}
        companions = []
        if broker is not None:
            environment["ZONDA_BROKER"] = broker
        else:
            bus, url = stack.enter_context(_bus())
            companions.append(bus)
            environment["ZONDA_BROKER"] = url
        listened = addresses(places[0], uds)

        def started() -> None:
            for where in listened:
                say(f"zonda is listening on {where}")

        async def main() -> None:
            supervisor = Supervisor(
                [sys.executable, *sys.orig_argv[1:]],
                places,
                companions=companions,
                environment=environment,
                say=say,
                limits=limits,
            )
            await supervisor.run(started)

        IOLoop.current().run_sync(main)


@contextmanager
def _bus() -> Iterator[tuple[Companion, str]]:
    """What joins the channels of the workers, on a socket that nobody else can reach; and its URL."""
    # The path of a Unix socket has 107 bytes at most.
    place = None if len(os.fsencode(tempfile.gettempdir())) < 80 else "/tmp"
    with tempfile.TemporaryDirectory(prefix="zonda-", dir=place) as folder:  # of mode 0700
        path = os.path.join(folder, "bus.sock")
        with bind_unix_socket(path) as sock:
            command = [sys.executable, "-m", _BUS, "--fd", str(sock.fileno())]
            yield Companion("bus", command, sock), f"unixbus://{path}"
