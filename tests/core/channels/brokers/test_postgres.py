"""What is PostgreSQL's own among the promises of its broker; the rest is in tests/contract."""

import asyncio
import contextlib
import inspect
import itertools
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

asyncpg = pytest.importorskip("asyncpg")

from tests.contract.brokers import KEEP, Node  # noqa: E402
from tests.contract.relay import Relay  # noqa: E402
from tests.core.channels.brokers.nodes import SECONDS, refusal, started  # noqa: E402
from tests.postgres import Postgres, needs_postgres, running_postgres  # noqa: E402
from zonda._core.base.limits import Limits  # noqa: E402
from zonda._core.channels.brokers import postgres_publish  # noqa: E402
from zonda._core.channels.brokers.postgres import PostgresBroker  # noqa: E402
from zonda._core.channels.brokers.postgres_link import Interrupted, Link, Server  # noqa: E402
from zonda._core.channels.errors import BrokerUnavailable  # noqa: E402
from zonda._core.channels.hub import Hub  # noqa: E402
from zonda._core.channels.message import Gap  # noqa: E402
from zonda._core.channels.topic import Retention, Topic  # noqa: E402

pytestmark = needs_postgres

LIMITS = Limits(broker_timeout=5.0)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as postgres:
        yield postgres


@pytest.fixture
def schema() -> str:
    return f"t_{secrets.token_hex(4)}"


@pytest.fixture
def url(server: Postgres, schema: str) -> str:
    return f"{server.dsn}&schema={schema}"


def nodes(
    url: str, count: int, limits: Limits = LIMITS
) -> contextlib.AbstractAsyncContextManager[list[Node]]:
    return started(*(PostgresBroker(url, limits) for _ in range(count)))


async def asked(server: Postgres, query: str) -> Any:
    """What the database says itself."""
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def until(condition: Callable[[], Any]) -> None:
    """Asks again until it is true."""
    async with asyncio.timeout(SECONDS):
        while True:
            answer = condition()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.01)


def test_a_server_that_is_killed_under_load_loses_and_doubles_nothing(url, server, expect_log):
    expect_log("zonda.general", "is lost")
    count = 600

    async def main() -> None:
        limits = Limits(broker_timeout=SECONDS)
        topics = [Topic("kept", history=10_000)]
        a, b = Hub(PostgresBroker(url, limits), topics), Hub(PostgresBroker(url, limits), topics)
        got: list[Any] = []
        done = asyncio.Event()

        async def read() -> None:
            async with b.subscribe("kept") as subscription:
                begun.set()
                async for event in subscription:
                    got.append(event)
                    if len(got) >= 100:
                        going.set()
                    if len(got) >= count:
                        break
            done.set()

        begun, going = asyncio.Event(), asyncio.Event()
        numbers = iter(range(count))

        async def publish() -> list[Any]:
            positions = []
            for number in numbers:
                positions.append(await a.publish("kept", number))
                await asyncio.sleep(0.005)
            return positions

        try:
            reading = asyncio.ensure_future(read())
            await begun.wait()
            publishing = asyncio.gather(*(publish() for _ in range(8)))
            async with asyncio.timeout(SECONDS):
                await going.wait()
            assert not publishing.done()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            positions = [position for each in await publishing for position in each]
            async with asyncio.timeout(SECONDS):
                await done.wait()
            await reading
            assert not [event for event in got if isinstance(event, Gap)]
            assert sorted(event.data for event in got) == list(range(count))
            assert [event.position.offset for event in got] == list(range(1, count + 1))
            assert sorted(positions) == [event.position for event in got]
            assert len({position.epoch for position in positions}) == 1
        finally:
            await a.close()
            await b.close()

    asyncio.run(main())


def test_large_and_small_messages_keep_their_order(url):
    async def main() -> None:
        async with nodes(url, 2) as (a, b):
            bodies = [b"x" * 900_000, b"small", b'"' + b"y" * 7_400 + b'"', b'"end"', b"z" * 10_000]
            for topic, retention in (("kept", KEEP), ("passing", None)):
                await b.broker.subscribe(topic)
                for binary in (True, False):
                    b.messages.clear()
                    await asyncio.gather(
                        *(a.publish(topic, body, retention, None, binary) for body in bodies)
                    )
                    await b.has(topic, *bodies)
                    assert b.bodies(topic) == bodies
                    assert {message.binary for message in b.messages} == {binary}
            history = await b.broker.history("kept", KEEP, None)
            assert [message.body for message in history.messages] == bodies * 2

    asyncio.run(main())


