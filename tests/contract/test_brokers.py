"""What every broker promises (`zonda._core.channels.broker`), sentence by sentence: messages."""

import asyncio

import pytest

from tests.contract.brokers import KEEP, LIMITS, Bed, Node, on_every_broker
from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import LONGEST_NAME, check_name

#: Bodies that something on the way might take for something else, and whether they are binary.
AWKWARD = {
    "empty": (b"", True),
    "empty text": (b'""', False),
    "null": (b"null", False),
    "every byte": (bytes(range(256)), True),
    "zeros": (b"\0" * 1000, True),
    "lines": (b"\r\n.\r\n\r\n", True),
    "quotes": (b"\"';--\\\\", True),
    "text": ('{"a":"grüße 😀\u2028","b":[1,2.5,null]}'.encode(), False),
    "looks like UTF-8": ("grüße".encode(), True),
    "is no UTF-8": (b"\xff\xfe\xc3(", True),
    "base64": (b"aGFsbG8=", True),
    "900 KB": (bytes(range(256)) * 3600, True),
    "long text": (b'"' + "ß".encode() * 100_000 + b'"', False),
}


def largest(node: Node) -> int:
    own = node.broker.promises.largest
    return LIMITS.channel_message_bytes if own is None else min(own, LIMITS.channel_message_bytes)


async def fence(publisher: Node, receiver: Node, topic: str) -> None:
    """Everything that `publisher` published to the topic before has come to `receiver` behind this."""
    before = len(receiver.bodies(topic))
    await publisher.publish(topic, b"fence")
    await receiver.until(lambda: b"fence" in receiver.bodies(topic)[before:], f"the fence on {topic}")


# ---- who gets a message


@on_every_broker
async def test_without_history_the_others_get_it_exactly_once(bed: Bed):
    a, b, c = await bed.nodes(3)
    topic = bed.topic()
    for node in (a, b, c):
        await node.broker.subscribe(topic)
    bodies = [b"%d" % number for number in range(100)]
    published = await asyncio.gather(*(a.publish(topic, body) for body in bodies))
    assert {(p.position, p.duplicate) for p in published} == {(NOWHERE, False)}
    for node in (b, c):
        await node.has(topic, *bodies)
    await c.publish(topic, b"end")
    for node in (a, b):
        await node.has(topic, b"end")
    assert a.bodies(topic) == [b"end"]
    assert sorted(b.bodies(topic)) == sorted([*bodies, b"end"])
    assert sorted(c.bodies(topic)) == sorted(bodies)
    assert {(m.origin, m.position) for m in c.messages} == {(a.node, NOWHERE)}


@on_every_broker
async def test_without_history_nobody_else_means_nobody(bed: Bed):
    (a,) = await bed.nodes(1)
    topic = bed.topic()
    await a.broker.subscribe(topic)
    for key in (None, "key"):
        published = await a.publish(topic, b"x", key=key)
        assert (published.position, published.duplicate) == (NOWHERE, False)
    if a.broker.promises.history:
        # Whatever came back to its publisher would have come before this.
        other = bed.topic()
        await a.broker.subscribe(other)
        await a.publish(other, b"y", KEEP)
        await a.has(other, b"y")
    assert a.bodies(topic) == []


@on_every_broker
async def test_with_history_everybody_has_the_same_order(bed: Bed):
    nodes = await bed.nodes(3, least=1)
    bed.needs(nodes[0], "history")
    topic = bed.topic()
    for node in nodes:
        await node.broker.subscribe(topic)

    async def publish_all(node: Node) -> list[Position]:
        name = node.node.encode()
        return [(await node.publish(topic, b"%s %d" % (name, n), KEEP)).position for n in range(40)]

    positions = await asyncio.gather(*(publish_all(node) for node in nodes))
    count = 40 * len(nodes)
    for node in nodes:
        await node.until(lambda node=node: len(node.messages) >= count)
        if not bed.kind.in_order:
            node.messages.sort(key=lambda message: message.position.offset)
        assert [m.position.offset for m in node.messages] == list(range(1, count + 1))
        assert [m.body for m in node.messages] == [m.body for m in nodes[0].messages]
    # What publishers were told is what subscribers have seen.
    seen = {(m.origin, m.body): m.position for m in nodes[0].messages}
    for node, told in zip(nodes, positions, strict=True):
        assert told == [seen[node.node, b"%s %d" % (node.node.encode(), n)] for n in range(40)]


