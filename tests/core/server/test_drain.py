"""A server that is told to stop answers what was begun and what comes meanwhile, and ends in bounded time."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import uvloop

from zonda import web
from zonda._core.server import drain as drain_module
from zonda.httpserver import HTTPServer
from zonda.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from zonda.netutil import bind_sockets

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: Seconds for an idle connection; what is asserted does not hang on how long exactly.
GRACE = 0.3


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
        server._keeper.limits = replace(server._keeper.limits, drain_grace=GRACE)
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


async def fall_idle(site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    site.go.set()
    writer.write(GET)
    assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")


def test_an_idle_connection_is_closed_when_nothing_came_for_a_while():
    """Not at once: a request may be under way on it, and would be broken."""

    async def body(site, server, reader, writer):
        await fall_idle(site, reader, writer)
        begun = asyncio.get_running_loop().time()
        await server.drain()
        assert asyncio.get_running_loop().time() - begun >= GRACE * 0.9
        assert await reader.read() == b""

    served(body)


def test_a_request_on_an_idle_connection_is_answered_as_the_last():
    async def body(site, server, reader, writer):
        await fall_idle(site, reader, writer)
        ending = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        writer.write(GET)
        answer = await reader.read()
        assert b"connection: close" in answer.lower()
        assert answer.endswith(b"\r\n\r\nok")
        await ending

    served(body)


def test_the_bound_of_a_drain_is_that_of_idle_connections_too():
    async def body(site, server, reader, writer):
        server._keeper.limits = replace(server._keeper.limits, drain_grace=1000.0)
        other, other_writer = await asyncio.open_connection(*writer.get_extra_info("peername"))
        await fall_idle(site, other, other_writer)
        await server.drain(within=0.05)
        assert await other.read() == b""
        other_writer.close()
        await other_writer.wait_closed()

    served(body)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_waits_in_the_accept_queue_is_let_in(loop_factory):
    """They are connected as far as they can see, and may have sent their request."""

    async def main() -> None:
        site = Site()
        site.go.set()
        server = HTTPServer(site)
        server._keeper.limits = replace(server._keeper.limits, drain_grace=GRACE)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        await asyncio.sleep(0)
        address = sockets[0].getsockname()
        # The loop does not turn from here to the drain: nobody accepts.
        clients = [socket.create_connection(address) for _ in range(5)]
        for client in clients[1:]:
            client.sendall(GET)
        ending = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        clients[0].sendall(GET)
        for client in clients:
            reader, writer = await asyncio.open_connection(sock=client)
            assert (await reader.read()).endswith(b"\r\n\r\nok")
            writer.close()
            await writer.wait_closed()
        await ending

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


class Lasting(web.RequestHandler):
    """Answers when the server is to leave."""

    begun: asyncio.Event
    told: list[str]

    async def get(self, late: str) -> None:
        self.leaving = asyncio.Event()
        self.write("waited")
        await self.flush()
        self.begun.set()
        await self.leaving.wait()
        if late:
            await asyncio.sleep(0.1)  # some looks later

    def on_server_leave(self) -> None:
        self.told.append(self.request.path)
        self.leaving.set()


@pytest.mark.parametrize("path", ["/", "/late"])
def test_who_answers_for_long_is_told_once(path):
    async def main() -> None:
        Lasting.begun = asyncio.Event()
        Lasting.told = []
        server = HTTPServer(web.Application([("/(late)?", Lasting)]))
        server._keeper.limits = replace(server._keeper.limits, drain_grace=GRACE)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(GET.replace(b"/", path.encode(), 1))
        await Lasting.begun.wait()
        assert Lasting.told == []
        async with asyncio.timeout(10):
            await server.drain()
        assert Lasting.told == [path]
        assert (await reader.read()).endswith(b"\r\n6\r\nwaited\r\n0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())


def test_who_begins_to_answer_while_the_server_leaves_is_told_too():
    async def main() -> None:
        Lasting.begun = asyncio.Event()
        Lasting.told = []
        server = HTTPServer(web.Application([("/(late)?", Lasting)]))
        server._keeper.limits = replace(server._keeper.limits, drain_grace=GRACE)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        ending = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        writer.write(GET)
        answer = await reader.read()
        assert answer.endswith(b"waited\r\n0\r\n\r\n")
        assert b"connection: close" in answer.lower()
        assert Lasting.told == ["/"]
        await ending
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())


def test_a_mistake_in_being_told_ends_nothing(expect_log, monkeypatch):
    expect_log("zonda.application", "Uncaught exception in on_leave")

    def fail(self: Lasting) -> None:
        self.told.append(self.request.path)
        self.leaving.set()
        raise RuntimeError

    monkeypatch.setattr(Lasting, "on_server_leave", fail)
    test_who_answers_for_long_is_told_once("/")


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


@pytest.mark.parametrize("requests", [1, 2, 4])
def test_a_request_that_comes_while_draining_is_the_last(requests):
    """Of pipelined requests all are answered, the last told that the connection ends."""

    async def body(site, server, reader, writer):
        writer.write(GET * requests)
        await site.begun.wait()
        server.stop()
        ending = asyncio.create_task(server.drain())
        await asyncio.sleep(0)
        site.go.set()
        answers = (await reader.read()).split(b"ok")[:-1]
        assert len(answers) == requests
        assert b"connection: close" in answers[-1].lower()
        assert all(b"connection: close" not in answer.lower() for answer in answers[:-1])
        await ending

    served(body)
