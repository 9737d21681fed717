"""A server with one WebSocket handler, and bare clients that write its frames by hand."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.core.wire.ws.frames import frame
from zonda import web
from zonda.httpserver import HTTPServer

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    def text(self, message: str) -> None:
        self.send(frame(0x81, message.encode()))

    async def read(self) -> tuple[int, bytes]:
        """The first byte and the payload of the next frame; (0, b"") at the end."""
        try:
            first, size = await self.reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return 0, b""


class Served:
    """What `serving` gives."""

    def __init__(self, server: HTTPServer, address: Any) -> None:
        self.server = server
        self.address = address
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, more: bytes = b"", behind: bytes = b"") -> Client:
        """A client; `more` are fields of its handshake, `behind` bytes sent together with it."""
        reader, writer = await asyncio.open_connection(*self.address, limit=1 << 24)
        self._writers.append(writer)
        client = Client(reader, writer)
        client.send(HANDSHAKE + more + b"\r\n" + behind)
        client.head = await reader.readuntil(b"\r\n\r\n")
        return client

    async def open(self, more: bytes = b"", behind: bytes = b"") -> Client:
        client = await self.connect(more, behind)
        assert client.head.startswith(b"HTTP/1.1 101 "), client.head
        return client

    async def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self.server.stop()
        await self.server.close_all_connections()


@asynccontextmanager
async def serving(handler: Any, *, ssl_options: Any = None, **settings: Any) -> AsyncIterator[Served]:
    application = web.Application([("/", handler)], log_function=lambda handler: None, **settings)
    server = HTTPServer(application, ssl_options=ssl_options)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server.add_socket(listener)
    served = Served(server, listener.getsockname())
    try:
        yield served
    finally:
        await served.close()
