"""A server that is told to stop answers what it has begun, closes what is idle, and ends in bounded time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from zonda._core.server import drain as drain_module
from zonda.httpserver import HTTPServer
from zonda.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from zonda.netutil import bind_sockets

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Site:
    """Answers when `go` is set."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.answers: list[asyncio.Task[None]] = []

    def __call__(self, request: HTTPServerRequest) -> None:
        self.answers.append(asyncio.get_running_loop().create_task(self._answer(request)))

    async def _answer(self, request: HTTPServerRequest) -> None:
        self.begun.set()
        await self.go.wait()
        connection = request.connection
        connection.write_headers(
            ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "2"}), b"ok"
        )
        connection.finish()


Body = Callable[[Site, HTTPServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def served(body: Body) -> None:
    async def main() -> None:
        site = Site()
        server = HTTPServer(site)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        try:
            await body(site, server, reader, writer)
        finally:
            for answer in site.answers:
                answer.cancel()
            server.stop()
            await server.close_all_connections()
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_what_was_begun_is_answered_and_the_connection_closed():
    async def body(site, server, reader, writer):
        writer.write(GET)
        await site.begun.wait()
        server.stop()
        ending = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        assert not ending.done()
        site.go.set()
        answer = await reader.read()  # to the end: the server closes
        assert answer.endswith(b"\r\n\r\nok")
        await ending

    served(body)


def test_an_idle_connection_is_closed_at_once():
    async def body(site, server, reader, writer):
        site.go.set()
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")
        server.stop()
        await server.drain()
        assert await reader.read() == b""

    served(body)


def test_what_does_not_end_in_time_is_cut_off(monkeypatch):
    async def body(site, server, reader, writer):
        writer.write(GET)
        await site.begun.wait()
        server.stop()
        now = drain_module.monotonic()
        later = iter([now, now + server._keeper.limits.drain_timeout + 1])
        monkeypatch.setattr(drain_module, "monotonic", lambda: next(later))
        await server.drain()
        assert await reader.read() == b""

    served(body)


@pytest.mark.parametrize("requests", [1, 2])
def test_a_request_that_comes_while_draining_is_the_last(requests):
    """Of two pipelined requests the second is answered too, told that the connection ends."""

    async def body(site, server, reader, writer):
        writer.write(GET * requests)
        await site.begun.wait()
        server.stop()
        ending = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        site.go.set()
        answers = (await reader.read()).split(b"ok")[:-1]
        assert len(answers) == requests
        assert requests == 1 or b"connection: close" in answers[-1].lower()
        await ending

    served(body)
