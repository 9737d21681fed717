"""In a turn of the loop several connections are read, then served, then answered; nothing is lost by it."""

import asyncio
from contextlib import nullcontext

import pytest

from tests.core.link.harness import (
    Client,
    Later,
    Listener,
    answer,
    answer_when_read,
    get,
    listening,
    post,
    until,
)
from tests.core.link.websockets import serving
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.exchange import Exchange
from zonda._core.net.stream import Turn
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import ResponseStartLine
from zonda.websocket import WebSocketHandler

MANY = 80
LARGE = b"x" * (4 * DEFAULT_LIMITS.write_high_water)


def serve(exchange: Exchange) -> None:
    target = exchange.head.target
    body = LARGE if target == "/large" else target.encode()
    exchange.respond(200, "OK", {"Content-Length": str(len(body))}, body)


async def opened(listener: Listener, count: int) -> list[Client]:
    clients = [await listener.connect() for _ in range(count)]
    await until(lambda: len(listener.keeper.connections) == count)
    return clients


async def connected(listener: Listener, count: int) -> list[Client]:
    clients = [await listener.connect() for _ in range(count)]
    for client in clients:
        await client.send(get("/warm"))
        assert (await client.read_answer())[2] == b"/warm"
    return clients


@pytest.mark.parametrize("count", [2, 20, MANY])
def test_each_gets_its_own_answers_in_order(run, count: int) -> None:
    async def main() -> None:
        gathered: list[int] = []

        def noting(exchange: Exchange) -> None:
            serve(exchange)
            gathered.append(len(listener.keeper.turn.writers))

        async with listening(noting) as listener:
            clients = await connected(listener, count)
            gathered.clear()
            for number, client in enumerate(clients):
                # Not awaited: all are there when the loop looks.  Every fourth sends two.
                client.sock.send(get("/a") if number % 4 else get("/a") + get("/b"))
            for number, client in enumerate(clients):
                answers = [await client.read_answer() for _ in range(1 if number % 4 else 2)]
                assert [body for _, _, body in answers] == [b"/a", b"/b"][: len(answers)]
            assert not listener.keeper.turn.writers
            assert 1 < max(gathered) <= Turn().MOST if count >= 20 else not any(gathered)

    run(main())


def test_answers_that_come_later_are_gathered_too(run) -> None:
    async def main() -> None:
        def wait(exchange: Exchange) -> None:
            if exchange.head.target != "/later":
                serve(exchange)
                return
            waiting.append(exchange)
            if len(waiting) == 20:
                all_there.set()

        waiting: list[Exchange] = []
        all_there = asyncio.Event()
        async with listening(wait) as listener:
            clients = await connected(listener, 20)
            for client in clients:
                client.sock.send(get("/later"))
            await all_there.wait()
            for exchange in waiting:
                serve(exchange)
            assert len(listener.keeper.turn.writers) == 20
            for client in clients:
                assert (await client.read_answer())[2] == b"/later"
            assert not listener.keeper.turn.writers

    run(main())


def test_a_piece_of_an_answer_goes_out_at_once(run) -> None:
    async def main() -> None:
        def two_pieces(exchange: Exchange) -> None:
            if exchange.head.target != "/pieces":
                serve(exchange)
                return
            headers = HTTPHeaders({"Content-Length": "6"})
            exchange.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, b"one")
            # The loop has had no turn since: whoever works on for long has told his client before.
            assert clients[0].sock.recv(1000).endswith(b"\r\n\r\none")
            exchange.write(b"two")
            assert clients[0].sock.recv(1000) == b"two"
            exchange.finish()
            done.set()

        done = asyncio.Event()
        async with listening(two_pieces) as listener:
            clients = await connected(listener, 20)
            clients[0].sock.send(get("/pieces"))
            await done.wait()

    run(main())


def test_large_answers_and_small_ones(run) -> None:
    async def main() -> None:
        async with listening(serve) as listener:
            clients = await connected(listener, 20)
            for number, client in enumerate(clients):
                client.sock.send(get("/large" if number % 3 else "/small"))
            for number, client in enumerate(clients):
                assert (await client.read_answer())[2] == (LARGE if number % 3 else b"/small")

    run(main())


def test_a_connection_that_ends_in_its_turn_gets_its_answer_first(run) -> None:
    async def main() -> None:
        async with listening(serve) as listener:
            clients = await connected(listener, 20)
            for client in clients:
                client.sock.send(get("/last", fields="Connection: close\r\n"))
            for client in clients:
                assert (await client.read_answer())[2] == b"/last"
                assert await client.read_all() == b""
            await listener.empty()

    run(main())


