"""The supervisor: worker processes that share the connections, and what runs beside them.

It never loads the application: a worker is a new interpreter, so that a replaced one has new code.  The
listening sockets are the supervisor's, one for each worker's place, which hands it down to whoever is
there; so what waits in an accept queue outlives a worker.  While nobody is there, the next worker accepts.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zonda._core.base.limits import DEFAULT_LIMITS, Limits

from .post import CannotStart, Post


@dataclass(frozen=True)
class Companion:
    """A process beside the workers: its name in log lines, its command, and the socket it inherits.

    It has a line to its supervisor (`zonda._core.net.supervised`) like a worker.  Workers begin when it is
    ready, end before it, and are replaced without it.
    """

    name: str
    command: Sequence[str]
    sock: socket.socket


class Supervisor:
    """Runs `command` once for each place, whose listening sockets it inherits.

    `environment` is added to ours.  `say` gets lines of progress.
    """

    def __init__(
        self,
        command: Sequence[str],
        places: Sequence[Sequence[socket.socket]],
        *,
        companions: Sequence[Companion] = (),
        environment: Mapping[str, str],
        say: Callable[[str], None],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._sockets = {sock for place in places for sock in place}
        self._say = say
        self._companions = [
            Post(c.name, c.command, [c.sock], {}, limits=limits, say=say, apart=True) for c in companions
        ]
        self._workers = [
            Post(
                f"worker {number}",
                command,
                sockets,
                environment,
                limits=limits,
                say=say,
                # Who stands after it looks after its connections while it is dead.
                spare=[] if places[number - 2] is sockets else places[number - 2],
                on_change=self._cover,
                on_gone=self._tell_gone,
                on_changed=self._on_changed,
            )
            for number, sockets in enumerate(places, 1)
        ]
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._replace = asyncio.Event()
        #: Source files that have changed, and when.
        self._changed: dict[str, float] = {}

    async def run(self, started: Callable[[], None]) -> None:
        """Returns after SIGTERM or SIGINT, when all processes have ended; `started`: all have begun.

        SIGHUP replaces the workers.  Raises `CannotStart` if one ends before all were ready.
        """
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self._replace.set}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        working = loop.create_task(self._work(started))
        stopping = loop.create_task(self._stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self._say("stopping: what was begun is answered (a second signal: at once)")
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.wait([working])
            await self._end()
            for number in handlers:
                loop.remove_signal_handler(number)
        # Of a signal to the whole group, the end of a process that was just starting may be seen before ours.
        error = None if working.cancelled() else working.exception()
        if error is not None and not (self._stop.is_set() and isinstance(error, CannotStart)):
            raise error

    def stop(self) -> None:
        """Lets the workers finish and ends them; a second call: at once."""
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    async def _work(self, started: Callable[[], None]) -> None:
        for companion in self._companions:
            await companion.man()
        # If the application cannot be loaded, one says so.
        first, *others = self._workers
        await first.man()
        await asyncio.gather(*(worker.man() for worker in others))
        started()
        while True:
            await self._replace.wait()
            self._replace.clear()
            self._say("replacing the workers")
            for worker in self._workers:
                if not await worker.replace():
                    break

    async def _end(self) -> None:
        for worker in self._workers:
            worker.close()
        for sock in self._sockets:
            sock.close()
        ends = asyncio.gather(*(worker.stop() for worker in self._workers))
        hurry = asyncio.create_task(self._at_once.wait())
        first: list[asyncio.Future[Any]] = [ends, hurry]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not ends.done():
            await asyncio.gather(*(worker.stop(at_once=True) for worker in self._workers))
        await ends
        for companion in self._companions:
            companion.close()
            await companion.stop(at_once=True)

    def _cover(self) -> None:
        """Has each worker accept for the one before it as long as nobody is there."""
        for number, worker in enumerate(self._workers):
            if worker.child is not None:
                worker.child.cover(self._workers[number - 1].child is None)

    def _tell_gone(self, node: str) -> None:
        for worker in self._workers:
            worker.tell_gone(node)

    def _on_changed(self, path: str) -> None:
        # Each worker that watches it says so, sooner or later.
        try:
            modified = os.stat(path).st_mtime
        except OSError:
            return  # it says so again when the file is there
        if self._changed.get(path) != modified:
            self._changed[path] = modified
            self._say(f"{path} has changed")
            self._replace.set()
