"""Servers for the client's tests: they do what they are told, right or wrong."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Calls `answer(server, head, reader, writer)` for each request; closes when it returns False."""

    def __init__(self, answer: "Answer") -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                if await self.answer(self, head, reader, writer) is False:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    def end(self) -> list["asyncio.Task[None]"]:
        for task in self._tasks:
            task.cancel()
        return list(self._tasks)


Answer = Callable[[Server, bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool | None]]


@contextlib.asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        if tasks := server.end():
            await asyncio.wait(tasks)


def saying(*parts: bytes) -> Answer:
    """Answers every request with the same bytes."""

    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for part in parts:
            writer.write(part)
        await writer.drain()

    return answer
