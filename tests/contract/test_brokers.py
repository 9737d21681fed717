"""What every broker promises (`zonda._core.channels.broker`), sentence by sentence."""

import asyncio

from tests.contract.brokers import KEEP, Bed, on_every_broker


@on_every_broker
async def test_without_history_the_others_get_it_exactly_once(bed: Bed):
    a, b, c = await bed.nodes(3)
    topic = bed.topic()
    for node in (a, b, c):
        await node.broker.subscribe(topic)
    bodies = [b"%d" % number for number in range(100)]
    published = await asyncio.gather(*(a.publish(topic, body) for body in bodies))
    assert {(str(p.position), p.duplicate) for p in published} == {("", False)}
    for node in (b, c):
        await node.has(topic, *bodies)
    await c.publish(topic, b"end")
    for node in (a, b):
        await node.has(topic, b"end")
    assert a.bodies(topic) == [b"end"]
    assert sorted(b.bodies(topic)) == sorted([*bodies, b"end"])
    assert sorted(c.bodies(topic)) == sorted(bodies)
    assert {m.origin for m in c.messages} == {a.node}


@on_every_broker
async def test_with_history_everybody_has_the_same_order(bed: Bed):
    nodes = await bed.nodes(3, least=1)
    topic = bed.topic()
    for node in nodes:
        await node.broker.subscribe(topic)

    async def publish_all(node):
        return [
            (await node.publish(topic, b"%s %d" % (node.node.encode(), n), KEEP)).position for n in range(40)
        ]

    positions = await asyncio.gather(*(publish_all(node) for node in nodes))
    count = 40 * len(nodes)
    for node in nodes:
        await node.until(lambda node=node: len(node.messages) >= count)
        assert [m.position.offset for m in node.messages] == list(range(1, count + 1))
        assert [m.body for m in node.messages] == [m.body for m in nodes[0].messages]
    assert sorted(p for each in positions for p in each) == [m.position for m in nodes[0].messages]
