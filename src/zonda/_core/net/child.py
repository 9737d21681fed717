"""A process that we have started with a line to us (`supervised.py`), and with sockets of ours."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from .control import ControlLine
from .process import Subprocess
from .supervised import CONTROL_FD, LISTEN_FDS, NODE, SPARE_FDS


class Child:
    """Started by `start`; `node` is its id, `name` what log lines call it.

    `ready` is done when it says so (True), or is over before (False).  `exited` gives its return code.
    `on_over` is called once, when it takes no work any more: it has ended, or says that it is leaving.
    """

    def __init__(self, name: str, node: str, process: Subprocess, line: ControlLine) -> None:
        self.name = name
        self.node = node
        self.process = process
        self.is_over = False
        self.on_over: Callable[[Child], None] | None = None
        self.on_changed: Callable[[str], None] | None = None
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[bool] = loop.create_future()
        self.exited = process.wait_for_exit(raise_error=False)
        self.started_at = loop.time()
        self._line = line
        self._covering = False
        self._following = loop.create_task(self._follow())

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        node: str,
        sockets: Sequence[socket.socket],
        spare: Sequence[socket.socket] = (),
        environment: Mapping[str, str],
        apart: bool = False,
    ) -> "Child":
        """Starts `command`, which inherits `sockets` and `spare` and finds their numbers in its environment.

        `environment` is added to ours.  A signal to our group, such as Ctrl-C, does not reach what is started
        `apart`.  Raises `OSError` if it cannot be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [sock.fileno() for sock in sockets]
            spares = [sock.fileno() for sock in spare]
            try:
                process = Subprocess(
                    command,
                    pass_fds=[*fds, *spares, theirs.fileno()],
                    process_group=0 if apart else None,
                    env={
                        **os.environ,
                        **environment,
                        CONTROL_FD: str(theirs.fileno()),
                        NODE: node,
                        LISTEN_FDS: ",".join(map(str, fds)),
                        SPARE_FDS: ",".join(map(str, spares)),
                    },
                )
            except BaseException:
                ours.close()
                raise
        try:
            return cls(name, node, process, await ControlLine.open(ours))
        except BaseException:
            process.proc.kill()
            raise

    def __str__(self) -> str:
        return f"{self.name} (pid {self.process.pid})"

    @property
    def how_it_ended(self) -> str:
        code = self.exited.result()
        return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"

    async def _follow(self) -> None:
        messages: AsyncIterator[dict[str, Any]] = self._line.messages()
        async for message in messages:
            if "ready" in message and not self.ready.done():
                self.ready.set_result(True)
            elif "leaving" in message:
                self._tell_over()
            elif "changed" in message and self.on_changed is not None:
                self.on_changed(str(message["changed"]))
        # Whoever has lost the line cannot be told anything: it leaves too, or has ended.
        self._line.close()
        if not self.ready.done():
            self.ready.set_result(False)
        if not self.exited.done():
            await asyncio.wait([self.exited], timeout=1.0)
        self._tell_over()

    def _tell_over(self) -> None:
        if not self.is_over:
            self.is_over = True
            if self.on_over is not None:
                self.on_over(self)

    def cover(self, covering: bool) -> None:
        """It is to accept from the spare sockets too, or no more."""
        if covering != self._covering:
            self._covering = covering
            self._line.send({"cover": covering})

    def tell_gone(self, node: str) -> None:
        """Another of our children is gone."""
        self._line.send({"gone": node})

    async def end(self, within: float, *, at_once: bool = False) -> bool:
        """Tells it to leave, waits for `within` seconds, then kills it; whether it went by itself."""
        if not self.exited.done():
            if self.ready.done():
                self._line.send({"leave": "now" if at_once else True})
            else:
                # It has begun nothing, and listens to nobody yet.
                self.process.proc.terminate()
            await asyncio.wait([self.exited], timeout=within)
        by_itself = self.exited.done()
        if not by_itself:
            self.process.proc.kill()
        # Not to be cancelled with us: others wait for them too.
        ends: list[asyncio.Future[Any]] = [self.exited, self._following]
        await asyncio.wait(ends)
        return by_itself
