"""`Http1Connection` over real sockets: order, keep-alive, 100-continue."""

import asyncio
from dataclasses import replace

import pytest

from tests.core.link.harness import (
    GET,
    HELLO,
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

# ---- order and keep-alive


def test_9_3_2_pipelined_requests_are_answered_in_their_order_one_at_a_time(run: Run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            client = await listener.connect()
            await client.send(b"".join(get(f"/{i}") for i in range(5)))
            for i in range(5):
                await until(lambda i=i: len(later.exchanges) > i)  # type: ignore[misc]
                assert await settled(lambda: len(later.exchanges)) == i + 1
                answer(later.exchanges[i])
                assert (await client.read_answer())[2] == b"/%d" % i

    run(main())


def test_9_3_2_instant_answers_are_gathered_in_order(run: Run) -> None:
    async def main() -> None:
        async with listening(answer) as listener:
            client = await listener.connect()
            await client.send(b"".join(get(f"/{i}") for i in range(500)))
            assert [(await client.read_answer())[2] for _ in range(500)] == [b"/%d" % i for i in range(500)]

    run(main())


def test_9_3_2_what_a_handler_does_behind_its_answer_comes_before_the_next_request(run: Run) -> None:
    order: list[str] = []

    def serve(exchange: Exchange) -> None:
        def later() -> None:
            answer(exchange)
            order.append(f"behind {exchange.head.target}")

        order.append(f"begin {exchange.head.target}")
        asyncio.get_running_loop().call_soon(later)

    async def main() -> None:
        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(get("/1") + get("/2"))
            client.end_sending()
            assert (await client.read_all()).count(b"200 OK") == 2

    run(main())
    assert order == ["begin /1", "behind /1", "begin /2", "behind /2"]


def test_9_3_2_a_long_pipeline_lets_others_have_their_turn(run: Run) -> None:
    async def main() -> None:
        most = served = turn = 0

        def serve(exchange: Exchange) -> None:
            nonlocal served
            served += 1
            answer_when_read(exchange)

        async def other() -> None:
            nonlocal most, turn
            while True:
                most = max(most, served - turn)
                turn = served
                await asyncio.sleep(0)

        async with listening(serve) as listener:
            client = await listener.connect()
            task = asyncio.ensure_future(other())
            for request in (GET, post(b"x")):
                await client.send(request * 3000)
                for _ in range(3000):
                    await client.read_answer()
            task.cancel()
            assert served == 6000
            assert most <= 2 * DEFAULT_LIMITS.pipelined_requests

    run(main())


def test_9_3_2_a_long_pipeline_of_a_half_closed_client_is_answered(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send((GET + post(b"x")) * 2000)
            client.end_sending()
            assert (await client.read_all()).count(b"HTTP/1.1 200 OK") == 4000

    run(main())


def test_9_3_2_a_pipeline_nobody_answers_is_bounded_and_then_goes_on(run: Run) -> None:
    async def main() -> None:
        later = Later()
        limits = replace(DEFAULT_LIMITS, read_ahead_bytes=20_000, pipelined_requests=10)
        async with listening(later, limits) as listener:
            client = await listener.connect()
            # More than the kernel's buffers take.
            total = 40_000
            sending = asyncio.ensure_future(client.send(get(fields="X: " + "x" * 500 + "\r\n") * total))
            await until(lambda: later.exchanges)
            connection = listener.connection
            held = await settled(lambda: connection._reader.waiting)
            assert not sending.done()
            assert held <= 20_000 + 262_144, "no more than the bound and one read"
            assert len(connection._events) <= 10
            assert len(later.exchanges) == 1
            # Now they are answered, and none is lost.
            listener.keeper.serve = hello
            answer(later.exchanges[0], b"hello")
            assert await client.read(len(HELLO) * total) == HELLO * total
            await sending

    run(main())


def test_pipelined_requests_of_a_client_that_does_not_read_wait(run: Run) -> None:
    """Answers of a mebibyte each, asked for a thousand times: few are given before the first is taken."""

    async def main() -> None:
        served = 0

        def serve(exchange: Exchange) -> None:
            nonlocal served
            served += 1
            answer(exchange, b"x" * MIB)

        async with listening(serve) as listener:
            client = await listener.connect(receive_buffer=4096)
            total = 30
            await client.send(GET * total)
            await until(lambda: served)
            assert await settled(lambda: served) < 12  # the kernel's buffers hold some
            assert listener.connection.transport.get_write_buffer_size() < 2 * MIB
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"
            for _ in range(total):
                assert await client.read(len(head)) == head
                await client.read(MIB)
            assert served == total

    run(main())


@pytest.mark.parametrize(
    ("request_", "head", "stays"),
    [
        (get(), b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", True),
        (
            get(fields="Connection: close\r\n"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
            False,
        ),
        (
            get(fields="Connection: keep-alive, Close\r\n"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
            False,
        ),
        (get(version="1.0"), b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", False),
        (
            get(version="1.0", fields="Connection: Keep-Alive\r\n"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\n",
            True,
        ),
    ],
)
def test_9_3_keep_alive(run: Run, request_: bytes, head: bytes, stays: bool) -> None:
    async def main() -> None:
        async with listening(answer) as listener:
            client = await listener.connect()
            await client.send(request_)
            assert await client.read(len(head) + 1) == head + b"/"
            if stays:
                await client.send(request_)
                assert await client.read(len(head) + 1) == head + b"/"
            else:
                assert await client.read_all() == b""
                await listener.empty()

    run(main())


def test_9_6_the_server_may_refuse_to_keep_alive(run: Run) -> None:
    async def main() -> None:
        async with listening(answer, keep_alive=False) as listener:
            client = await listener.connect()
            await client.send(get("/a") + get("/b"))
            assert await client.read_all() == (
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n/a"
            )

    run(main())


# ---- Expect: 100-continue (RFC 9110 10.1.1)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("value", ["100-continue", "100-CONTINUE"])
def test_100_continue_is_sent_before_the_body(run: Run, value: str) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            await client.send(post(b"hello", f"Expect: {value}\r\n")[:-5])
            assert await client.read(len(CONTINUE)) == CONTINUE
            await client.send(b"hello")
            assert (await client.read_answer())[2] == b"5"

    run(main())


def test_no_100_continue_where_the_body_is_there(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            await client.send(post(b"hello", "Expect: 100-continue\r\n"))
            assert (await client.read_answer())[:1] == (200,)

    run(main())


def test_no_100_continue_in_http_1_0(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            client = await listener.connect()
            await client.send(post(b"hello", "Expect: 100-continue\r\n").replace(b"/1.1", b"/1.0")[:-5])
            await until(lambda: listener.keeper.connections and listener.connection.current)
            await client.send(b"hello")
            assert (await client.read_until(b"\r\n")).startswith(b"HTTP/1.1 200 ")

    run(main())


def test_no_100_continue_before_a_body_that_is_refused(run: Run) -> None:
    async def main() -> None:
        async with listening(answer_when_read, replace(DEFAULT_LIMITS, body_bytes=4)) as listener:
            client = await listener.connect()
            await client.send(post(b"hello", "Expect: 100-continue\r\n")[:-5])
            assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")

    run(main())


def test_no_100_continue_behind_an_answer_that_has_begun(run: Run) -> None:
    async def main() -> None:
        def serve(exchange: Exchange) -> None:
            answer(exchange, b"early")

        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(post(b"hello", "Expect: 100-continue\r\n")[:-5])
            assert (await client.read_all()).endswith(b"Connection: close\r\n\r\nearly")

    run(main())