def test_one_that_is_lost_in_its_turn_costs_the_others_nothing(run) -> None:
    async def main() -> None:
        def some_fail(exchange: Exchange) -> None:
            if exchange.head.target == "/abort":
                exchange.respond(200, "OK", {"Content-Length": "0"}, b"")
                connections[0].abort()
            else:
                connections[:] = [exchange.server_connection]
                serve(exchange)

        connections: list = []
        async with listening(some_fail) as listener:
            clients = await connected(listener, 20)
            for number, client in enumerate(clients):
                client.sock.send(get("/abort" if number == 10 else "/fine"))
            answers = 0
            for number, client in enumerate(clients):
                try:
                    status, _, body = await client.read_answer()
                except (AssertionError, ConnectionResetError):
                    continue
                answers += 1
                assert (status, body) == (200, b"" if number == 10 else b"/fine")
            assert answers == 19

    run(main())


def test_a_drain_in_the_same_turn_sends_what_is_gathered(run) -> None:
    async def main() -> None:
        def leave(exchange: Exchange) -> None:
            serve(exchange)
            if exchange.head.target == "/leave":
                for connection in list(listener.keeper.connections):
                    connection.leave()

        async with listening(leave) as listener:
            clients = await connected(listener, 20)
            for number, client in enumerate(clients):
                client.sock.send(get("/leave" if number == 19 else "/fine"))
            got = [await asyncio.wait_for(client.read_all(), 10) for client in clients]
            assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in got)

    run(main())


@pytest.mark.parametrize("count", [2, 20])
def test_all_is_read_before_any_of_it_is_worked_on(run, count: int) -> None:
    async def main() -> None:
        waiting: list[int] = []

        def noting(exchange: Exchange) -> None:
            waiting.append(len([c for c in listener.keeper.connections if c.unread is not None]))
            serve(exchange)

        async with listening(noting) as listener:
            clients = await connected(listener, count)
            waiting.clear()
            for client in clients:
                client.sock.send(get("/a"))
            for client in clients:
                assert (await client.read_answer())[2] == b"/a"
            assert max(waiting) > 1 if count == 20 else not any(waiting)

    run(main())


def test_what_waits_is_answered_before_the_end_that_came_with_it(run) -> None:
    async def main() -> None:
        async with listening(serve) as listener:
            clients = await connected(listener, 20)
            for client in clients:
                client.sock.send(get("/last"))
                client.end_sending()
            for client in clients:
                assert (await client.read_answer())[2] == b"/last"
                assert await client.read_all() == b""
            await listener.empty()

    run(main())


