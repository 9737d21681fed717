"""What every broker promises (`zonda._core.channels.broker`): lost connections, time-outs, lost state."""

import asyncio

import pytest

from tests.contract.brokers import KEEP, LIMITS, SECONDS, Bed, Node, on_every_broker
from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.topic import Retention


async def all_resumed(nodes: list[Node], times: int = 1) -> None:
    for node in nodes:
        await node.until(lambda node=node: node.resumptions >= times, "resumed")


@on_every_broker
async def test_a_lost_connection_is_made_again(bed: Bed):
    a, b, c = nodes = await bed.nodes(3)
    losses = bed.expect_losses()
    topic, other = bed.topic(), bed.topic()
    for node in nodes:
        await node.broker.subscribe(topic)
    await b.broker.subscribe(other)
    await b.broker.unsubscribe(other)
    for time in (1, 2):
        await bed.relay.cut()
        await all_resumed(nodes, time)
        assert [node.resumptions for node in nodes] == [time] * 3
        assert len(losses.records) == 3 * time, "one warning for each connection that was lost"
        body = b"%d" % time
        await a.publish(other, body)
        await a.publish(topic, body)
        for node in (b, c):
            await node.has(topic, body)
        assert a.bodies(topic) == b.bodies(other) == []
        assert b.bodies(topic) == [b"1", b"2"][:time]


@on_every_broker
async def test_a_server_that_was_away_is_found_again(bed: Bed):
    a, b = nodes = await bed.nodes(2)
    losses = bed.expect_losses()
    topic = bed.topic()
    await b.broker.subscribe(topic)
    await bed.relay.down()
    await asyncio.sleep(0.3)  # some attempts fail
    assert [node.resumptions for node in nodes] == [0, 0]
    await bed.relay.up()
    await all_resumed(nodes)
    assert len(losses.records) == 2
    await a.publish(topic, b"x")
    await b.has(topic, b"x")


@on_every_broker
async def test_history_survives_a_lost_connection(bed: Bed):
    a, b = nodes = await bed.nodes(2)
    bed.needs(a, "history")
    bed.expect_losses()
    topic = bed.topic()
    await b.broker.subscribe(topic)
    first = await a.publish(topic, b"1", KEEP)
    await bed.relay.cut()
    second = await a.publish(topic, b"2", KEEP, "k")
    assert second.position == (first.position.epoch, 2)
    await all_resumed(nodes)
    history = await b.broker.history(topic, KEEP, first.position)
    assert history.recovered and [m.body for m in history.messages] == [b"2"]


@on_every_broker
async def test_publishes_under_way_are_neither_lost_nor_doubled(bed: Bed):
    nodes = await bed.nodes(2)
    bed.needs(nodes[0], "history")
    bed.expect_losses()
    topic = bed.topic()
    for node in nodes:
        await node.broker.subscribe(topic)

    async def publish_all(node: Node, lane: int) -> list[tuple[bytes, int]]:
        done = []
        for number in range(60):
            name = f"{node.node}.{lane}.{number}"
            published = await node.publish(topic, name.encode(), KEEP, name)
            done.append((name.encode(), published.position.offset))
        return done

    lanes = asyncio.gather(*[publish_all(node, lane) for node in nodes for lane in range(5)])
    cuts = 0
    while not lanes.done() and cuts < 6:
        kept = len(nodes[0].messages)
        await bed.relay.cut()
        cuts += 1
        # Only when it has gone on for a while is it cut again.  A publish may end behind the last message.
        more = asyncio.ensure_future(nodes[0].until(lambda kept=kept: len(nodes[0].messages) > kept + 20))
        await asyncio.wait([more, lanes], return_when=asyncio.FIRST_COMPLETED)
        if not more.cancel():
            await more
    done = [pair for each in await lanes for pair in each]
    assert cuts > 2
    history = await nodes[1].broker.history(topic, KEEP, None)
    assert [m.position.offset for m in history.messages] == list(range(1, len(done) + 1))
    assert {m.body: m.position.offset for m in history.messages} == dict(done)


