"""`HTTPServer` over real sockets on both loops: Unix sockets, proxies, bounds, start and stop."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.core.link.harness import GET, answer, get, listening, post, until
from tests.core.net.loops import Run
from tests.core.server.serving import ask, hello, say, serving
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda.httputil import (
    HTTPServerRequest,
)
from zonda.netutil import bind_unix_socket


def test_unix_socket(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        seen: list[Any] = []

        def serve(request: HTTPServerRequest) -> None:
            seen.append((request.remote_ip, request.protocol))
            hello(request)

        async with serving(serve, bind_unix_socket(str(tmp_path / "s"))) as server:
            client = await server.connect()
            await client.send(GET)
            assert (await client.read_answer())[2] == b"hello"
            await client.send(b"NONSENSE\r\n\r\n")
            assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")
            assert seen == [("0.0.0.0", "http")]

    run(main())


@pytest.mark.parametrize(
    ("fields", "ip", "protocol"),
    [
        ("", "127.0.0.1", "http"),
        ("X-Real-IP: 4.4.4.4\r\nX-Scheme: https\r\n", "4.4.4.4", "https"),
        ("X-Forwarded-For: 1.1.1.1, 4.4.4.4\r\nX-Forwarded-Proto: http,https\r\n", "4.4.4.4", "https"),
        ("X-Forwarded-For: 4.4.4.4, 5.5.5.5, 6.6.6.6\r\n", "4.4.4.4", "http"),
        ("X-Forwarded-For: 2620:0:1cfe:face:b00c::3\r\n", "2620:0:1cfe:face:b00c::3", "http"),
        ("X-Real-IP: 4.4.4.4<script>\r\nX-Scheme: gopher\r\n", "127.0.0.1", "http"),
        ("X-Forwarded-For: www.google.com\r\nX-Forwarded-Proto: https, javascript\r\n", "127.0.0.1", "http"),
        ("X-Forwarded-For: 4.4.4.4\r\nX-Forwarded-For: 7.7.7.7\r\n", "7.7.7.7", "http"),
    ],
)
def test_xheaders_are_believed_where_asked_for(run: Run, fields: str, ip: str, protocol: str) -> None:
    async def main() -> None:
        def serve(request: HTTPServerRequest) -> None:
            say(request, f"{request.remote_ip} {request.protocol}")

        trusted = ["5.5.5.5", "6.6.6.6"]
        async with serving(serve, xheaders=True, trusted_downstream=trusted) as server:
            client = await server.connect()
            await client.send(get(fields=fields))
            assert (await client.read_answer())[2].decode() == f"{ip} {protocol}"
            # Each request speaks for itself.
            await client.send(GET)
            assert (await client.read_answer())[2] == b"127.0.0.1 http"
        async with serving(serve) as server:
            client = await server.connect()
            await client.send(get(fields=fields))
            assert (await client.read_answer())[2] == b"127.0.0.1 http"

    run(main())


# ---- bounds, start and stop


def test_connections_past_the_bound_are_refused(run: Run, expect_log: Any) -> None:
    expect_log("zonda.general", "Refused a connection from 127.0.0.1: 3 are open, no more are allowed")

    async def main() -> None:
        async with listening(answer, replace(DEFAULT_LIMITS, connections=3)) as listener:
            clients = [await listener.connect() for _ in range(3)]
            for client in clients:
                await client.send(GET)
                await client.read_answer()
            one_more = await listener.connect()
            try:
                await one_more.send(GET)
                assert await one_more.read_all() == b""
            except (ConnectionResetError, BrokenPipeError):
                pass
            # Those who are in are served, and a place that is free again is given.
            await clients[0].send(GET)
            await clients[0].read_answer()
            clients[1].sock.close()
            await until(lambda: len(listener.keeper.connections) == 2)
            late = await listener.connect()
            await late.send(GET)
            assert (await late.read_answer())[0] == 200

    run(main())


def test_stop_and_close_all(run: Run) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            address = server.listener.getsockname()
            client = await server.connect()
            await client.send(GET)
            await client.read_answer()
            server.server.stop()
            server.server.stop()
            await client.send(GET)
            assert (await client.read_answer())[2] == b"hello", "open connections go on"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*address)
            await server.server.close_all_connections()
            assert await client.read_all() == b""
            assert not server.server._keeper.connections and server.server._keeper._timer is None

    run(main())


def test_a_server_that_is_stopped_at_once_does_not_start(run: Run) -> None:
    async def main() -> None:
        async with serving(hello) as server:
            address = server.listener.getsockname()
            server.server.stop()
            for _ in range(5):
                await asyncio.sleep(0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*address)

    run(main())


def test_sizes_and_times_of_the_server_reach_its_connections(run: Run) -> None:
    async def main() -> None:
        options = {
            "chunk_size": 10,
            "max_header_size": 200,
            "idle_connection_timeout": 5.0,
            "body_timeout": 6.0,
            "max_body_size": 20,
        }
        async with serving(hello, **options) as server:
            limits = server.server._keeper.limits
            assert (limits.chunk_size, limits.idle_timeout, limits.body_timeout) == (10, 5.0, 6.0)
            assert limits.head_bytes == limits.line_bytes == 200
            assert limits.body_bytes == limits.decompressed_body_bytes == 20
            data, _ = await ask(server, get(fields="X: " + "a" * 200))
            assert data.startswith(b"HTTP/1.1 431 ")
            data, _ = await ask(server, get("/" + "a" * 200))
            assert data.startswith(b"HTTP/1.1 414 ")
            data, _ = await ask(server, post(b"a" * 21))
            assert data.startswith(b"HTTP/1.1 400 ")

    run(main())