def test_text_beyond_ascii_and_equal_messages_arrive(url):
    async def main() -> None:
        async with nodes(url, 2) as (a, b):
            body = '"\N{SNOWMAN} \\u0000 \N{GRINNING FACE}\\n"'.encode()
            await b.broker.subscribe("t")
            # In one transaction, where NOTIFY sends equal payloads once.
            await asyncio.gather(*(a.publish("t", body, binary=False) for _ in range(50)))
            await b.until(lambda: len(b.messages) >= 50)
            assert b.bodies("t") == [body] * 50

    asyncio.run(main())


def test_a_message_that_is_refused_takes_no_other_with_it(url):
    async def main() -> None:
        async with nodes(url, 2) as (a, b):
            await b.broker.subscribe("t")
            results = await asyncio.gather(
                a.publish("t", b"1", KEEP),
                a.publish("no\0name", b"2", KEEP),
                a.publish("t", b"3", KEEP, "key with \0"),
                return_exceptions=True,
            )
            assert isinstance(results[1], BrokerUnavailable)
            await b.has("t", b"1", b"3")
            assert [result.position.offset for result in (results[0], results[2])] == [1, 2]

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "Bad", "a-b", "1", "x" * 41, 'a"b'])
def test_a_schema_that_is_none(name):
    with pytest.raises(ValueError, match="schema"):
        PostgresBroker(f"postgresql:///db?host=/nowhere&schema={name}", LIMITS)


def test_who_cannot_be_reached_is_named_at_once(url, server, free_port):
    async def refused(url: str, limits: Limits = LIMITS) -> str:
        began = time.monotonic()
        said = await refusal(PostgresBroker(url, limits))
        assert time.monotonic() - began < limits.broker_timeout + 1
        assert "secret" not in said
        return said

    async def main() -> None:
        port = free_port()
        assert f"PostgreSQL at 127.0.0.1:{port}/db" in await refused(
            f"postgresql://u:secret@127.0.0.1:{port}/db"
        )
        assert "cannot be used" in await refused("postgresql://u:secret@/db?host=/nowhere")
        assert '"nobody"' in await refused(url.replace("tests@", "nobody@"))
        # Accepts and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            said = await refused(f"postgresql://u:secret@127.0.0.1:{port}/db", Limits(broker_timeout=0.3))
            assert "did not answer within 0.3 s" in said

        hba = server.folder / "data" / "pg_hba.conf"
        before = hba.read_text()
        hba.write_text("local all guarded scram-sha-256\n" + before)
        try:
            await asked(server, "SELECT pg_reload_conf()")
            await asked(server, "CREATE ROLE guarded LOGIN PASSWORD 'right'")
            guarded = url.replace("tests@", "guarded:secret@")

            async def enforced() -> bool:
                return "password authentication failed" in await refused(guarded)

            await until(enforced)
            # Lets itself in, and may not make the tables.
            said = await refused(url.replace("tests@", "guarded:right@"))
            assert "guarded may not make them" in said and "CREATE SCHEMA" in said
        finally:
            hba.write_text(before)
            await asked(server, "SELECT pg_reload_conf()")

    asyncio.run(main())


def test_brokers_that_start_together_on_an_empty_database(url, server, schema):
    async def main() -> None:
        made = [Node(f"n{number}", PostgresBroker(url, LIMITS)) for number in range(8)]
        await asyncio.gather(*(node.broker.start(node) for node in made))
        try:
            await asyncio.gather(*(node.broker.subscribe("t") for node in made))
            await asyncio.gather(*(node.publish("t", node.node.encode(), KEEP) for node in made))
            for node in made:
                await node.has("t", *(other.node.encode() for other in made))
        finally:
            for node in made:
                await node.broker.close()
        assert await asked(server, f"SELECT count(*) FROM {schema}.topics") == 1

    asyncio.run(main())


def test_somebody_who_was_given_a_schema_makes_the_tables(url, server, schema):
    async def main() -> None:
        await asked(server, f"CREATE ROLE {schema} LOGIN")
        await asked(server, f"CREATE SCHEMA {schema} AUTHORIZATION {schema}")
        async with nodes(url.replace("tests@", f"{schema}@"), 2) as (a, b):
            await b.broker.subscribe("t")
            await a.publish("t", b"1", KEEP)
            await b.has("t", b"1")

    asyncio.run(main())


