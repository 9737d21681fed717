"""`Http1Connection` over real sockets: how connections end, and what a client can still read then."""

import asyncio
import gc
import logging
import socket
import struct
import weakref

import pytest

from tests.core.link.harness import (
    CHUNKED,
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
    settled,
    until,
)
from tests.core.net.loops import Run
from zonda._core.link.exchange import Exchange

# ---- ends


def test_a_half_closed_client_gets_its_answer(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            client = await listener.connect()
            await client.send(GET)
            client.end_sending()
            await until(lambda: later.exchanges)
            await until(lambda: later.closed)
            answer(later.exchanges[0], b"hello")
            assert await client.read_all() == HELLO
            await listener.empty()
            assert later.closed == [0]

    run(main())


@pytest.mark.parametrize("slow", [False, True])
def test_a_half_closed_client_gets_all_its_answers(run: Run, slow: bool) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            def end() -> None:
                body = b"%d" % len(exchange.body) if exchange.body else None
                if slow:
                    asyncio.get_running_loop().call_soon(answer, exchange, body)
                else:
                    answer(exchange, body)

            if exchange.complete:
                end()
            else:
                exchange.on_end = end

        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(get("/a") + post(b"abc") + get("/b") + b"GET /unfinished")
            client.end_sending()
            data = await client.read_all()
            assert [part.split(b"\r\n\r\n")[1] for part in data.split(b"HTTP/1.1 ")[1:]] == [
                b"/a",
                b"3",
                b"/b",
            ]

    run(main())


def test_a_half_closed_client_whose_handler_never_answers_is_given_up(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later, TINY) as listener:
            client = await listener.connect()
            await client.send(GET + GET)
            client.end_sending()
            await until(lambda: later.exchanges)
            await listener.empty()
            assert later.closed == [0]

    run(main())


@pytest.mark.parametrize("what", ["head", "body", "chunk"])
def test_a_request_that_the_client_did_not_finish_is_not_answered(run: Run, what: str) -> None:
    async def main() -> None:
        later = Later()
        data = {"head": GET[:-2], "body": post(b"abc")[:-1], "chunk": CHUNKED + b"5\r\nab"}[what]
        async with listening(later) as listener:
            client = await listener.connect()
            await client.send(data)
            client.end_sending()
            assert await client.read_all() == b""
            await listener.empty()
            assert later.closed == ([] if what == "head" else [0])

    run(main())


class Mark:
    """What can be referred to weakly."""


@pytest.mark.parametrize("half_way", [False, True])
def test_a_client_that_goes_away_is_told_of_once_and_leaves_nothing(run: Run, half_way: bool) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            client = await listener.connect()
            await client.send(post(b"abc")[:-1] if half_way else GET)
            await until(lambda: later.exchanges)
            exchange = weakref.ref(later.exchanges[0])
            # A connection has slots and takes no weak reference; this is held by it alone.
            listener.connection.address = Mark()
            mark = weakref.ref(listener.connection.address)
            client.sock.close()
            await until(lambda: later.closed)
            if not half_way:
                answer(later.exchanges[0])  # into the void
            await listener.empty()
            assert later.closed == [0]
            gc.disable()
            try:
                later.exchanges.clear()
                # The loop lets go of its transport a turn later.
                await settled(lambda: (mark() is None, exchange() is None))
                assert exchange() is None and mark() is None
            finally:
                gc.enable()

    run(main())


def test_a_client_that_resets_is_told_of(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            client = await listener.connect()
            await client.send(GET)
            await until(lambda: later.exchanges)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sock.close()
            await listener.empty()
            assert later.closed == [0]

    run(main())


def test_kept_alive_connections_leave_nothing_behind(run: Run) -> None:
    async def main() -> None:
        seen: list[weakref.ref[Exchange]] = []

        def serve(exchange: Exchange) -> None:
            seen.append(weakref.ref(exchange))
            exchange.on_close = lambda: None
            answer_when_read(exchange)

        async with listening(serve) as listener:
            client = await listener.connect()
            gc.disable()
            try:
                for _ in range(20):
                    await client.send(GET + post(b"abc") + CHUNKED + b"1\r\nx\r\n0\r\n\r\n")
                    for _ in range(3):
                        await client.read_answer()
                assert len(seen) == 60
                assert [ref for ref in seen if ref() is not None] == []
            finally:
                gc.enable()

    run(main())


# ---- errors

BAD = {
    "400": b"GET / HTTP/1.1\nHost: a\n\n",
    "414": b"GET /" + b"a" * 70_000,
    "431": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000,
    "413": CHUNKED + b"1;" + b"a" * 100_000,
    "400 body": post(b"x" * 10).replace(b"Content-Length: 10", b"Content-Length: 999999999"),
    "400 chunk": CHUNKED + b"5\r\nhelloX" + b"x" * 1000,
}


@pytest.mark.parametrize("name", BAD)
def test_9_6_an_error_is_readable_while_the_client_still_sends(
    run: Run, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            await client.send(BAD[name])
            # Two mebibytes more, in vain: neither they nor the close may destroy the answer.
            await client.send(b"\0" * (2 * MIB))
            data = await client.read_all()
            head, _, body = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %s " % name[:3].encode())
            assert b"\r\nConnection: close" in head
            assert len(body) == int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            assert b"HTTP/1.1" not in body
            client.sock.close()
            await listener.empty()

    run(main())
    assert len([r for r in caplog.records if r.name == "zonda.general"]) == 1


def test_9_6_a_client_that_never_stops_sending_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zonda._core.link.http1_ends._LINGER", 0.2)

    async def main() -> None:
        async with listening(hello) as listener:
            client = await listener.connect()
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                await client.send(BAD["400"])
                while True:
                    await client.send(b"\0" * MIB)
            await listener.empty()

    run(main())


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("bad", [b"\0\0\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"NONSENSE\r\n\r\n"])
def test_the_first_answer_is_sent_when_bad_bytes_follow(run: Run, bad: bytes, slow: bool) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later if slow else hello) as listener:
            client = await listener.connect()
            await client.send(GET + bad + GET)
            if slow:
                await until(lambda: later.exchanges)
                answer(later.exchanges[0], b"hello")
            data = await client.read_all()
            assert data.startswith(HELLO + b"HTTP/1.1 400 ") and data.count(b"HTTP/1.1") == 2
            assert later.closed == []

    run(main())


@pytest.mark.parametrize("slow", [False, True])
def test_9_6_the_answer_is_read_whole_when_data_follow_connection_close(run: Run, slow: bool) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later if slow else hello) as listener:
            client = await listener.connect()
            await client.send(get(fields="Connection: close\r\n") + b"\0" * 1000)
            await client.send(b"\0" * (2 * MIB))
            if slow:
                await until(lambda: later.exchanges)
                answer(later.exchanges[0], b"hello")
            data = await client.read_all()
            assert data.endswith(b"\r\n\r\nhello") and data.count(b"HTTP/1.1") == 1

    run(main())


def test_a_broken_chunk_in_a_later_read_is_answered_at_once(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            await client.send(CHUNKED + b"5\r\nhello\r\n")
            await until(lambda: listener.keeper.connections and listener.connection.current)
            await client.send(b"nonsense")
            assert (await client.read_until(b"\r\n")) == b"HTTP/1.1 400 Bad Request\r\n"

    run(main())


def test_control_bytes_of_the_client_do_not_reach_the_log(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with listening(hello) as listener:
            client = await listener.connect()
            await client.send(b"GET / HTTP/1.1\x1b[31m\x07\r\n\r\n")
            assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")

    run(main())
    (message,) = [r.getMessage() for r in caplog.records if r.name == "zonda.general"]
    assert message.isprintable(), message
