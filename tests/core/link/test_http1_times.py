"""`Http1Connection` over real sockets: slow readers, slow writers, and every time-out."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.core.link.harness import (
    GET,
    HELLO,
    MIB,
    TINY,
    Later,
    answer,
    answer_when_read,
    get,
    hello,
    listening,
    post,
    until,
)
from tests.core.net.loops import Run
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.exchange import Exchange

# ---- writing


def test_a_writer_that_waits_keeps_little_in_memory(run: Run) -> None:
    async def main() -> None:
        most = 0
        tasks: set[asyncio.Task[None]] = set()

        async def stream(exchange: Any) -> None:
            nonlocal most
            connection = exchange.connection
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (20 * MIB))
            for _ in range(20 * 16):
                connection.write(b"x" * 65536)
                most = max(most, connection.transport.get_write_buffer_size())
                await connection.drained()

        def serve(exchange: Exchange) -> None:
            tasks.add(asyncio.ensure_future(stream(exchange)))

        async with listening(serve) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send(GET)
            await client.read_until(b"\r\n\r\n")
            await client.read(20 * MIB)
            assert most <= 4 * 65536

    run(main())


def test_a_writer_that_does_not_wait_is_cut_off_at_the_bound(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later, replace(DEFAULT_LIMITS, write_buffer_bytes=MIB)) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send(GET)
            await until(lambda: later.exchanges)
            connection = listener.connection
            written = 0
            while not connection.closed():
                connection.write(b"x" * 65536)
                written += 65536
                assert written < 20 * MIB
            await listener.empty()
            assert later.closed == [0]
            assert isinstance(connection.error, BufferError) or connection.error is None

    run(main())


# ---- times


def test_an_idle_connection_is_closed(run: Run) -> None:
    async def main() -> None:
        async with listening(hello, TINY) as listener:
            silent = await listener.connect()
            client = await listener.connect()
            await client.send(GET)
            assert await client.read_all() == HELLO
            assert await silent.read_all() == b""
            await listener.empty()

    run(main())


def test_a_slow_head_gets_408(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with listening(hello, replace(TINY, idle_timeout=60.0)) as listener:
            client = await listener.connect()

            async def drip() -> None:
                for byte in GET * 10:
                    await client.send(bytes([byte]))
                    await asyncio.sleep(0.02)

            dripping = asyncio.ensure_future(drip())
            data = await client.read_all()
            assert data.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            dripping.cancel()

    run(main())
    assert [r.getMessage() for r in caplog.records if r.name == "zonda.general"] == [
        "Timeout reading headers from 127.0.0.1"
    ]


def test_a_handler_has_all_the_time_it_wants(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            asyncio.get_running_loop().call_later(0.4, answer, exchange, b"hello")

        async with listening(serve, TINY) as listener:
            client = await listener.connect()
            await client.send(GET)
            assert (await client.read_answer())[2] == b"hello"

    run(main())


def test_a_body_that_stands_still_gets_408(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later, TINY) as listener:
            client = await listener.connect()
            await client.send(post(b"x" * 100)[:-50])
            assert (await client.read_all()).startswith(b"HTTP/1.1 408 ")
            assert later.closed == [0]

    run(main())


def test_a_body_that_drips_is_bounded_by_its_timeout(run: Run) -> None:
    async def main() -> None:
        limits = replace(DEFAULT_LIMITS, body_timeout=0.2)
        async with listening(answer_when_read, limits) as listener:
            client = await listener.connect()
            await client.send(post(b"x" * 1000)[:-1000])

            async def drip() -> None:
                while True:
                    await client.send(b"x")
                    await asyncio.sleep(0.01)

            dripping = asyncio.ensure_future(drip())
            assert (await client.read_all()).startswith(b"HTTP/1.1 408 ")
            dripping.cancel()

    run(main())


def test_a_body_that_drips_does_not_stall(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read, TINY) as listener:
            client = await listener.connect()
            await client.send(post(b"x" * 10)[:-10])
            for _ in range(10):
                await asyncio.sleep(0.04)
                await client.send(b"x")
            assert (await client.read_answer())[2] == b"10"

    run(main())


def test_a_body_that_the_application_holds_back_does_not_stall(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            async def take(piece: bytes) -> None:
                await asyncio.sleep(0.4)

            exchange.on_body = take
            exchange.on_end = lambda: answer(exchange, b"hello")

        async with listening(serve, TINY) as listener:
            client = await listener.connect()
            await client.send(post(b"x"))
            assert (await client.read_answer())[2] == b"hello"

    run(main())


def test_a_reader_that_stalls_is_cut_off(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            answer(exchange, b"x" * (20 * MIB))

        async with listening(serve, replace(DEFAULT_LIMITS, stall_timeout=0.2)) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send(GET)
            await until(lambda: listener.keeper.connections)
            await listener.empty()

    run(main())


def test_a_slow_reader_is_not_cut_off(run: Run) -> None:
    async def main() -> None:
        size = 6 * MIB

        def serve(exchange: Exchange) -> None:
            answer(exchange, b"x" * size)

        async with listening(serve, replace(DEFAULT_LIMITS, stall_timeout=0.3)) as listener:
            client = await listener.connect(receive_buffer=65536)
            await client.send(get(fields="Connection: close\r\n"))
            await client.read_until(b"\r\n\r\n")
            for _ in range(12):
                await client.read(size // 12)
                await asyncio.sleep(0.1)
            assert await client.read_all() == b""

    run(main())
