"""A real server and a bare client on one kept-alive loopback connection, in the running loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any


@asynccontextmanager
async def serving(
    application: Any, whole: Callable[[bytes], bool] | None = None, beside: int = 0
) -> AsyncIterator[Callable[[bytes], Awaitable[bytes]]]:
    """Gives `exchange(request)`, which sends bytes and returns the answer.

    `whole` says when all of it is there; by default its Content-Length does.  `beside`: so many more
    connections, that say nothing.
    """
    from zonda.httpserver import HTTPServer

    server = HTTPServer(application)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server.add_socket(listener)
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        client = stack.enter_context(socket.socket())
        client.setblocking(False)

        async def exchange(request: bytes) -> bytes:
            await loop.sock_sendall(client, request)
            answer = b""
            while not (whole or _whole)(answer):
                piece = await loop.sock_recv(client, 65536)
                assert piece, f"the server closed the connection after {answer!r}"
                answer += piece
            return answer

        try:
            await loop.sock_connect(client, listener.getsockname())
            for _ in range(beside):
                stack.enter_context(socket.create_connection(listener.getsockname()))
            yield exchange
        finally:
            server.stop()
            # The other end of a WebSocket does not answer its close, and would be waited for.
            client.close()
            await server.close_all_connections()


def _whole(answer: bytes) -> bool:
    head, blank, body = answer.lower().partition(b"\r\n\r\n")
    if not blank:
        return False
    _, named, length = head.partition(b"\r\ncontent-length:")
    assert named, f"an answer without Content-Length: {answer!r}"
    return len(body) >= int(length.split(b"\r\n")[0])
