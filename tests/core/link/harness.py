"""A listener whose answers the test gives itself, and a client that is only a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.link.exchange import Exchange
from zonda._core.server.keeper import ConnectionKeeper

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def get(path: str = "/", fields: str = "", version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: a\r\n{fields}\r\n".encode()


def post(body: bytes, fields: str = "", path: str = "/") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


MIB = 1 << 20
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


#: Times short enough to wait for.
TINY = replace(DEFAULT_LIMITS, idle_timeout=0.1, head_timeout=0.1, body_timeout=None, stall_timeout=0.1)


def answer(exchange: Exchange, body: bytes | None = None) -> None:
    """Answers with a body, or with the path."""
    body = exchange.head.target.encode() if body is None else body
    exchange.respond(200, "OK", {"Content-Length": str(len(body))}, body)


def answer_when_read(exchange: Exchange) -> None:
    """Answers with the size of the request's body."""
    if exchange.complete:
        answer(exchange)
    else:
        exchange.on_end = lambda: answer(exchange, b"%d" % len(exchange.body))


def hello(exchange: Exchange) -> None:
    answer(exchange, b"hello")


class Later:
    """Keeps the exchanges, so that the test says when each is answered."""

    def __init__(self) -> None:
        self.exchanges: list[Any] = []
        self.closed: list[int] = []

    def __call__(self, exchange: Exchange) -> None:
        number = len(self.exchanges)
        self.exchanges.append(exchange)
        exchange.on_close = lambda: self.closed.append(number)


class Client:
    """A socket and what came over it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self.sock, 65536)

    async def read_all(self) -> bytes:
        """What comes until the server closes; a reset raises `ConnectionResetError`."""
        while piece := await self.receive():
            self._received += piece
        return self._take(len(self._received))

    async def read(self, size: int) -> bytes:
        while len(self._received) < size:
            await self._receive_more()
        return self._take(size)

    async def read_until(self, end: bytes) -> bytes:
        while end not in self._received:
            await self._receive_more()
        return self._take(self._received.index(end) + len(end))

    async def _receive_more(self) -> None:
        piece = await self.receive()
        assert piece, f"closed after {bytes(self._received[-1000:])!r}"
        self._received += piece

    def _take(self, size: int) -> bytes:
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    async def read_answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of an answer with Content-Length."""
        head = await self.read_until(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head.split(b" ")[1]), head, await self.read(length)

    def end_sending(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)


class Listener:
    """A keeper of connections, and clients of it."""

    def __init__(self, keeper: ConnectionKeeper, address: Any, family: socket.AddressFamily) -> None:
        self.keeper = keeper
        self._address = address
        self._family = family
        self._clients: list[socket.socket] = []

    async def connect(self, receive_buffer: int = 0) -> Client:
        sock = socket.socket(self._family)
        self._clients.append(sock)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self._address)
        return Client(sock)

    @property
    def connection(self) -> Any:
        (connection,) = self.keeper.connections
        return connection

    async def empty(self) -> None:
        """Waits until no connection is left."""
        await until(lambda: not self.keeper.connections)

    def hang_up(self) -> None:
        for sock in self._clients:
            sock.close()


async def until(condition: Callable[[], object]) -> None:
    """Gives the loop its turns until something has become true; the fixture `run` ends a wait in vain."""
    while True:
        if condition():
            return
        await asyncio.sleep(0.001)


async def settled(value: Callable[[], Any]) -> Any:
    """A value that has not changed for a tenth of a second."""
    last, same = value(), 0
    while same < 20:
        await asyncio.sleep(0.005)
        now = value()
        same = same + 1 if now == last else 0
        last = now
    return last


@asynccontextmanager
async def listening(
    serve: Callable[[Exchange], None], limits: Limits = DEFAULT_LIMITS, **options: Any
) -> AsyncIterator[Listener]:
    keeper = ConnectionKeeper(serve, limits, **options)
    server = await asyncio.get_running_loop().create_server(keeper.accept, "127.0.0.1", 0)
    listener = Listener(keeper, server.sockets[0].getsockname(), socket.AF_INET)
    try:
        yield listener
    finally:
        listener.hang_up()
        server.close()
        await keeper.close_all()
        # uvloop closes sockets a turn later.
        await asyncio.sleep(0)