def test_what_is_kept_no_longer_is_removed(url, server, schema):
    async def main() -> None:
        limits = Limits(broker_timeout=1.0, idempotency_ttl=1.0)
        async with nodes(url, 1, limits) as (a,):
            for _ in range(4):
                await asyncio.gather(
                    *(a.publish("sized", b"x", Retention(size=100, ttl=300)) for _ in range(100))
                )
            # A quarter of the size at most, but no more than 64, is kept beyond it.
            assert 100 <= await asked(server, f"SELECT count(*) FROM {schema}.messages") < 125
            history = await a.broker.history("sized", Retention(size=100, ttl=300), None)
            assert [m.position.offset for m in history.messages] == list(range(301, 401))

            await asyncio.gather(*(a.publish("short", b"y", Retention(size=100, ttl=0.5)) for _ in range(50)))
            await asyncio.gather(*(a.publish("passing", b"z" * 9000) for _ in range(50)))
            assert await asked(server, f"SELECT count(*) FROM {schema}.outbox") == 50
            for table, left in (("messages", 125), ("keys", 1), ("outbox", 1)):

                async def gone(table: str = table, left: int = left) -> bool:
                    return await asked(server, f"SELECT count(*) FROM {schema}.{table}") < left

                await until(gone)
            history = await a.broker.history("short", Retention(size=100, ttl=0.5), None)
            assert not history.messages and history.top.offset == 50

    asyncio.run(main())


def test_a_node_that_says_nothing_is_removed_and_told_when_it_comes_back(url, server, schema):
    async def main() -> None:
        async with nodes(url, 2, Limits(broker_timeout=5.0, presence_timeout=0.3)) as (a, b):
            await b.broker.subscribe("t")
            info = {"long": "\N{SNOWMAN}" * 5000}
            await a.broker.join("t", a.member("c", info))
            await a.broker.leave("t", a.member("c", info))
            await a.broker.join("t", a.member("c", info))
            await b.until(lambda: len(b.presence) >= 3)
            assert b.events("t") == [(joined, a.member("c", info)) for joined in (True, False, True)]

            async def removed() -> bool:
                await b.broker.heartbeat()
                return await asked(server, f"SELECT count(*) FROM {schema}.presence") == 0

            await until(removed)
            assert await b.broker.members("t") == []
            await b.until(lambda: a.node in b.gone)
            assert a.resumptions == 0
            await a.broker.heartbeat()
            assert a.resumptions == 1

    asyncio.run(main())


def test_more_than_may_wait_to_be_read_ends_the_connection_and_is_told(url, expect_log):
    expect_log("zonda.general", "is lost .more than 100000 bytes wait to be read")

    async def main() -> None:
        async with nodes(url, 1) as (a,), nodes(url, 1, Limits(broker_buffer_bytes=100_000)) as (b,):
            await b.broker.subscribe("t")
            await asyncio.gather(*(a.publish("t", b"x" * 50_000, KEEP) for _ in range(10)))
            await b.until(lambda: b.resumptions > 0)
            with pytest.raises(BrokerUnavailable, match="wait to be published"):
                await asyncio.gather(*(b.publish("t", b"x" * 50_000, KEEP) for _ in range(10)))

    asyncio.run(main())


def test_many_topics_take_few_channels_and_give_them_back(url, server, monkeypatch):
    monkeypatch.setattr(postgres_publish, "CHANNELS", 7)

    async def main() -> None:
        async with nodes(url, 2) as (a, b):
            topics = [f"t{number}" for number in range(200)]
            await asyncio.gather(*(b.broker.subscribe(topic) for topic in topics))
            listener = b.broker._listener
            assert len(listener._listened) == 7 + 1
            await asyncio.gather(*(a.publish(topic, topic.encode()) for topic in topics))
            await b.until(lambda: len(b.messages) >= 200)
            for topic in topics[1:]:
                await b.broker.unsubscribe(topic)
            await until(lambda: len(listener._listened) == 2)
            b.messages.clear()
            await asyncio.gather(*(a.publish(topic, topic.encode()) for topic in topics))
            await b.has("t0", b"t0")
            assert len(b.messages) == 1

    asyncio.run(main())


def test_notifications_of_others_on_our_channels_are_nothing(url, server, schema):
    async def main() -> None:
        async with nodes(url, 2) as (a, b):
            await b.broker.subscribe("t")
            channel = postgres_publish.channel_of(schema, "t")
            for text in (
                "",
                "x",
                "T\\nt\\nn\\n\\nno-id\\n0\\n9",
                "T\\nt\\nn\\ne\\n1\\n0\\n-9",
                "j\\nt\\nn\\n\\n\\n0\\n[]",
            ):
                await asked(server, f"SELECT pg_notify('{channel}', E'{text}')")
            await a.publish("t", b"1")
            await b.has("t", b"1")
            assert len(b.messages) == 1 and not b.presence

    asyncio.run(main())