@on_every_broker
async def test_concurrent_publishes_of_one_node_all_get_their_place(bed: Bed):
    a, *_ = nodes = await bed.nodes(2, least=1)
    bed.needs(a, "history")
    topic = bed.topic()
    for node in nodes:
        await node.broker.subscribe(topic)
    published = await asyncio.gather(*(a.publish(topic, b"%d" % n, KEEP, f"k{n}") for n in range(100)))
    assert sorted(p.position.offset for p in published) == list(range(1, 101))
    for node in nodes:
        await node.until(lambda node=node: len(node.messages) >= 100)
        assert [m.position.offset for m in node.messages] == list(range(1, 101))
        assert {m.body: m.position for m in node.messages} == {
            b"%d" % n: p.position for n, p in enumerate(published)
        }


@on_every_broker
async def test_what_is_published_without_history_is_not_kept(bed: Bed):
    a, *_ = await bed.nodes(2, least=1)
    bed.needs(a, "history")
    topic = bed.topic()
    await a.publish(topic, b"carried")
    await a.publish(topic, b"kept", KEEP)
    history = await a.broker.history(topic, KEEP, None)
    assert [m.body for m in history.messages] == [b"kept"]


@on_every_broker
async def test_topics_are_apart(bed: Bed):
    a, *_ = nodes = await bed.nodes(2, least=1)
    other = nodes[-1]
    mine, theirs = bed.topic(), bed.topic()
    await other.broker.subscribe(mine)
    await a.publish(theirs, b"theirs", KEEP)
    await a.publish(mine, b"mine", KEEP)
    await other.has(mine, b"mine")
    assert other.bodies(theirs) == []


# ---- subscribing


@on_every_broker
async def test_a_subscription_counts_as_soon_as_it_returns(bed: Bed):
    a, b = await bed.nodes(2)
    for _ in range(30):
        topic = bed.topic()
        await b.broker.subscribe(topic)
        await a.publish(topic, b"x")
        await b.has(topic, b"x")


@on_every_broker
async def test_many_subscribe_at_once(bed: Bed):
    a, b = await bed.nodes(2)
    topics = [bed.topic() for _ in range(200)]
    await asyncio.gather(*(b.broker.subscribe(topic) for topic in topics))
    for topic in topics:
        await a.publish(topic, topic.encode())
    for topic in topics:
        await b.has(topic, topic.encode())
    assert len(b.messages) == len(topics)


@on_every_broker
async def test_an_ended_subscription_gets_nothing_more(bed: Bed):
    a, b = await bed.nodes(2)
    topic, other = bed.topic(), bed.topic()
    await b.broker.subscribe(topic)
    await b.broker.subscribe(other)
    await a.publish(topic, b"before")
    await b.has(topic, b"before")
    await b.broker.unsubscribe(topic)
    await fence(a, b, other)
    await a.publish(topic, b"after")
    if a.broker.promises.history:
        await a.publish(topic, b"kept", KEEP)
    await fence(a, b, other)
    assert b.bodies(topic) == [b"before"]
    await b.broker.subscribe(topic)
    await a.publish(topic, b"again")
    await b.has(topic, b"again")
    assert b.bodies(topic) == [b"before", b"again"]


# ---- what a message may be