def test_the_end_finds_what_came_before_it_served(run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            await opened(listener, 20)
            connection = next(iter(listener.keeper.connections))
            connection.data_received(get("/a"))
            assert not later.exchanges
            assert connection.eof_received()
            assert later.exchanges and later.closed

    run(main())


def test_what_comes_behind_a_request_waits_in_the_reader(run) -> None:
    """Where an upgrade finds it; and a client that pipelines has work for a turn in one read."""

    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            await opened(listener, 20)
            connection = next(iter(listener.keeper.connections))
            connection.data_received(get("/a"))
            listener.keeper.turn.end()
            connection.data_received(get("/b") + get("/c"))
            assert connection.unread is None
            for number in range(3):
                answer(later.exchanges[number])
                await asyncio.sleep(0)
            assert [exchange.head.target for exchange in later.exchanges] == ["/a", "/b", "/c"]
            connection.data_received(get("/d"))
            assert connection.unread is None, "it pipelined, and well may again"

    run(main())


def test_nobody_is_served_inside_the_answer_of_another(run) -> None:
    async def main() -> None:
        later = Later()
        async with listening(later) as listener:
            clients = await opened(listener, MANY)
            connections = list(listener.keeper.connections)
            for connection in connections[1:]:
                connection.data_received(get("/a"))
            turn = listener.keeper.turn
            turn.end()
            connections[0].data_received(get("/b"))
            # More than a turn holds: what the first have is sent, and no more.
            for exchange in list(later.exchanges):
                answer(exchange)
            assert len(later.exchanges) == MANY - 1 > len(turn.writers) > 0
            await until(lambda: len(later.exchanges) == MANY)
            answer(later.exchanges[-1])
            for client in clients:
                assert (await client.read_answer())[0] == 200

    run(main())


def test_bodies_behind_heads_that_wait(run) -> None:
    async def main() -> None:
        async with listening(answer_when_read) as listener:
            clients = [await listener.connect() for _ in range(20)]
            for number, client in enumerate(clients):
                whole = post(b"x" * (10 + 9000 * (number % 3)))
                for at in range(0, len(whole), 70 if number % 2 else 7000):
                    client.sock.send(whole[at : at + (70 if number % 2 else 7000)])
            for number, client in enumerate(clients):
                assert (await client.read_answer())[2] == b"%d" % (10 + 9000 * (number % 3))

    run(main())


def test_pieces_of_one_turn_are_one(run) -> None:
    """As TLS gives them."""

    async def main() -> None:
        async with listening(serve) as listener:
            clients = await connected(listener, 20)
            for connection in listener.keeper.connections:
                for byte in get("/a") + get("/b"):
                    connection.data_received(bytes([byte]))
            for client in clients:
                assert [(await client.read_answer())[2] for _ in range(2)] == [b"/a", b"/b"]

    run(main())


def test_little_waits_and_of_few(run) -> None:
    async def main() -> None:
        served: list[str] = []

        def noting(exchange: Exchange) -> None:
            served.append(exchange.head.target)
            serve(exchange)

        async with listening(noting) as listener:
            clients = await connected(listener, MANY)
            connections = list(listener.keeper.connections)
            served.clear()
            connections[0].data_received(get("/long", fields=f"X: {'x' * Turn.SHORT}\r\n"))
            assert served == ["/long"]
            for connection in connections[1:]:
                connection.data_received(get("/short"))
            assert len(served) == 1 + Turn.MOST
            assert len(listener.keeper.turn.readers) == MANY - 1 - Turn.MOST
            for client in clients:
                await client.read_answer()

    run(main())


def test_who_has_something_unread_is_neither_old_nor_idle(run) -> None:
    async def main() -> None:
        async with listening(serve) as listener:
            clients = await connected(listener, 20)
            for connection in listener.keeper.connections:
                connection.data_received(get("/a"))
                connection.expire(1e12)
                connection.retire(1e12)
            for client in clients:
                assert (await client.read_answer())[2] == b"/a"

    run(main())


def test_a_request_that_was_read_is_served_though_its_client_is_gone(run) -> None:
    async def main() -> None:
        served: list[str] = []
        async with listening(lambda exchange: served.append(exchange.head.target)) as listener:
            await opened(listener, 20)
            for number, connection in enumerate(list(listener.keeper.connections)):
                connection.data_received(get(f"/{number}"))
                connection.abort() if number % 2 else connection.connection_lost(None)
            assert served == [f"/{number}" for number in range(0, 20, 2)]
            await asyncio.sleep(0)
            # What is aborted by us is not acted upon any more.
            assert len(served) == 10

    run(main())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_one_that_fails_costs_the_others_nothing(run, error: type[BaseException]) -> None:
    async def main() -> None:
        def some_fail(exchange: Exchange) -> None:
            if exchange.head.target == "/fail":
                raise error("seen")
            serve(exchange)

        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with listening(some_fail) as listener:
            clients = await connected(listener, 20)
            turn = listener.keeper.turn
            # As in the call that the loop makes: there is no other to come.
            turn.due = True
            for number, connection in enumerate(listener.keeper.connections):
                connection.data_received(get("/fail" if number == 5 else "/fine"))
            with pytest.raises(KeyboardInterrupt) if error is KeyboardInterrupt else nullcontext():
                turn.end()
            for number, client in enumerate(clients):
                if number != 5:
                    assert (await client.read_answer())[2] == b"/fine"
            if error is RuntimeError:
                assert [str(context["exception"]) for context in told] == ["seen"]
                assert await clients[5].read_all() == b""
            else:
                assert not told

    run(main())


@pytest.mark.parametrize("count", [2, MANY])
def test_websockets_get_their_messages_in_order(run, count: int) -> None:
    async def main() -> None:
        gathered: list[int] = []

        class Echo(WebSocketHandler):
            def on_message(self, message: str | bytes) -> None:
                if message == "go":
                    self.write_message("gone")
                    self.close(4001, "asked")
                else:
                    self.write_message(message)
                gathered.append(len(served.server._keeper.turn.writers))

        async with serving(Echo) as served:
            clients = [await served.open() for _ in range(count)]
            for number, client in enumerate(clients):
                client.text(f"{number} " + "x" * (70_000 if number % 7 == 0 else 3))
            for number, client in enumerate(clients):
                _, message = await client.read()
                assert message.split()[0] == str(number).encode()
            assert 1 < max(gathered) <= Turn().MOST if count == MANY else not any(gathered)
            for number, client in enumerate(clients):
                client.text("go" if number % 2 else "last")
            for number, client in enumerate(clients):
                assert (await client.read())[1] == (b"gone" if number % 2 else b"last")
                if number % 2:
                    first, payload = await client.read()
                    assert (first, payload) == (0x88, b"\x0f\xa1asked")

    run(main())