def test_a_connection_that_falls_silent_is_made_again(server, schema, expect_log):
    expect_log("zonda.general", "is lost")

    async def main() -> None:
        relay = Relay(("127.0.0.1", 0), str(server.socket))
        await relay.up()
        url = f"postgresql://tests@127.0.0.1:{relay.address[1]}/postgres?schema={schema}"
        try:
            async with nodes(url, 1, Limits(broker_timeout=0.5)) as (b,):
                await b.broker.subscribe("t")
                relay.freeze()
                with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.5 s"):
                    await b.publish("t", b"1", KEEP)
                with pytest.raises(BrokerUnavailable):
                    await b.broker.history("t", KEEP, None)
                await until(lambda: b.broker._listener._link.connection is None)
                relay.thaw()
                await b.until(lambda: b.resumptions > 0)
                await b.publish("t", b"2", KEEP)
                await b.has("t", b"2")
        finally:
            await relay.down()

    asyncio.run(main())


def test_who_gives_up_takes_nothing_from_the_others(url):
    async def main() -> None:
        async with nodes(url, 1) as (a,):
            for number in itertools.count():
                calls = [asyncio.ensure_future(a.broker.history("t", KEEP, None)) for _ in range(4)]
                calls += [asyncio.ensure_future(a.publish("t", b"%d" % n, KEEP)) for n in range(4)]
                for _ in range(number):
                    await asyncio.sleep(0)
                for call in calls[::2]:
                    call.cancel()
                done = await asyncio.gather(*calls, return_exceptions=True)
                assert all(not isinstance(result, BaseException) for result in done[1::2]), done
                if not isinstance(done[0], asyncio.CancelledError) or number > 60:
                    break
            assert (await a.broker.history("t", KEEP, None)).top.offset > 0

    asyncio.run(main())


def test_who_waits_when_the_broker_is_closed_is_told(server, schema):
    async def main() -> None:
        relay = Relay(("127.0.0.1", 0), str(server.socket))
        await relay.up()
        url = f"postgresql://tests@127.0.0.1:{relay.address[1]}/postgres?schema={schema}"
        broker = PostgresBroker(url, LIMITS)
        node = Node("n", broker)
        try:
            await broker.start(node)
            await node.publish("t", b"1", KEEP)
            await broker.history("t", KEEP, None)
            relay.freeze()
            calls = [asyncio.ensure_future(node.publish("t", b"%d" % n, KEEP)) for n in range(3)]
            calls += [asyncio.ensure_future(broker.history("t", KEEP, None)) for _ in range(3)]
            for _ in range(10):  # some are under way, the others wait for them
                await asyncio.sleep(0)
            began = time.monotonic()
            await broker.close()
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert {str(error) for error in done} == {
                f"the connection to PostgreSQL at 127.0.0.1:{relay.address[1]}/postgres is closed"
            }
            assert time.monotonic() - began < 3
        finally:
            await relay.down()

    asyncio.run(main())


@pytest.mark.parametrize(("closed", "told"), [(False, Interrupted), (True, asyncio.CancelledError)])
def test_a_connection_that_is_terminated_while_a_query_is_made_ready_is_lost(url, monkeypatch, closed, told):
    """By the end of the time for it, or of the broker."""

    async def main() -> None:
        link = Link(Server(url, LIMITS))
        await link.connect()
        ready = asyncpg.Connection._get_statement

        async def terminated(connection: Any, *arguments: Any, **named: Any) -> Any:
            statement = await ready(connection, *arguments, **named)
            link._closed = closed
            connection.terminate()
            return statement

        monkeypatch.setattr(asyncpg.Connection, "_get_statement", terminated)
        with pytest.raises(told):
            await link.do(lambda connection: connection.fetch("SELECT 1"))

    asyncio.run(main())


def test_a_publish_whose_answer_is_lost_is_there_once(server, schema, expect_log):
    expect_log("zonda.general", "is lost")

    async def main() -> None:
        relay = Relay(("127.0.0.1", 0), str(server.socket))
        await relay.up()
        url = f"postgresql://tests@127.0.0.1:{relay.address[1]}/postgres?schema={schema}"
        other = await asyncpg.connect(server.dsn)
        try:
            async with nodes(url, 1) as (a,):
                await a.publish("t", b"1", KEEP)
                waiting = (
                    f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> {other.get_server_pid()}"
                )
                async with other.transaction():
                    await other.execute(f"SELECT FROM {schema}.topics FOR UPDATE")
                    publishing = asyncio.ensure_future(a.publish("t", b"2", KEEP))
                    # The server goes on with the first attempt though nobody waits for its answer.
                    for attempts in (1, 2):
                        await until(lambda n=attempts: _is(other.fetchval(waiting), n))
                        if attempts == 1:
                            await relay.cut()
                assert (await publishing).position.offset == 2
                history = await a.broker.history("t", KEEP, None)
                assert [message.body for message in history.messages] == [b"1", b"2"]
        finally:
            await other.close()
            await relay.down()

    asyncio.run(main())


async def _is(asking: Any, wanted: int) -> bool:
    return await asking == wanted
