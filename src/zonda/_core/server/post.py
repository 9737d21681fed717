"""A post that is never to be empty: one process, started again when it ends, replaced when told."""

import asyncio
import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from zonda._core.base.limits import Limits
from zonda._core.net.child import Child
from zonda.log import gen_log

#: Seconds for a process to go beyond what it has to drain; past it it is killed.
_MARGIN = 5.0
#: Seconds to go for one that is to end at once.
_AT_ONCE = 2.0


class CannotStart(RuntimeError):
    """A process has ended before it was ready; the message says which and how."""


class Post:
    """What stands at one post: `child`, None while there is nobody.  `on_change`: that is another now.

    `apart`: signals to our group of processes do not reach it.  `say` gets lines of progress; `on_gone` the
    id of every process that has ended; `on_changed` the path of a source file that has changed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        sockets: Sequence[socket.socket],
        environment: Mapping[str, str],
        *,
        limits: Limits,
        say: Callable[[str], None],
        spare: Sequence[socket.socket] = (),
        apart: bool = False,
        on_change: Callable[[], None] | None = None,
        on_gone: Callable[[str], None] | None = None,
        on_changed: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.child: Child | None = None
        self._command = command
        self._sockets = sockets
        self._environment = environment
        self._limits = limits
        self._say = say
        self._spare = spare
        self._apart = apart
        self._on_change = on_change
        self._on_gone = on_gone
        self._on_changed = on_changed
        #: All that have not ended: who is at the post, who is to come, who leaves.
        self._children: set[Child] = set()
        self._tasks: set[asyncio.Task[object]] = set()
        #: One process is started at a time.
        self._starting = asyncio.Lock()
        self._delay = limits.worker_restart_delay
        self._generation = 0
        self._stopping = False

    async def man(self) -> None:
        """Starts the first process, and returns when it is ready; raises `CannotStart`."""
        async with self._starting:
            self._take(await self._start())

    async def replace(self) -> bool:
        """Puts a successor in place, then lets the one before leave; False if no successor starts."""
        async with self._starting:
            before = self.child
            if before is None or self._stopping:
                return True  # it was started anew meanwhile, or never will be
            try:
                self._take(await self._start())
            except CannotStart as error:
                gen_log.error("%s; %s stays", error, before)
                return False
        self._later(self._see_off(before))
        return True

    def tell_gone(self, node: str) -> None:
        for child in self._children:
            child.tell_gone(node)

    def close(self) -> None:
        """From now on nobody is started any more."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def stop(self, *, at_once: bool = False) -> None:
        """Ends all that are here; behind `close`."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(self._see_off(child, at_once) for child in list(self._children)))

    # ---- one process

    async def _start(self) -> Child:
        """A new process, once it is ready; raises `CannotStart`."""
        self._generation += 1
        try:
            child = await Child.start(
                self.name,
                self._command,
                node=f"{self.name.replace(' ', '')}.{self._generation}-{secrets.token_hex(8)}",
                sockets=self._sockets,
                spare=self._spare,
                environment=self._environment,
                apart=self._apart,
            )
        except OSError as error:
            raise CannotStart(f"{self.name} cannot be started: {error}") from None
        self._children.add(child)
        child.exited.add_done_callback(lambda _: self._gone(child))
        child.on_over = self._over
        child.on_changed = self._on_changed
        await asyncio.wait([child.ready], timeout=self._limits.worker_start_timeout)
        if not child.ready.done():
            await child.end(_MARGIN)
            raise CannotStart(f"{child} was not ready within {self._limits.worker_start_timeout:g} s")
        if not child.ready.result():
            await child.end(_MARGIN)
            raise CannotStart(f"{child} {child.how_it_ended} before it was ready")
        self._say(f"{self.name} is ready (pid {child.process.pid})")
        return child

    def _take(self, child: Child) -> None:
        self._set(child)
        if child.is_over:
            self._over(child)

    def _set(self, child: Child | None) -> None:
        self.child = child
        if self._on_change is not None:
            self._on_change()

    def _gone(self, child: Child) -> None:
        self._children.discard(child)
        if self._on_gone is not None:
            self._on_gone(child.node)

    async def _see_off(self, child: Child, at_once: bool = False) -> None:
        within = _AT_ONCE if at_once else self._limits.drain_timeout + _MARGIN
        if not await child.end(within, at_once=at_once) and not at_once:
            gen_log.error("%s did not leave in time, and was killed", child)

    # ---- somebody has to come after it

    def _over(self, child: Child) -> None:
        if child is self.child and not self._stopping:
            self._set(None)
            self._later(self._man_again(child))

    async def _man_again(self, before: Child) -> None:
        loop = asyncio.get_running_loop()
        leaves = not before.exited.done()
        if leaves or loop.time() - before.started_at > self._limits.worker_settled:
            self._delay = self._limits.worker_restart_delay
        if leaves:
            self._say(f"{before} is leaving")
            self._later(self._see_off(before))
        else:
            gen_log.error("%s %s; another comes in %.3g s", before, before.how_it_ended, self._delay)
        async with self._starting:
            while self.child is None:
                await asyncio.sleep(self._delay)
                self._delay = min(2 * self._delay, self._limits.worker_restart_delay_max)
                try:
                    self._take(await self._start())
                except CannotStart as error:
                    gen_log.error("%s; another comes in %.3g s", error, self._delay)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
