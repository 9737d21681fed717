"""`Http1Connection` over real sockets: bodies that come in, and upgrades."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.core.link.harness import (
    CHUNKED,
    GET,
    MIB,
    Later,
    answer,
    answer_when_read,
    get,
    hello,
    listening,
    post,
    settled,
    until,
)
from tests.core.net.loops import Run
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.exchange import Exchange
from zonda._core.wire.errors import HTTPInputError

# ---- bodies


def test_a_body_is_gathered_whole_however_it_comes(run: Run) -> None:
    async def main() -> None:
        bodies: list[bytes] = []

        def serve(exchange: Exchange) -> None:
            def end() -> None:
                bodies.append(exchange.body)
                answer(exchange)

            exchange.on_end = end

        async with listening(serve) as listener:
            client = await listener.connect()
            data = b"0123456789" * 30_000
            await client.send(post(data))
            await client.read_answer()
            await client.send(CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n")
            await client.read_answer()
            assert bodies == [data, data]

    run(main())


def test_data_received_may_hold_the_body_back(run: Run) -> None:
    """Nothing piles up while the application is busy with a piece."""

    async def main() -> None:
        seen = 0
        gate = asyncio.get_running_loop().create_future()

        def serve(exchange: Exchange) -> None:
            def take(piece: bytes) -> Any:
                nonlocal seen
                assert len(piece) <= DEFAULT_LIMITS.chunk_size
                seen += len(piece)
                return gate

            exchange.on_body = take
            exchange.on_end = lambda: answer(exchange, b"%d" % seen)

        async with listening(serve) as listener:
            client = await listener.connect()
            size = 40 * MIB
            sending = asyncio.ensure_future(client.send(post(b"x" * size)))
            await until(lambda: seen)
            first = await settled(lambda: seen)
            assert first <= DEFAULT_LIMITS.chunk_size
            assert listener.connection._reader.waiting <= DEFAULT_LIMITS.read_ahead_bytes + 262_144
            assert not sending.done()
            gate.set_result(None)
            assert (await client.read_answer())[2] == b"%d" % size
            await sending

    run(main())


def test_pieces_wait_for_each_other(run: Run) -> None:
    async def main() -> None:
        at_work = most = 0

        def serve(exchange: Exchange) -> None:
            async def take(piece: bytes) -> None:
                nonlocal at_work, most
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(0)
                at_work -= 1

            exchange.on_body = take
            exchange.on_end = lambda: answer(exchange)

        async with listening(serve, replace(DEFAULT_LIMITS, chunk_size=1000)) as listener:
            client = await listener.connect()
            await client.send(post(b"x" * 200_000) + GET)
            await client.read_answer()
            assert most == 1

    run(main())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_past_the_bound_is_refused(run: Run, chunked: bool) -> None:
    async def main() -> None:
        ended = Later()
        async with listening(ended, replace(DEFAULT_LIMITS, body_bytes=1000)) as listener:
            client = await listener.connect()
            body = b"x" * 1001
            await client.send(CHUNKED + b"3e9\r\n" + body + b"\r\n0\r\n\r\n" if chunked else post(body))
            data = await client.read_all()
            assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"1000" in data
            assert ended.closed == [0]

    run(main())


def test_a_handler_may_allow_a_larger_body(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            exchange.set_max_body_size(2000)
            answer_when_read(exchange)

        async with listening(serve, replace(DEFAULT_LIMITS, body_bytes=1000)) as listener:
            client = await listener.connect()
            await client.send(post(b"x" * 1500))
            assert (await client.read_answer())[2] == b"1500"
            await client.send(post(b"x" * 2500))
            assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")

    run(main())


def test_a_gathered_body_has_a_bound_of_chunks(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read, replace(DEFAULT_LIMITS, chunk_count=100)) as listener:
            client = await listener.connect()
            await client.send(CHUNKED + b"1\r\nx\r\n" * 90 + b"0\r\n\r\n")
            assert (await client.read_answer())[2] == b"90"
            await client.send(CHUNKED + b"1\r\nx\r\n" * 110 + b"0\r\n\r\n")
            assert (await client.read_all()).startswith(b"HTTP/1.1 413 ")

    run(main())


def test_a_streamed_body_may_have_any_number_of_chunks(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            exchange.on_body = lambda piece: None
            exchange.on_end = lambda: answer(exchange)

        async with listening(serve, replace(DEFAULT_LIMITS, chunk_count=100)) as listener:
            client = await listener.connect()
            await client.send(CHUNKED + b"1\r\nx\r\n" * 110 + b"0\r\n\r\n")
            await client.read_answer()

    run(main())


@pytest.mark.parametrize("fields", ["", "Connection: close\r\n"])
def test_an_answer_before_the_end_of_the_body_ends_the_connection(run: Run, fields: str) -> None:
    """Nobody wants the rest: it is not waited for, and yet it does not destroy the answer."""

    async def main() -> None:
        async with listening(hello) as listener:
            client = await listener.connect()
            await client.send(post(b"x" * (3 * MIB), fields)[:1000])
            await client.send(b"x" * (2 * MIB))
            data = await client.read_all()
            assert data.endswith(b"\r\nConnection: close\r\n\r\nhello") and data.count(b"HTTP/1.1") == 1

    run(main())


def test_a_body_handler_that_fails_ends_the_connection(run: Run, expect_log: Any) -> None:
    expect_log("zonda.application", "Uncaught exception")

    async def main() -> None:
        later = Later()

        def serve(exchange: Exchange) -> None:
            async def take(piece: bytes) -> None:
                raise RuntimeError("no")

            later(exchange)
            exchange.on_body = take

        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(post(b"x"))
            with pytest.raises(ConnectionResetError):
                assert await client.read_all() == b""
                raise ConnectionResetError  # an end is as good as a reset
            await listener.empty()
            assert later.closed == [0]

    run(main())


def test_a_body_handler_may_find_the_input_bad(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            async def take(piece: bytes) -> None:
                raise HTTPInputError("not what I expected")

            exchange.on_body = take

        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(post(b"x"))
            data = await client.read_all()
            assert data.startswith(b"HTTP/1.1 400 ") and b"not what I expected" in data

    run(main())


# ---- upgrades


def test_an_upgrade_nobody_takes_is_an_ordinary_request(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            client = await listener.connect()
            await client.send(get("/a", "Connection: Upgrade\r\nUpgrade: h2c\r\n") + get("/b"))
            await until(lambda: later.exchanges)
            assert await settled(lambda: len(later.exchanges)) == 1
            answer(later.exchanges[0])
            await until(lambda: len(later.exchanges) == 2)
            answer(later.exchanges[1])
            assert [(await client.read_answer())[2] for _ in range(2)] == [b"/a", b"/b"]

    run(main())


def test_what_stands_behind_an_upgrade_nobody_takes_is_answered_at_once(run: Run) -> None:
    async def main() -> None:
        async with listening(answer) as listener:
            client = await listener.connect()
            upgrade = get("/a", "Connection: Upgrade\r\nUpgrade: h2c\r\n")
            await client.send(upgrade + get("/b") + upgrade + upgrade + get("/c"))
            answers = [(await client.read_answer())[2] for _ in range(5)]
            assert answers == [b"/a", b"/b", b"/a", b"/a", b"/c"]

    run(main())


def test_the_body_of_an_upgrade_is_no_request(run: Run) -> None:
    async def main() -> None:
        smuggled = get("/smuggled")
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            await client.send(post(smuggled, "Connection: upgrade\r\nUpgrade: x\r\n") + get("/next"))
            answers = [(await client.read_answer())[2] for _ in range(2)]
            assert answers == [b"%d" % len(smuggled), b"/next"]

    run(main())


def test_what_comes_behind_an_upgrade_in_question_is_bounded(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later, replace(DEFAULT_LIMITS, read_ahead_bytes=20_000)) as listener:
            client = await listener.connect()
            data = get("/b", "X: " + "x" * 500 + "\r\n") * 40_000
            sending = asyncio.ensure_future(
                client.send(get("/a", "Connection: Upgrade\r\nUpgrade: x\r\n") + data)
            )
            await until(lambda: later.exchanges)
            assert await settled(lambda: listener.connection._reader.waiting) <= 20_000 + 262_144
            assert not sending.done()
            listener.keeper.serve = answer
            answer(later.exchanges[0])
            for _ in range(40_001):
                await client.read_answer()
            await sending

    run(main())


def test_an_upgrade_hands_over_what_stands_behind_the_request(run: Run) -> None:
    async def main() -> None:
        taken: list[Any] = []

        def serve(exchange: Exchange) -> None:
            taken.append(exchange.upgrade())

        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(get(fields="Connection: Upgrade\r\nUpgrade: x\r\n") + b"\x81\x00")
            await until(lambda: taken)
            transport, rest = taken[0]
            assert rest == b"\x81\x00"
            assert not listener.keeper.connections
            transport.abort()

    run(main())
