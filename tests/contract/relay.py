"""What stands between a broker and its server in tests, so that connections can be lost on purpose."""

import asyncio
import os
from contextlib import suppress

#: The path of a Unix socket, or host and port.
Address = str | tuple[str, int]


class Relay:
    """Accepts at `listen` (port 0: one is chosen) and passes on to `target`; on the loop it is started on."""

    def __init__(self, listen: Address, target: Address) -> None:
        self.address = listen
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def up(self) -> None:
        """Accepts (again)."""
        if isinstance(self.address, str):
            with suppress(FileNotFoundError):
                os.unlink(self.address)
            self._server = await asyncio.start_unix_server(self._accepted, self.address)
        else:
            self._server = await asyncio.start_server(self._accepted, *self.address)
            self.address = self._server.sockets[0].getsockname()[:2]

    async def down(self) -> None:
        """Refuses connections, and cuts those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Every connection is lost, with what is under way in it."""
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def freeze(self) -> None:
        """Nothing is passed on, and nothing closed: the other side seems to be silent."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        other = None
        try:
            if isinstance(self._target, str):
                there, other = await asyncio.open_unix_connection(self._target)
            else:
                there, other = await asyncio.open_connection(*self._target)
            self._writers.add(other)
            pumps = [
                asyncio.ensure_future(self._pump(reader, other)),
                asyncio.ensure_future(self._pump(there, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.wait(pumps)
        except OSError:
            pass  # the server is not there: whoever connected sees its connection end
        finally:
            for each in (writer, other):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(262144):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            # What was said before the end is heard: nothing of it waits here.
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(_flushed(writer), 2)


async def _flushed(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await writer.drain()
