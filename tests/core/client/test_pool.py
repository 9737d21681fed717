"""Connections that are kept: used again, bounded, given up in time, and never trusted too far."""

import asyncio
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.core.client.servers import OK, Server, saying, serving
from tests.core.link.harness import until
from tests.core.net.loops import Run
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.client.pool import Pool
from zonda.simple_httpclient import HTTPStreamClosedError, SimpleAsyncHTTPClient


def client_of(**kwargs: Any) -> Any:
    return SimpleAsyncHTTPClient(force_instance=True, **kwargs)


async def lost(connection: Any) -> None:
    """Waits for the end of a connection."""
    await until(lambda: connection.transport is None)


def test_one_connection_for_many_requests(run: Run) -> None:
    async def main() -> None:
        async with serving(saying(OK)) as server:
            client = client_of()
            for _ in range(5):
                assert (await client.fetch(server.url)).body == b"ok"
            assert server.connections == 1
            # Other settings of the connection, another connection.
            await client.fetch(server.url, network_interface="127.0.0.1")
            assert server.connections == 2
            client.close()

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        OK + b"\r\n",
    ],
)
def test_not_kept(run: Run, answer: bytes) -> None:
    async def main() -> None:
        async with serving(saying(answer)) as server:
            client = client_of()
            for _ in range(2):
                assert (await client.fetch(server.url)).body == b"ok"
            assert server.connections == 2 and len(client._pool) == 0
            client.close()

    run(main())


def test_an_answer_nobody_asked_for_is_nobody_s(run: Run) -> None:
    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(OK)
        await writer.drain()
        if server.connections == 1:
            await server.poison.wait()  # type: ignore[attr-defined]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
            await writer.drain()

    async def main() -> None:
        async with serving(answer) as server:
            server.poison = asyncio.Event()  # type: ignore[attr-defined]
            client = client_of()
            await client.fetch(server.url)
            [connection] = client._pool._all
            server.poison.set()  # type: ignore[attr-defined]
            await lost(connection)
            assert (await client.fetch(server.url)).body == b"ok"
            assert server.connections == 2
            client.close()

    run(main())


async def _dies_idle(
    server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool | None:
    """The first connection takes a second request and closes without an answer."""
    if server.connections == 1 and len(server.heads) == 2:
        return False
    writer.write(OK)
    await writer.drain()
    return None


def _age(client: Any) -> None:
    for connection in client._pool._all:
        connection.idle_since -= 2


def test_what_can_be_sent_twice_is(run: Run) -> None:
    async def main() -> None:
        async with serving(_dies_idle) as server:
            client = client_of()
            await client.fetch(server.url)
            _age(client)
            assert (await client.fetch(server.url, method="DELETE")).body == b"ok"
            assert server.connections == 2 and len(server.heads) == 3
            client.close()

    run(main())


def test_an_end_right_behind_an_answer_is_no_end_of_idling(run: Run) -> None:
    """The request itself may be what ends the server: it is not sent to the next one."""

    async def main() -> None:
        async with serving(_dies_idle) as server:
            client = client_of()
            await client.fetch(server.url)
            with pytest.raises(HTTPStreamClosedError):
                await client.fetch(server.url)
            assert len(server.heads) == 2
            client.close()

    run(main())


def test_what_cannot_be_sent_twice_is_not(run: Run) -> None:
    async def main() -> None:
        async with serving(_dies_idle) as server:
            client = client_of()
            await client.fetch(server.url)
            with pytest.raises(HTTPStreamClosedError):
                await client.fetch(server.url, method="POST", body=b"")
            assert len(server.heads) == 2
            client.close()

    run(main())


def test_what_cannot_be_sent_twice_goes_on_no_connection_that_idled(run: Run) -> None:
    async def main() -> None:
        async with serving(saying(OK)) as server:
            client = client_of()
            await client.fetch(server.url)
            _age(client)
            await client.fetch(server.url, method="POST", body=b"")
            assert server.connections == 2
            await client.fetch(server.url)
            assert server.connections == 2
            client.close()

    run(main())


def test_a_half_answer_is_not_asked_for_again(run: Run) -> None:
    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool | None:
        if len(server.heads) == 1:
            writer.write(OK)
            return None
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        return False

    async def main() -> None:
        async with serving(answer) as server:
            client = client_of()
            await client.fetch(server.url)
            with pytest.raises(HTTPStreamClosedError, match="Connection closed"):
                await client.fetch(server.url)
            assert len(server.heads) == 2
            client.close()

    run(main())


def test_bounded(run: Run) -> None:
    async def main() -> None:
        client = client_of(max_clients=3)
        servers = []
        for _ in range(5):
            context = serving(saying(OK))
            servers.append((context, await context.__aenter__()))
        for _, server in servers:
            await client.fetch(server.url)
        assert len(client._pool) == 3
        # The oldest went first.
        for _, server in reversed(servers):
            await client.fetch(server.url)
        assert [server.connections for _, server in servers] == [2, 2, 1, 1, 1]
        client.close()
        for context, _ in servers:
            await context.__aexit__(None, None, None)

    run(main())


def test_idle_ones_are_closed_in_time(run: Run) -> None:
    async def main() -> None:
        async with serving(saying(OK)) as server:
            client = client_of()
            client._pool = Pool(
                asyncio.get_running_loop(), replace(DEFAULT_LIMITS, client_idle_timeout=0.05), 10
            )
            await client.fetch(server.url)
            [connection] = client._pool._all
            await lost(connection)
            assert len(client._pool) == 0
            assert client._pool._timer is None
            client.close()

    run(main())


def test_the_end_of_the_loop_closes_what_idles(run: Run) -> None:
    """Nobody closes the client here, and the server has no loop whose end could do it."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            connection.recv(65536)
            connection.sendall(OK)
            seen.append(connection.recv(65536))

    async def main() -> Any:
        client = client_of()
        await client.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        [connection] = client._pool._all
        return connection

    with listener:
        thread = threading.Thread(target=serve)
        thread.start()
        connection = run(main())
        assert connection.transport is None
        thread.join(10)
    assert seen == [b""]


def test_clients_of_ended_loops_are_forgotten(run: Run) -> None:
    async def main() -> None:
        SimpleAsyncHTTPClient()

    for _ in range(4):
        run(main())
    assert len(SimpleAsyncHTTPClient._async_clients()) <= 1
    SimpleAsyncHTTPClient._async_clients().clear()
