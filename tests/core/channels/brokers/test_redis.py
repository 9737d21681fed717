"""What is Redis' own among the promises of its broker; the rest is in tests/contract."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest

pytest.importorskip("redis")

from tests.contract.brokers import KEEP, Node
from tests.contract.relay import Relay
from tests.core.channels.brokers.load import kill_under_load, nothing_lost_or_doubled
from tests.core.channels.brokers.nodes import SECONDS, refusal, started
from tests.redis_server import RedisServer, needs_redis, running_redis
from zonda._core.base.limits import Limits
from zonda._core.channels.brokers.redis import RedisBroker
from zonda._core.channels.errors import BrokerUnavailable, PayloadError, TopicRefused
from zonda._core.channels.hub import Hub
from zonda._core.channels.message import Gap
from zonda._core.channels.topic import Topic

pytestmark = needs_redis

LIMITS = Limits(broker_timeout=5.0)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as redis:
        yield redis


@pytest.fixture(autouse=True)
def empty(server: RedisServer) -> None:
    assert server.command("FLUSHALL") == b"+OK\r\n"


def nodes(*urls: str, limits: Limits = LIMITS) -> AbstractAsyncContextManager[list[Node]]:
    return started(*(RedisBroker(url, limits) for url in urls))


async def refused(url: str, limits: Limits = LIMITS) -> str:
    """Why a broker does not start."""
    return await refusal(RedisBroker(url, limits))


def test_a_server_that_keeps_a_file_and_is_killed_loses_and_doubles_nothing(expect_log):
    expect_log("zonda.general", "is lost")
    with running_redis(durable=True) as server:
        limits = Limits(broker_timeout=SECONDS)
        nothing_lost_or_doubled(
            *asyncio.run(kill_under_load(lambda: RedisBroker(server.url, limits), server))
        )


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_server_that_comes_back_with_less_is_another_epoch(server, expect_log, snapshot):
    """Also if a snapshot brings a part back: it is older than what was confirmed."""
    expect_log("zonda.general", "is lost")

    class Snapshots(RedisServer):
        def kill(self) -> None:
            if snapshot:
                assert self.command("SAVE") == b"+OK\r\n"
            super().kill()

    with running_redis() as plain:
        losing = Snapshots(plain.folder, port=plain.port, process=plain.process)
        limits = Limits(broker_timeout=SECONDS)
        got, positions = asyncio.run(kill_under_load(lambda: RedisBroker(plain.url, limits), losing))
        plain.process = losing.process
    gap = got[-1]
    assert isinstance(gap, Gap) and not gap.recovered
    assert [event.position.offset for event in got[:-1]] == list(range(1, len(got)))
    assert len({position.epoch for position in positions}) == 2


def test_state_lost_under_the_key_of_an_earlier_epoch_is_not_taken_for_published(server):
    async def main() -> None:
        async with nodes(server.url) as [node]:
            first = await node.publish("t", b"1", KEEP, "=key")
            assert (await node.publish("t", b"1", KEEP, "=key")) == (first.position, True)
            server.command("DEL", "zonda:{t}:meta")
            again = await node.publish("t", b"1", KEEP, "=key")
            assert again.position.offset == 1 and again.position.epoch != first.position.epoch
            assert not again.duplicate
            assert [m.body for m in (await node.broker.history("t", KEEP, None)).messages] == [b"1"]

    asyncio.run(main())


def test_the_hubs_own_keys_do_not_stay_for_long(server):
    async def main() -> None:
        limits = Limits(broker_timeout=5.0, idempotency_ttl=300.0)
        async with nodes(server.url, limits=limits) as [node]:
            await node.publish("t", b"1", KEEP, "=key")
            await node.publish("t", b"2", KEEP, "hub.1")
            assert 290 < int(server.command("TTL", "zonda:{t}:key:=key").strip(b":\r\n")) <= 300
            assert 5 < int(server.command("TTL", "zonda:{t}:key:hub.1").strip(b":\r\n")) <= 10

    asyncio.run(main())


def test_scripts_that_the_server_forgot_are_loaded_again(server):
    async def main() -> None:
        async with nodes(server.url) as [node]:
            server.command("SCRIPT", "FLUSH")
            published = await asyncio.gather(*(node.publish("t", b"%d" % n, KEEP) for n in range(100)))
            assert sorted(p.position.offset for p in published) == list(range(1, 101))

    asyncio.run(main())


def test_many_publishes_at_once_share_one_connection(server):
    async def main() -> None:
        before = server.command("INFO", "stats")
        async with nodes(server.url, server.url) as [a, b]:
            await b.broker.subscribe("t")
            bodies = [b"%d" % number for number in range(2000)]
            await asyncio.gather(*(a.publish("t", body) for body in bodies))
            await b.has("t", *bodies)
            assert b.bodies("t") == bodies
            after = server.command("INFO", "stats")
            # Three for each node, and those with which this test asks.
            assert _connections(after) - _connections(before) <= 2 * 3 + 1

    asyncio.run(main())


def _connections(info: bytes) -> int:
    return int(info.partition(b"total_connections_received:")[2].split()[0])


def test_what_waits_for_a_server_is_bounded(server):
    async def main() -> None:
        limits = Limits(broker_timeout=5.0, broker_buffer_bytes=100_000)
        async with nodes(server.url, limits=limits) as [node]:
            results = await asyncio.gather(
                *(node.publish("t", bytes(1000)) for _ in range(200)), return_exceptions=True
            )
            failed = [result for result in results if isinstance(result, BrokerUnavailable)]
            assert 100 <= len(failed) < 110
            assert "100000 are allowed" in str(failed[0])
            await node.publish("t", bytes(1000))

    asyncio.run(main())


def test_databases_and_prefixes_are_worlds_of_their_own(server):
    async def main() -> None:
        urls = [f"{server.bare_url[:-1]}{end}" for end in ("0", "1", "0?prefix=other:", "0?prefix=other:")]
        async with nodes(*urls) as all_nodes:
            for node in all_nodes:
                await node.broker.subscribe("t")
            *others, sender, same = all_nodes
            position = (await sender.publish("t", b"x", KEEP)).position
            await sender.publish("t", b"y")
            await same.has("t", b"x", b"y")
            for node in others:
                history = await node.broker.history("t", KEEP, None)
                assert history.top.epoch != position.epoch and not history.messages
                await node.publish("t", b"end")
            assert [node.bodies("t") for node in others] == [[], []]

    asyncio.run(main())


def test_a_message_larger_than_the_server_takes_is_refused(server):
    async def main(url: str) -> None:
        async with nodes(url, url) as [a, b]:
            largest = a.broker.promises.largest
            assert largest is not None and 900_000 < largest < 1 << 20
            await b.broker.subscribe("t")
            await a.publish("t", bytes(largest), KEEP)
            await b.until(lambda: [len(m.body) for m in b.messages] == [largest])
            with pytest.raises(PayloadError, match=f"{largest + 1} bytes: .* takes {largest}"):
                await a.publish("t", bytes(largest + 1), KEEP)
            await a.publish("t", b"small", KEEP)
            await b.has("t", b"small")

    with running_redis("--proto-max-bulk-len", "1mb") as narrow:
        asyncio.run(main(narrow.url))


def test_a_topic_that_has_to_outlive_a_server_that_keeps_nothing_is_refused(server):
    async def main() -> None:
        hub = Hub(server.url, [Topic("t", history=10, durable=True)])
        try:
            with pytest.raises(TopicRefused, match="outlives"):
                await hub.start()
        finally:
            await hub.close()

    asyncio.run(main())


def test_a_wrong_password_is_told(server):
    with running_redis(password="right") as locked:
        assert locked.url.count("right") == 1
        asyncio.run(_publish_one(locked.url))
        said = asyncio.run(refused(locked.url.replace("right", "wrong")))
        assert "invalid username-password" in said and "wrong" not in said
        said = asyncio.run(refused(locked.bare_url))
        assert f"127.0.0.1:{locked.port}/0" in said and "Authentication required" in said


async def _publish_one(url: str) -> None:
    async with nodes(url) as [node]:
        assert (await node.publish("t", b"1", KEEP)).position.offset == 1


def test_that_nobody_listens_is_told(free_port):
    port = free_port()
    assert f"127.0.0.1:{port}" in asyncio.run(refused(f"redis://127.0.0.1:{port}"))


def test_a_server_that_says_nothing_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = asyncio.run(refused(f"redis://127.0.0.1:{port}", Limits(broker_timeout=0.2)))
        assert "no answer within 0.2 seconds" in said


def test_a_server_that_falls_silent_is_noticed_and_its_return_too(server, expect_log):
    lost = expect_log("zonda.general", "is lost")

    async def main() -> None:
        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server.port))
        await relay.up()
        try:
            url = f"redis://127.0.0.1:{relay.address[1]}/0"
            async with nodes(url, limits=Limits(broker_timeout=0.3)) as [node]:
                await node.broker.subscribe("t")
                relay.freeze()
                with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.3 seconds"):
                    await node.publish("t", b"0", KEEP)
                async with asyncio.timeout(SECONDS):
                    while True:
                        if lost.records:
                            break
                        await asyncio.sleep(0.01)
                relay.thaw()
                await node.until(lambda: node.resumptions == 1)
                await node.publish("t", b"1", KEEP)
                await node.has("t", b"1")
        finally:
            await relay.down()

    asyncio.run(main())


def test_a_node_that_was_taken_for_dead_is_told_that_its_records_are_gone(server):
    async def main() -> None:
        async with nodes(server.url, server.url, limits=Limits(presence_timeout=0.2)) as [a, b]:
            await a.broker.join("t", a.member("client"))
            assert await b.broker.members("t") == [a.member("client")]
            await asyncio.sleep(0.21)
            assert await b.broker.members("t") == []
            await b.broker.heartbeat()
            for node in (a, b):
                await node.until(lambda node=node: node.gone == [a.node])
            assert a.resumptions == 0
            await a.broker.heartbeat()
            assert (a.resumptions, b.resumptions) == (1, 0)
            assert b"presence" in server.command("KEYS", "*")
            await a.broker.forget_node("n1")
            await a.broker.forget_node("n0")
            assert b"presence" not in server.command("KEYS", "*")

    asyncio.run(main())


def test_a_stranger_on_the_channel_is_ignored(server):
    async def main() -> None:
        async with nodes(server.url, server.url) as [a, b]:
            await b.broker.subscribe("t")
            for noise in ("x", "node", "+", "+[1,2]", '-{"a":1}', "node\tj", "+null"):
                assert server.command("PUBLISH", "zonda:0:topic:t", noise).startswith(b":1")
            await a.publish("t", b"1")
            await b.has("t", b"1")
            assert len(b.messages) == 1 and b.presence == []

    asyncio.run(main())
