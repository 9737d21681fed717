"""What stands between a broker and its server in tests, so that connections can be lost on purpose."""

import asyncio
import os
from contextlib import suppress
from typing import Any

#: The path of a Unix socket, or host and port.
Address = str | tuple[str, int]


class Relay:
    """Accepts at `listen` (port 0: one is chosen) and passes on to `target`; on the loop it is started on."""

    def __init__(self, listen: Address, target: Address) -> None:
        self.address = listen
        self.target = target
        self.ends: set[_End] = set()
        self.frozen = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def up(self) -> None:
        """Accepts (again)."""
        loop = asyncio.get_running_loop()
        if isinstance(self.address, str):
            with suppress(FileNotFoundError):
                os.unlink(self.address)
            self._server = await loop.create_unix_server(lambda: _Accepted(self), self.address)
        else:
            self._server = await loop.create_server(lambda: _Accepted(self), *self.address)
            self.address = self._server.sockets[0].getsockname()[:2]

    async def down(self) -> None:
        """Refuses connections, and cuts those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Every connection is lost, with what is under way in it."""
        for task in self.tasks:
            task.cancel()
        ends = list(self.ends)
        for end in ends:
            end.transport.abort()
        waiting = [*self.tasks, *(end.lost for end in ends)]
        if waiting:
            await asyncio.wait(waiting)

    def freeze(self) -> None:
        """Nothing is passed on, and nothing closed: the other side seems to be silent."""
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        for end in self.ends:
            end.pass_on()


class _End(asyncio.Protocol):
    """One of the two connections of a relayed one."""

    transport: asyncio.Transport

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.other: _End | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self._held: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.relay.ends.add(self)

    def data_received(self, data: bytes) -> None:
        self._held.append(data)
        self.pass_on()

    def pass_on(self) -> None:
        if self.other is not None and not self.relay.frozen:
            held, self._held = self._held, []
            for data in held:
                self.other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.relay.ends.discard(self)
        self.lost.set_result(None)
        if self.other is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


class _Accepted(_End):
    """That of who has connected to us; makes the one to the target."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        task = asyncio.ensure_future(self._connect())
        self.relay.tasks.add(task)
        task.add_done_callback(self.relay.tasks.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        target = self.relay.target
        other = _End(self.relay)
        try:
            if isinstance(target, str):
                await loop.create_unix_connection(lambda: other, target)
            else:
                await loop.create_connection(lambda: other, *target)
        except OSError:  # the server is not there: whoever connected sees its connection end
            self.transport.abort()
            return
        if self.transport.is_closing():
            other.transport.abort()
            return
        self.other, other.other = other, self
        self.pass_on()
        other.pass_on()