@on_every_broker
async def test_bodies_come_as_they_were(bed: Bed):
    a, *_ = nodes = await bed.nodes(2, least=1)
    b = nodes[-1]
    for case, (body, binary) in AWKWARD.items():
        if len(body) > largest(a):
            continue
        topic = bed.topic()
        await b.broker.subscribe(topic)
        b.messages.clear()
        count = 0
        if b is not a:
            await a.publish(topic, body, binary=binary)
            count += 1
        if a.broker.promises.history:
            await a.publish(topic, body, KEEP, binary=binary)
            count += 1
        await b.until(lambda count=count: len(b.messages) == count, case)
        for message in b.messages:
            assert (message.body, message.binary, message.origin) == (body, binary, a.node), case
            assert type(message.body) is bytes
        if a.broker.promises.history:
            (kept,) = (await b.broker.history(topic, KEEP, None)).messages
            assert (kept.body, kept.binary, kept.topic) == (body, binary, topic), case
            assert kept.origin == a.node


@on_every_broker
async def test_the_largest_message_comes(bed: Bed):
    a, *_ = nodes = await bed.nodes(2, least=1)
    b = nodes[-1]
    topic = bed.topic("x" * 100)
    body = (b"0123456789abcdef" * (largest(a) // 16 + 1))[: largest(a)]
    await b.broker.subscribe(topic)
    if b is not a:
        await a.publish(topic, body)
        await b.until(lambda: len(b.messages) == 1)
        assert b.messages[0].body == body
    if a.broker.promises.history:
        await a.publish(topic, body, KEEP, "k" * 200)
        (kept,) = (await b.broker.history(topic, KEEP, None)).messages
        assert kept.body == body


@on_every_broker
async def test_every_name_of_a_topic_is_a_topic_of_its_own(bed: Bed):
    a, *_ = nodes = await bed.nodes(2, least=1)
    b = nodes[-1]
    unique = bed.topic("u")
    every = "AZaz09_.:/@+~-"
    pairs = [f"a{mark}b-{unique}" for mark in "_.:/@+~-"] + [f"A.b-{unique}", f"a.B-{unique}"]
    ends = [f"{mark}{unique}{mark}" for mark in "_.:/@+~-"] + [f"..{unique}..", f"//{unique}//"]
    escapes = [f"{unique}{text}" for text in ("_2e", "~2e", "-2e", "=2e".replace("=", "_"), ".2e", "2e")]
    # Long ones that differ at their ends alone.
    long = [unique + "x" * (LONGEST_NAME - len(unique) - 1) + end for end in "ab.:"]
    names = [check_name(name) for name in [every + unique, *pairs, *ends, *escapes, *long]]
    names = list(dict.fromkeys(names))
    history = a.broker.promises.history
    for name in names:
        await b.broker.subscribe(name)
    for name in names:
        await a.publish(name, name.encode(), KEEP if history else None)
    for name in names:
        if history or b is not a:
            await b.has(name, name.encode())
    assert all(m.body == m.topic.encode() for m in b.messages)
    if history:
        assert len(b.messages) == len(names)
        for name in names:
            kept = await b.broker.history(name, KEEP, None)
            assert [m.body for m in kept.messages] == [name.encode()]
            assert kept.top.offset == 1


# ---- life


@on_every_broker
async def test_a_closed_node_hears_nothing_and_the_others_go_on(bed: Bed):
    a, b, c = await bed.nodes(3)
    topic = bed.topic()
    for node in (a, b, c):
        await node.broker.subscribe(topic)
    await bed.close(b)
    await a.publish(topic, b"x")
    await c.has(topic, b"x")
    assert b.messages == []


@on_every_broker
async def test_what_was_published_before_closing_is_carried(bed: Bed):
    a, b = await bed.nodes(2)
    topic = bed.topic()
    await b.broker.subscribe(topic)
    for number in range(20):
        await a.publish(topic, b"%d" % number)
    await bed.close(a)
    await b.has(topic, *(b"%d" % number for number in range(20)))


@on_every_broker
async def test_where_there_is_no_server_start_says_so_in_time(bed: Bed):
    await bed.relay.down()
    limits = Limits(broker_timeout=0.5)
    broker = bed.broker(limits)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(BrokerUnavailable):
        await broker.start(Node("nobody", broker))
    assert loop.time() - begun < 5
    await broker.close()