@on_every_broker
async def test_after_a_loss_of_connection_presence_is_told_anew(bed: Bed):
    nodes = await bed.nodes(2)
    bed.needs(nodes[0], "presence")
    bed.expect_losses()
    a, b = nodes
    topic = bed.topic()
    await b.broker.subscribe(topic)
    await a.broker.join(topic, a.member("ada"))
    await bed.relay.cut()
    await all_resumed(nodes)
    # What a hub does then.
    await a.broker.join(topic, a.member("ada", 2))
    assert await b.broker.members(topic) == [a.member("ada", 2)]
    await b.until(lambda: (True, a.member("ada", 2)) in b.events(topic))


@on_every_broker
async def test_nothing_waits_longer_than_the_timeout(bed: Bed):
    (a,) = await bed.nodes(1, Limits(broker_timeout=0.4))
    relay = bed.relay
    bed.expect_losses()
    promises = a.broker.promises
    topic = bed.topic()
    relay.freeze()
    calls = {"subscribe": lambda: a.broker.subscribe(topic)}
    if promises.history:
        calls["publish"] = lambda: a.publish(topic, b"x", KEEP, "k")
        calls["history"] = lambda: a.broker.history(topic, KEEP, None)
    if promises.keys_without_history:
        calls["publish with a key"] = lambda: a.publish(topic, b"x", None, "k")
    if promises.presence:
        calls["join"] = lambda: a.broker.join(topic, a.member("ada"))
        calls["members"] = lambda: a.broker.members(topic)
        calls["heartbeat"] = a.broker.heartbeat
    begun = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(call() for call in calls.values()), return_exceptions=True)
    assert asyncio.get_running_loop().time() - begun < 3
    for name, answer in zip(calls, answers, strict=True):
        if not isinstance(answer, BaseException):
            pytest.fail(f"{name} was done without an answer")
        if not isinstance(answer, BrokerUnavailable):
            raise answer
    relay.thaw()
    if promises.history:
        await eventually_published(a, topic)


@on_every_broker
async def test_while_the_server_is_away_publishing_says_so_and_then_goes_on(bed: Bed):
    (a,) = await bed.nodes(1, Limits(broker_timeout=0.4))
    bed.expect_losses()
    topic = bed.topic()
    await bed.relay.down()
    keep = KEEP if a.broker.promises.history else None
    with pytest.raises(BrokerUnavailable):
        await a.publish(topic, b"x", keep, "k")
    with pytest.raises(BrokerUnavailable):
        for _ in range(3):  # a broker may notice at its first attempt only
            await a.publish(topic, b"x")
    await bed.relay.up()
    await all_resumed([a])
    if keep:
        await eventually_published(a, topic)


async def eventually_published(node: Node, topic: str, retention: Retention = KEEP) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SECONDS
    while True:
        try:
            await node.publish(topic, b"again", retention, "again")
            return
        except BrokerUnavailable:
            assert loop.time() < deadline, "it is never available again"


@on_every_broker
async def test_closing_does_not_wait_for_a_server_that_is_silent(bed: Bed):
    (a,) = await bed.nodes(1, Limits(broker_timeout=0.5))
    relay = bed.relay
    bed.expect_losses()
    topic = bed.topic()
    await a.broker.subscribe(topic)
    if a.broker.promises.presence:
        await a.broker.join(topic, a.member("ada"))
    relay.freeze()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await bed.close(a)
    assert loop.time() - begun < 4
    relay.thaw()


@on_every_broker
async def test_closing_while_the_server_is_away(bed: Bed):
    (a,) = await bed.nodes(1, Limits(broker_timeout=0.5))
    bed.expect_losses()
    await a.broker.subscribe(bed.topic())
    await bed.relay.down()
    await bed.close(a)


@on_every_broker
async def test_lost_state_has_another_epoch(bed: Bed):
    a, b = await bed.nodes(2, LIMITS, least=2)
    bed.needs(a, "history")
    bed.expect_losses()
    topic, silent = bed.topic(), bed.topic()
    await b.broker.subscribe(topic)
    first = (await a.publish(topic, b"1", KEEP, "k")).position
    before = (await a.broker.history(silent, KEEP, None)).top
    await bed.lose_state()
    history = await b.broker.history(topic, KEEP, first)
    assert history.messages == [] and history.recovered is False
    assert history.top.epoch != first.epoch and history.top.offset == 0
    assert (await b.broker.history(silent, KEEP, before)).recovered is False
    second = await a.publish(topic, b"2", KEEP, "k2")
    assert second.position == (history.top.epoch, 1)
    await b.has(topic, b"2")
