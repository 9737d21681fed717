"""What is NATS' own among the promises of its broker; the rest is in tests/contract."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("nats")

import nats

from tests.contract.brokers import KEEP, Node
from tests.contract.kind_nats import remove_streams
from tests.contract.relay import Relay
from tests.core.channels.brokers.load import kill_under_load, nothing_lost_or_doubled
from tests.core.channels.brokers.nodes import SECONDS, refusal, started
from tests.nats_server import NatsServer, needs_nats, running_nats
from zonda._core.base.limits import Limits
from zonda._core.channels.brokers.nats import NatsBroker
from zonda._core.channels.brokers.nats_streams import Names, token
from zonda._core.channels.errors import BrokerUnavailable, PayloadError, TopicRefused
from zonda._core.channels.hub import Hub
from zonda._core.channels.message import Gap, Message
from zonda._core.channels.position import NOWHERE
from zonda._core.channels.topic import Retention, Topic

pytestmark = needs_nats

LIMITS = Limits(broker_timeout=5.0)


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with running_nats() as started:
        yield started


@pytest.fixture(autouse=True)
def empty(server: NatsServer) -> None:
    asyncio.run(remove_streams(server.url))


def nodes(*urls: str, limits: Limits = LIMITS) -> AbstractAsyncContextManager[list[Node]]:
    return started(*(NatsBroker(url, limits) for url in urls))


async def refused(url: str, limits: Limits = LIMITS) -> str:
    """Why a broker does not start."""
    return await refusal(NatsBroker(url, limits))


async def asked(url: str, subject: str) -> dict:
    """What JetStream says itself."""
    client = await nats.connect(url)
    try:
        return json.loads((await client.request(subject, timeout=5)).data)
    finally:
        await client.close()


# ---- names


names = st.text("AZaz09_.:/@+~-", min_size=1, max_size=12)


@given(names, names)
def test_names_of_topics_are_told_apart(one, other):
    assert (token(one) == token(other)) == (one == other)
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", token(one))


def test_long_names_have_streams_of_their_own():
    topics = ["." * 200, "." * 199 + ":", "a" * 200, "." * 199]
    streams = {Names("zonda").stream(topic) for topic in topics}
    assert len(streams) == len(topics)
    assert all(len(stream) < 255 for stream in streams)


# ---- servers that die


def test_a_server_that_is_killed_loses_and_doubles_nothing(expect_log):
    expect_log("zonda.general", "is lost")
    with running_nats() as server:
        limits = Limits(broker_timeout=SECONDS)
        nothing_lost_or_doubled(*asyncio.run(kill_under_load(lambda: NatsBroker(server.url, limits), server)))


def test_a_server_that_comes_back_empty_is_another_epoch(expect_log):
    expect_log("zonda.general", "is lost")

    class Forgetful(NatsServer):
        def kill(self) -> None:
            super().kill()
            self.empty()

    with running_nats() as plain:
        losing = Forgetful(plain.folder, port=plain.port, process=plain.process)
        limits = Limits(broker_timeout=SECONDS)
        got, positions = asyncio.run(kill_under_load(lambda: NatsBroker(plain.url, limits), losing))
        plain.process = losing.process
    gap = got[-1]
    assert isinstance(gap, Gap) and not gap.recovered
    assert [event.position.offset for event in got[:-1]] == list(range(1, len(got)))
    assert len({position.epoch for position in positions}) == 2


def test_a_stream_that_is_removed_is_another_epoch(server):
    async def main() -> None:
        async with nodes(server.url, server.url) as [a, b]:
            await b.broker.subscribe("t")
            first = (await a.publish("t", b"1", KEEP)).position
            await remove_streams(server.url)
            second = (await a.publish("t", b"2", KEEP)).position
            assert first.epoch != second.epoch and second.offset == 1
            await b.has("t", b"1", b"2")
            assert [message.position for message in b.messages] == [first, second]

    asyncio.run(main())


# ---- what is kept


def test_processes_that_make_a_stream_at_the_same_moment_agree_on_its_epoch(server):
    async def main():
        async with nodes(*[server.url] * 4) as made:
            # The server lets two make it about three times in a hundred.
            for number in range(100):
                published = await asyncio.gather(*(n.publish(f"t{number}", b"x", KEEP) for n in made))
                assert len({p.position.epoch for p in published}) == 1
                assert sorted(p.position.offset for p in published) == [1, 2, 3, 4]

    asyncio.run(main())


def test_a_stream_is_made_to_keep_what_is_asked_and_stays_the_same(server):
    async def main() -> None:
        async with nodes(server.url) as [node]:
            first = (await node.publish("t", b"1", Retention(size=5, ttl=600.0))).position
            other = (await node.publish("t", b"2", Retention(size=3, ttl=900.0))).position
            assert other == (first.epoch, 2)
            config = (await asked(server.url, "$JS.API.STREAM.INFO.zonda-t"))["config"]
            assert (config["max_msgs"], config["max_age"]) == (3, 900 * 10**9)
            assert (config["duplicate_window"], config["storage"]) == (300 * 10**9, "file")

    asyncio.run(main())


def test_a_long_history_is_read_whole(server):
    async def main() -> None:
        async with nodes(server.url) as [node]:
            bodies = [b"%d" % number for number in range(700)]
            await asyncio.gather(*(node.publish("t", body, KEEP) for body in bodies))
            history = await node.broker.history("t", KEEP, None)
            assert sorted(m.body for m in history.messages) == sorted(bodies)
            assert [m.position.offset for m in history.messages] == list(range(1, 701))
            since = history.messages[99].position
            assert (await node.broker.history("t", KEEP, since)).messages[0].position.offset == 101

    asyncio.run(main())


def test_what_is_older_than_asked_is_left_out_though_the_stream_still_has_it(server):
    async def main() -> None:
        async with nodes(server.url) as [node]:
            keep = Retention(size=10, ttl=0.3)
            first = (await node.publish("t", b"1", keep, "=key")).position
            assert (await node.broker.history("t", keep, None)).messages
            await asyncio.sleep(0.31)
            second = (await node.publish("t", b"2", keep)).position
            history = await node.broker.history("t", keep, None)
            assert [m.body for m in history.messages] == [b"2"]
            assert (await node.broker.history("t", keep, first)).recovered
            assert not (await node.broker.history("t", keep, first._replace(offset=0))).recovered
            # And the key is known as long as it has to be.
            assert await node.publish("t", b"1", keep, "=key") == (first, True)
            assert (await node.broker.history("t", keep, second)).recovered

    asyncio.run(main())


def test_keys_of_any_characters(server):
    async def main() -> None:
        async with nodes(server.url) as [node]:
            keys = ["=a b", "=\r\nX: y", "=" + "\U0001f600" * 199, "=%", "=" + "x" * 200, "==a"]
            for retention in (KEEP, None):
                for key in keys:
                    assert not (await node.publish("t", b"1", retention, key)).duplicate
                for key in keys:
                    assert (await node.publish("t", b"1", retention, key)).duplicate
            assert (await node.broker.history("t", KEEP, None)).top.offset == len(keys)

    asyncio.run(main())


def test_a_message_larger_than_the_server_takes_is_refused():
    async def main(url: str) -> None:
        async with nodes(url, url) as [a, b]:
            largest = a.broker.promises.largest
            assert largest is not None and 90_000 < largest < 100_000
            topic, key = "." * 200, "=" + "\U0001f600" * 199
            await b.broker.subscribe(topic)
            await a.publish(topic, bytes(largest), KEEP, key)
            await b.until(lambda: [len(m.body) for m in b.messages] == [largest])
            assert len((await b.broker.history(topic, KEEP, None)).messages[0].body) == largest
            with pytest.raises(PayloadError, match=f"{largest + 1} bytes: .* takes {largest}"):
                await a.publish(topic, bytes(largest + 1), KEEP)
            await a.publish(topic, b"small")
            await b.has(topic, b"small")

    with running_nats("max_payload: 100000") as narrow:
        asyncio.run(main(narrow.url))


# ---- servers that do not do


def test_without_jetstream_a_topic_with_history_is_refused_and_others_are_not():
    async def main(url: str) -> None:
        hub = Hub(url, [Topic("t", history=10)])
        try:
            with pytest.raises(TopicRefused, match="topic t asks for a history, which the broker nats://"):
                await hub.start()
        finally:
            await hub.close()
        async with nodes(url, url) as [a, b]:
            assert not a.broker.promises.history and not a.broker.promises.keys_without_history
            await b.broker.subscribe("t")
            await a.publish("t", b"1")
            await b.has("t", b"1")
            await a.broker.join("t", a.member("ada"))
            assert await b.broker.members("t") == [a.member("ada")]
            for retention, key in ((KEEP, None), (None, "=k")):
                with pytest.raises(BrokerUnavailable, match="no JetStream"):
                    await a.publish("t", b"1", retention, key)

    with running_nats(jetstream=False) as simple:
        asyncio.run(main(simple.url))


def test_a_wrong_password_is_told():
    async def main(locked: NatsServer) -> None:
        async with nodes(locked.url) as [node]:
            assert (await node.publish("t", b"1", KEEP)).position.offset == 1
        said = await refused(locked.url.replace("right", "wrong"))
        assert f"127.0.0.1:{locked.port}" in said and "Authorization Violation" in said
        assert "wrong" not in said
        assert "Authorization Violation" in await refused(locked.bare_url)

    with running_nats(password="right") as locked:
        asyncio.run(main(locked))


def test_a_user_who_may_not_do_what_is_needed_is_told(expect_log):
    may = 'publish: ["zonda.>", "$JS.API.>", "_INBOX.>"], subscribe: ["_INBOX.>"'
    users = f"""authorization {{ users: [
        {{ user: deaf, password: x, permissions: {{ {may}] }} }}
        {{ user: half, password: x, permissions: {{ {may}, "zonda.node.*"] }} }}
    ] }}"""

    async def main(port: int) -> None:
        said = await refused(f"nats://deaf:x@127.0.0.1:{port}")
        assert (
            said.startswith(f"NATS at 127.0.0.1:{port}: ")
            and 'subscription to "zonda.node.*"' in said.lower()
        )
        async with nodes(f"nats://half:x@127.0.0.1:{port}") as [node]:
            for _ in range(2):
                with pytest.raises(BrokerUnavailable, match=r'^NATS at \S+: .*"zonda\.live\.t"'):
                    await node.broker.subscribe("t")
            await node.publish("t", b"1", KEEP)

    expect_log("zonda.general", "lets us do less than we have to")
    with running_nats(users) as strict:
        asyncio.run(main(strict.port))


def test_that_nobody_listens_is_told(free_port):
    port = free_port()
    said = asyncio.run(refused(f"nats://127.0.0.1:{port}"))
    assert f"NATS at 127.0.0.1:{port}" in said and "Connect call failed" in said


def test_a_server_that_says_nothing_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = asyncio.run(refused(f"nats://127.0.0.1:{port}", Limits(broker_timeout=0.2)))
        assert said.startswith(f"NATS at 127.0.0.1:{port}")


def test_any_server_of_several_will_do(server, free_port):
    async def main() -> None:
        async with nodes(f"nats://127.0.0.1:{free_port()},127.0.0.1:{server.port}") as [node]:
            assert (await node.publish("t", b"1", KEEP)).position.offset == 1

    asyncio.run(main())


@pytest.mark.parametrize("query", ["other=1", "prefix=a.b", "prefix=", "replicas=0", "replicas=x"])
def test_what_the_url_may_not_ask_for(query):
    with pytest.raises(ValueError, match="prefix=NAME"):
        NatsBroker(f"nats://127.0.0.1?{query}", LIMITS)


def test_prefixes_are_worlds_of_their_own(server):
    async def main() -> None:
        async with nodes(server.url, f"{server.url}?prefix=other", f"{server.url}?prefix=other") as [a, b, c]:
            for node in (a, b, c):
                await node.broker.subscribe("t")
            await b.publish("t", b"x", KEEP)
            await b.broker.join("t", b.member("ada"))
            await c.has("t", b"x")
            await a.publish("t", b"y", KEEP)
            await a.has("t", b"y")
            assert a.bodies("t") == [b"y"] and c.bodies("t") == [b"x"]
            assert await a.broker.members("t") == []
            assert await c.broker.members("t") == [b.member("ada")]

    asyncio.run(main())


def test_a_server_that_falls_silent_is_noticed_and_its_return_too(server, expect_log):
    expect_log("zonda.general", "is lost")

    async def main() -> None:
        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server.port))
        await relay.up()
        try:
            url = f"nats://127.0.0.1:{relay.address[1]}"
            async with nodes(url, limits=Limits(broker_timeout=0.3)) as [node]:
                await node.broker.subscribe("t")
                relay.freeze()
                with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.3 seconds"):
                    await node.publish("t", b"0", KEEP)
                async with asyncio.timeout(SECONDS):
                    while True:
                        try:
                            await node.publish("t", b"0")
                        except BrokerUnavailable:
                            break
                        await asyncio.sleep(0.01)
                relay.thaw()
                await node.until(lambda: node.resumptions == 1)
                await node.publish("t", b"1", KEEP)
                await node.has("t", b"1")
        finally:
            await relay.down()

    asyncio.run(main())


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO []\r\n"])
def test_who_is_no_nats_is_told_and_waited_out(server, expect_log, said):
    expect_log("zonda.general", "is lost")

    async def main() -> None:
        asked = asyncio.Semaphore(0)

        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            writer.close()
            asked.release()

        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server.port))
        await relay.up()
        stranger = await asyncio.start_server(other, "127.0.0.1", 0)
        try:
            url = f"nats://127.0.0.1:{relay.address[1]}"
            async with nodes(url) as [node], asyncio.timeout(SECONDS):
                relay.target = stranger.sockets[0].getsockname()[:2]
                assert (await refused(url)).startswith(f"NATS at 127.0.0.1:{relay.address[1]}: ")
                asked = asyncio.Semaphore(0)
                await relay.cut()
                for _ in range(4):  # the library asks for itself, too
                    await asked.acquire()
                relay.target = ("127.0.0.1", server.port)
                await node.until(lambda: node.resumptions == 1)
                assert (await node.publish("t", b"1", KEEP)).position.offset == 1
        finally:
            stranger.close()
            await relay.down()

    asyncio.run(main())


def test_a_process_that_reads_too_slowly_is_told_that_it_missed_something(server, expect_log):
    expect_log("zonda.general", "messages were dropped")

    async def main() -> None:
        slow = Node("slow", NatsBroker(server.url, Limits(broker_timeout=5.0, broker_buffer_bytes=10_000)))
        await slow.broker.start(slow)
        try:
            async with nodes(server.url) as [node]:
                await slow.broker.subscribe("t")
                for _ in range(100):
                    await node.publish("t", bytes(1000))
                await slow.until(lambda: slow.resumptions > 0)
                await node.publish("t", b"later")
                await slow.has("t", b"later")
        finally:
            await slow.broker.close()

    asyncio.run(main())


def test_a_fault_of_ours_is_logged_and_ends_nothing(server, expect_log):
    logged = expect_log("zonda.general", "could not be taken")

    class Faulty(Node):
        def received(self, message: Message) -> None:
            super().received(message)
            raise ZeroDivisionError

    async def main() -> None:
        faulty = Faulty("faulty", NatsBroker(server.url, LIMITS))
        await faulty.broker.start(faulty)
        try:
            async with nodes(server.url) as [node]:
                await faulty.broker.subscribe("t")
                for body in (b"1", b"2"):
                    await node.publish("t", body)
                    await faulty.has("t", body)
                await faulty.broker.heartbeat()
        finally:
            await faulty.broker.close()

    asyncio.run(main())
    assert [record.exc_info[0] for record in logged.records] == [ZeroDivisionError] * 2


# ---- presence


def test_more_members_than_one_message_holds():
    async def main(url: str) -> None:
        async with nodes(url, url) as [a, b]:
            members = [a.member(f"c{number}", "x" * 3000) for number in range(120)]
            await asyncio.gather(*(a.broker.join("t", member) for member in members))
            found = await b.broker.members("t")
            assert sorted(found, key=lambda m: m.client) == sorted(members, key=lambda m: m.client)
            with pytest.raises(BrokerUnavailable, match=r"^\d+ bytes: NATS .* takes 50000"):
                await a.broker.join("t", a.member("large", "x" * 50_000))
            assert len(await b.broker.members("t")) == len(members)

    with running_nats("max_payload: 50000") as narrow:
        asyncio.run(main(narrow.url))


def test_a_node_that_is_slow_to_answer_is_there_until_its_time_is_over(server):
    async def main() -> None:
        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server.port))
        await relay.up()
        limits = Limits(broker_timeout=5.0, presence_timeout=2.0)
        try:
            url = f"nats://127.0.0.1:{relay.address[1]}"
            async with nodes(server.url, url, limits=limits) as [a, b]:
                await a.broker.subscribe("t")
                ada = b.member("ada")
                await b.broker.join("t", ada)
                assert await a.broker.members("t") == [ada]
                relay.freeze()
                assert await a.broker.members("t") == [ada]
                async with asyncio.timeout(SECONDS):
                    while True:
                        if not await a.broker.members("t"):
                            break
                        await a.broker.heartbeat()
                assert a.gone == [b.node]
                relay.thaw()
                await b.broker.heartbeat()
                assert b.resumptions == 1
        finally:
            await relay.down()

    asyncio.run(main())


def test_strangers_are_ignored(server):
    async def main() -> None:
        async with nodes(server.url, server.url) as [a, b]:
            await b.broker.subscribe("t")
            stranger = await nats.connect(server.url)
            for noise in (b"", b"x", b"+", b"+[1,2]", b'-{"a":1}', b"node j", b"+null", b"\xff j\n1"):
                await stranger.publish("zonda.live.t", noise)
                for what in ("who", "x"):
                    await stranger.publish(f"zonda.node.{what}", noise)
            for number in ({}, {"Nats-Sequence": "x"}):
                headers = {"Nats-Subject": "zonda.keep.t.epoch", **number}
                await stranger.publish("zonda.live.t", b"n0 b\nnoise", headers=headers)
            await stranger.flush()
            await stranger.close()
            await a.publish("t", b"1")
            await b.has("t", b"1")
            assert [m.position for m in b.messages if m.body == b"noise"] == [NOWHERE, NOWHERE]
            assert len(b.messages) == 3 and b.presence == [] and await b.broker.members("t") == []

    asyncio.run(main())
