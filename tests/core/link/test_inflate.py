"""Compressed request bodies: bounded by what they become, and handed on piece by piece."""

import asyncio
import gzip
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from tests.core.link.harness import CHUNKED, MIB, answer, answer_when_read, get, listening, post
from tests.core.net.loops import Run
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.exchange import Exchange

GZIP = "Content-Encoding: gzip\r\n"
BOMB = gzip.compress(b"\0" * (64 * MIB), 9)


def test_a_body_is_inflated_and_its_coding_renamed(run: Run) -> None:
    async def main() -> None:
        heads: list[Any] = []

        def serve(exchange: Exchange) -> None:
            heads.append(exchange.head)
            answer_when_read(exchange)

        async with listening(serve, decompress=True) as listener:
            client = await listener.connect()
            data = gzip.compress(b"hello" * 100_000)
            await client.send(post(data, "Content-Encoding: GZIP\r\n"))
            assert (await client.read_answer())[2] == b"500000"
            assert heads[0].field("x-consumed-content-encoding") == "GZIP"
            assert heads[0].field("content-encoding") is None
            # Any cut, any number of members, and what is not compressed.
            members = gzip.compress(b"ab") * 50
            chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in members)
            await client.send(CHUNKED[:-2] + GZIP.encode() + b"\r\n" + chunks + b"0\r\n\r\n")
            assert (await client.read_answer())[2] == b"100"
            await client.send(post(b"plain"))
            assert (await client.read_answer())[2] == b"5"
            await client.send(get(fields=GZIP))
            await client.read_answer()

    run(main())


def test_nothing_is_inflated_unless_asked_for(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            data = gzip.compress(b"hello" * 100)
            await client.send(post(data, GZIP))
            assert (await client.read_answer())[2] == b"%d" % len(data)

    run(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_bomb_is_refused_at_the_bound(run: Run, streamed: bool) -> None:
    async def main() -> None:
        seen = 0

        def serve(exchange: Exchange) -> None:
            def take(piece: bytes) -> None:
                nonlocal seen
                assert len(piece) <= DEFAULT_LIMITS.chunk_size
                seen += len(piece)

            if streamed:
                exchange.on_body = take
            exchange.on_end = lambda: answer(exchange)

        limits = replace(DEFAULT_LIMITS, decompressed_body_bytes=4 * MIB)
        async with listening(serve, limits, decompress=True) as listener:
            client = await listener.connect()
            tracemalloc.start()
            try:
                await client.send(post(BOMB, GZIP))
                data = await client.read_all()
                assert tracemalloc.get_traced_memory()[1] < 16 * MIB
            finally:
                tracemalloc.stop()
            assert data.startswith(b"HTTP/1.1 400 ") and b"decompressed body too large" in data
            assert seen <= 4 * MIB

    run(main())


def test_a_bomb_of_many_members_is_refused_too(run: Run) -> None:
    async def main() -> None:
        limits = replace(DEFAULT_LIMITS, decompressed_body_bytes=4 * MIB)
        async with listening(answer_when_read, limits, decompress=True) as listener:
            client = await listener.connect()
            await client.send(post(gzip.compress(b"\0" * MIB) * 5, GZIP))
            assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")

    run(main())


def test_a_large_body_lets_others_have_their_turn(run: Run) -> None:
    async def main() -> None:
        turns = 0
        ended = False

        def serve(exchange: Exchange) -> None:
            def end() -> None:
                nonlocal ended
                ended = True
                answer(exchange, b"%d" % len(exchange.body))

            exchange.on_end = end

        async def other() -> None:
            nonlocal turns
            while not ended:
                await asyncio.sleep(0)
                turns += 1

        async with listening(serve, decompress=True) as listener:
            client = await listener.connect()
            request = post(BOMB, GZIP)
            await client.send(request[:-1])
            task = asyncio.ensure_future(other())
            await client.send(request[-1:])
            assert (await client.read_answer())[2] == b"%d" % (64 * MIB)
            await task
            assert turns >= 32

    run(main())


def test_a_handler_may_hold_inflated_pieces_back(run: Run) -> None:
    async def main() -> None:
        seen = 0
        gate = asyncio.get_running_loop().create_future()

        def serve(exchange: Exchange) -> None:
            def take(piece: bytes) -> Any:
                nonlocal seen
                seen += len(piece)
                return gate

            exchange.on_body = take
            exchange.on_end = lambda: answer(exchange, b"%d" % seen)

        async with listening(serve, decompress=True) as listener:
            client = await listener.connect()
            await client.send(post(BOMB, GZIP))
            for _ in range(100):
                await asyncio.sleep(0)
            assert seen <= DEFAULT_LIMITS.chunk_size
            gate.set_result(None)
            assert (await client.read_answer())[2] == b"%d" % (64 * MIB)

    run(main())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        b"this is not gzip",
        gzip.compress(b"hello" * 1000)[:-1],
        gzip.compress(b"hello" * 1000)[:-8] + b"\0" * 8,
        gzip.compress(b"hello") + b"rubbish behind it",
        gzip.compress(b"x" * MIB)[:-5] + b"\0" * 5,
    ],
)
def test_what_is_no_gzip_gets_400(run: Run, data: bytes, streamed: bool) -> None:
    async def main() -> None:
        closed: list[bool] = []

        def serve(exchange: Exchange) -> None:
            async def take(piece: bytes) -> None:
                await asyncio.sleep(0)

            if streamed:
                exchange.on_body = take
            exchange.on_end = lambda: answer(exchange)
            exchange.on_close = lambda: closed.append(True)

        async with listening(serve, decompress=True) as listener:
            client = await listener.connect()
            await client.send(post(data, GZIP))
            received = await client.read_all()
            assert received.startswith(b"HTTP/1.1 400 ") and b"gzip" in received
            assert closed == [True]

    run(main())
