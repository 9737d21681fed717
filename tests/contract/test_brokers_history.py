"""What every broker promises (`zonda._core.channels.broker`): histories and idempotency keys."""

import asyncio
import re

import pytest

from tests.contract.brokers import KEEP, SECONDS, Bed, Node, on_every_broker
from zonda._core.base.limits import Limits
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

KEYS = {
    "short": "k",
    "longest": "k" * 200,
    "quotes": "'\";--\\",
    "spaces": " a  b\n",
    "not ASCII": "schlüssel-😀-\u2028",
    "wide and longest": "😀" * 200,
    "a pattern": "*?[a]%_{}()",
    "the hub's": "=1f2e.17",
}


async def with_history(bed: Bed, count: int = 2) -> tuple[Node, Node]:
    """The first and the last of the nodes, which may be the same."""
    nodes = await bed.nodes(count, least=1)
    bed.needs(nodes[0], "history")
    return nodes[0], nodes[-1]


async def publish(node: Node, topic: str, count: int, retention: Retention = KEEP) -> list[Position]:
    return [(await node.publish(topic, b"%d" % n, retention)).position for n in range(1, count + 1)]


async def eventually(condition, what: str) -> None:
    """For what only time brings; asks again and again."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SECONDS
    while not await condition():
        if loop.time() > deadline:
            pytest.fail(f"{what} did not come true within {SECONDS} seconds")
        await asyncio.sleep(0.02)


# ---- positions


@on_every_broker
async def test_when_publish_returns_the_history_holds_it(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    for number in range(20):
        published = await a.publish(topic, b"%d" % number, KEEP)
        assert not published.duplicate
        history = await b.broker.history(topic, KEEP, None)
        assert history.top == published.position
        assert history.messages[-1].position == published.position
        assert history.messages[-1].body == b"%d" % number


@on_every_broker
async def test_a_topic_never_seen_has_an_epoch_that_stays(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    histories = await asyncio.gather(*(n.broker.history(topic, KEEP, None) for n in (a, b) * 5))
    assert len({h.top for h in histories}) == 1
    for messages, top, recovered in histories:
        assert messages == [] and recovered
        assert top.offset == 0
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", top.epoch)
    top = histories[0].top
    assert (await b.broker.history(topic, KEEP, top)) == ([], top, True)
    published = await a.publish(topic, b"x", KEEP)
    assert published.position == (top.epoch, 1)
    history = await b.broker.history(topic, KEEP, top)
    assert history.recovered
    assert [m.position for m in history.messages] == [published.position]


@on_every_broker
async def test_topics_have_epochs_of_their_own(bed: Bed):
    a, _ = await with_history(bed)
    epochs = {(await a.broker.history(bed.topic(), KEEP, None)).top.epoch for _ in range(10)}
    assert len(epochs) == 10


# ---- since


@on_every_broker
async def test_what_is_behind_a_position_comes_in_order(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    positions = await publish(a, topic, 10)
    for since in (0, 1, 7, 9, 10):
        history = await b.broker.history(topic, KEEP, Position(positions[0].epoch, since))
        assert history.recovered
        assert [m.position for m in history.messages] == positions[since:]
        assert [m.body for m in history.messages] == [b"%d" % n for n in range(since + 1, 11)]
        assert {m.topic for m in history.messages} <= {topic}
        assert history.top == positions[-1]


@on_every_broker
async def test_the_newest_messages_on_request(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    positions = await publish(a, topic, 10)
    for most, expected in ((None, positions), (3, positions[-3:]), (0, []), (100, positions)):
        history = await b.broker.history(topic, KEEP, None, most)
        assert [m.position for m in history.messages] == expected
        assert history.top == positions[-1]
        assert history.recovered


@on_every_broker
async def test_a_position_that_is_none_of_it_is_not_recovered(bed: Bed):
    a, b = await with_history(bed)
    topic, other = bed.topic(), bed.topic()
    top = (await publish(a, topic, 3))[-1]
    foreign = (await publish(a, other, 3))[0]
    beyond = Position(top.epoch, top.offset + 1)
    far = Position(top.epoch, 2**53 - 1)
    for since in (foreign, Position("0", 1), Position("x" * 32, 2), beyond, far):
        assert await b.broker.history(topic, KEEP, since) == ([], top, False)
    assert (await b.broker.history(topic, KEEP, top)) == ([], top, True)


@on_every_broker
async def test_no_more_than_the_size_is_kept_and_all_or_nothing_given(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    five = Retention(size=5, ttl=300.0)
    positions = await publish(a, topic, 12, five)
    history = await b.broker.history(topic, five, None)
    assert [m.position for m in history.messages] == positions[-5:]
    epoch, top = positions[0].epoch, positions[-1]
    for since, recovered in ((6, False), (0, False), (7, True), (8, True), (12, True)):
        history = await b.broker.history(topic, five, Position(epoch, since))
        assert history.recovered is recovered, since
        assert [m.position for m in history.messages] == (positions[since:] if recovered else [])
        assert history.top == top


@on_every_broker
async def test_a_history_of_one(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    one = Retention(size=1, ttl=300.0)
    positions = await publish(a, topic, 3, one)
    assert [m.body for m in (await b.broker.history(topic, one, None)).messages] == [b"3"]
    assert (await b.broker.history(topic, one, positions[0])).recovered is False
    assert (await b.broker.history(topic, one, positions[1])).recovered is True


@on_every_broker
async def test_what_is_too_old_is_gone_and_the_position_stays(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    brief = Retention(size=100, ttl=1.0)
    top = (await publish(a, topic, 3, brief))[-1]

    async def is_empty() -> bool:
        return not (await b.broker.history(topic, brief, None)).messages

    await eventually(is_empty, "an empty history")
    assert await b.broker.history(topic, brief, None) == ([], top, True)
    assert await b.broker.history(topic, brief, top) == ([], top, True)
    assert await b.broker.history(topic, brief, Position(top.epoch, 0)) == ([], top, False)
    published = await a.publish(topic, b"new", brief)
    assert published.position == (top.epoch, top.offset + 1)
    history = await b.broker.history(topic, brief, top)
    assert [m.body for m in history.messages] == [b"new"]


@on_every_broker
async def test_a_long_history_comes_whole(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    body = b"x" * 10_000
    await asyncio.gather(*(a.publish(topic, body, KEEP) for _ in range(500)))
    history = await b.broker.history(topic, KEEP, None)
    assert [m.position.offset for m in history.messages] == list(range(1, 501))
    assert all(m.body == body for m in history.messages)


@on_every_broker
async def test_a_history_and_what_comes_live_meet_without_a_hole(bed: Bed):
    a, b = await with_history(bed)
    topic = bed.topic()
    publishing = asyncio.ensure_future(publish(a, topic, 200))
    await b.broker.subscribe(topic)
    history = await b.broker.history(topic, KEEP, None)
    await publishing
    await b.until(lambda: bool(b.messages) and b.messages[-1].position.offset == 200, "the last one")
    live = [m.position.offset for m in b.messages]
    assert live == list(range(live[0], 201))
    assert live[0] <= history.top.offset + 1


# ---- keys


@on_every_broker
async def test_the_same_key_publishes_once(bed: Bed):
    a, b = await with_history(bed)
    for case, key in KEYS.items():
        topic = bed.topic()
        await b.broker.subscribe(topic)
        first = await a.publish(topic, b"first", KEEP, key)
        assert not first.duplicate, case
        between = await a.publish(topic, b"between", KEEP, key[:-1] + "!")
        for node in (a, b):
            again = await node.publish(topic, b"again", KEEP, key)
            assert again == (first.position, True), case
        last = await a.publish(topic, b"last", KEEP)
        await b.has(topic, b"last")
        assert b.bodies(topic) == [b"first", b"between", b"last"], case
        assert [p.position.offset for p in (first, between, last)] == [1, 2, 3], case
        history = await b.broker.history(topic, KEEP, None)
        assert [m.body for m in history.messages] == [b"first", b"between", b"last"], case


@on_every_broker
async def test_a_key_belongs_to_its_topic(bed: Bed):
    a, _ = await with_history(bed)
    for _ in range(2):
        assert not (await a.publish(bed.topic(), b"x", KEEP, "key")).duplicate


@on_every_broker
async def test_the_same_key_at_the_same_time_publishes_once(bed: Bed):
    nodes = await bed.nodes(3, least=1)
    bed.needs(nodes[0], "history")
    for _ in range(5):
        topic = bed.topic()
        published = await asyncio.gather(*(n.publish(topic, b"x", KEEP, "key") for n in nodes * 5))
        assert [p.duplicate for p in published].count(False) == 1
        assert {p.position.offset for p in published} == {1}
        assert len({p.position.epoch for p in published}) == 1
        assert len((await nodes[0].broker.history(topic, KEEP, None)).messages) == 1


@on_every_broker
async def test_a_key_is_known_again_without_a_history(bed: Bed):
    a, b, c = await bed.nodes(3)
    bed.needs(a, "keys_without_history")
    topic = bed.topic()
    for node in (b, c):
        await node.broker.subscribe(topic)
    assert await a.publish(topic, b"x", None, "key") == (NOWHERE, False)
    assert await a.publish(topic, b"x", None, "key") == (NOWHERE, True)
    assert await b.publish(topic, b"x", None, "key") == (NOWHERE, True)
    published = await asyncio.gather(*(n.publish(topic, b"y", None, "other") for n in (a, a, a)))
    assert [p.duplicate for p in published].count(False) == 1
    await a.publish(topic, b"end", None, None)
    for node in (b, c):
        await node.has(topic, b"x", b"y", b"end")
        assert sorted(node.bodies(topic)) == [b"end", b"x", b"y"]


@on_every_broker
async def test_a_key_is_known_without_history_to_its_own_node(bed: Bed):
    (a,) = await bed.nodes(1)
    bed.needs(a, "keys_without_history")
    topic = bed.topic()
    assert [(await a.publish(topic, b"x", None, "key")).duplicate for _ in range(3)] == [False, True, True]


@on_every_broker
async def test_a_key_is_forgotten_after_its_time(bed: Bed):
    (a,) = await bed.nodes(1, Limits(broker_timeout=5.0, idempotency_ttl=1.0))
    retentions = ([KEEP] if a.broker.promises.history else []) + (
        [None] if a.broker.promises.keys_without_history else []
    )

    async def is_forgotten(retention: Retention | None) -> None:
        topic = bed.topic()
        assert not (await a.publish(topic, b"x", retention, "key")).duplicate
        assert (await a.publish(topic, b"x", retention, "key")).duplicate

        async def is_new() -> bool:
            return not (await a.publish(topic, b"x", retention, "key")).duplicate

        await eventually(is_new, "a forgotten key")

    await asyncio.gather(*map(is_forgotten, retentions))
