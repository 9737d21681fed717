"""An `HTTPServer` on a real socket, and clients of it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.core.link.harness import GET, Client, get
from zonda.httpserver import HTTPServer
from zonda.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine


def say(request: HTTPServerRequest, text: str) -> None:
    body = text.encode()
    connection = request.connection
    connection.write_headers(
        ResponseStartLine("", 200, "OK"), HTTPHeaders({"Content-Length": str(len(body))}), body
    )
    connection.finish()


def hello(request: HTTPServerRequest) -> None:
    say(request, "hello")


class Server:
    def __init__(self, server: HTTPServer, listener: socket.socket) -> None:
        self.server = server
        self.listener = listener
        self._clients: list[socket.socket] = []

    async def connect(self) -> Client:
        sock = socket.socket(self.listener.family)
        self._clients.append(sock)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.listener.getsockname())
        return Client(sock)

    def hang_up(self) -> None:
        for sock in self._clients:
            sock.close()


@asynccontextmanager
async def serving(
    callback: Any, listener: socket.socket | None = None, cls: type[HTTPServer] = HTTPServer, **options: Any
) -> AsyncIterator[Server]:
    server = cls(callback, **options)
    listener = listener or socket.create_server(("127.0.0.1", 0))
    server.add_socket(listener)
    own = Server(server, listener)
    try:
        yield own
    finally:
        own.hang_up()
        server.stop()
        await server.close_all_connections()
        await asyncio.sleep(0)


async def ask(
    server: Server, request: bytes = GET, tls: ssl.SSLContext | None = None
) -> tuple[bytes, asyncio.StreamWriter]:
    """Sends a request whose answer ends the connection."""
    reader, writer = await asyncio.open_connection(*server.listener.getsockname()[:2], ssl=tls)
    writer.write(request)
    data = await reader.read()
    writer.close()
    return data, writer


LAST = get(fields="Connection: close\r\n")
