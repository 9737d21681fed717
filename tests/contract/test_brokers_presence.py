"""What every broker promises (`zonda._core.channels.broker`): presence."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.contract.brokers import SECONDS, Bed, Node, on_every_broker
from zonda._core.base.limits import Limits
from zonda._core.channels.message import Member

INFOS: list[Any] = [
    None,
    False,
    17.5,
    "grüße 😀 \u2028 '\"\\ \0",
    {"name": "Ada", "roles": ["a", {"b": [None, True, 1]}], "": ""},
    "x" * 30_000,
]
CLIENTS = ["ada", "A-z_09" + "x" * 58, "a:b/c d*'\"{}|,=\n😀"]


def keys(members: Iterable[Member]) -> list[tuple[str, str, str]]:
    """In an order that can be compared."""
    return sorted((m.client, m.node, json.dumps(m.info)) for m in members)


async def present(bed: Bed, count: int = 3, limits: Limits | None = None) -> tuple[list[Node], str]:
    """Nodes that are subscribed to a topic."""
    nodes = await bed.nodes(count, limits or Limits(broker_timeout=5.0), least=1)
    bed.needs(nodes[0], "presence")
    return nodes, await subscribed(bed, nodes)


async def subscribed(bed: Bed, nodes: list[Node]) -> str:
    """A topic that these are subscribed to."""
    topic = bed.topic()
    for node in nodes:
        await node.broker.subscribe(topic)
    return topic


async def all_have(nodes: Iterable[Node], topic: str, *members: Member) -> None:
    for node in nodes:
        assert keys(await node.broker.members(topic)) == keys(members)


async def all_hear(nodes: Iterable[Node], topic: str, *events: tuple[bool, Member]) -> None:
    """Exactly these, in this order."""
    for node in nodes:
        await node.until(lambda node=node: len(node.events(topic)) >= len(events), f"{events}")
        assert node.events(topic) == list(events)


@on_every_broker
async def test_who_comes_and_goes_is_recorded_and_told_to_all(bed: Bed):
    nodes, topic = await present(bed)
    a = nodes[0]
    ada, bob = a.member("ada", {"name": "Ada"}), nodes[-1].member("bob")
    await all_have(nodes, topic)
    await a.broker.join(topic, ada)
    await all_have(nodes, topic, ada)
    await all_hear(nodes, topic, (True, ada))
    await nodes[-1].broker.join(topic, bob)
    await all_have(nodes, topic, ada, bob)
    await all_hear(nodes, topic, (True, ada), (True, bob))
    await a.broker.leave(topic, ada)
    await all_have(nodes, topic, bob)
    await all_hear(nodes, topic, (True, ada), (True, bob), (False, ada))


@on_every_broker
async def test_infos_come_as_they_were(bed: Bed):
    nodes, _ = await present(bed, 2)
    for info in INFOS:
        topic = await subscribed(bed, nodes)
        member = nodes[0].member("ada", info)
        await nodes[0].broker.join(topic, member)
        await all_hear(nodes, topic, (True, member))
        await all_have(nodes, topic, member)
        ((_, heard),) = nodes[-1].events(topic)
        assert type(heard.info) is type(info)


@on_every_broker
async def test_clients_come_as_they_were(bed: Bed):
    nodes, _ = await present(bed, 2)
    for client in CLIENTS:
        topic = await subscribed(bed, nodes)
        member = nodes[0].member(client)
        await nodes[0].broker.join(topic, member)
        await all_have(nodes, topic, member)
        await nodes[0].broker.leave(topic, member)
        await all_hear(nodes, topic, (True, member), (False, member))
        await all_have(nodes, topic)


@on_every_broker
async def test_joining_again_replaces_the_info(bed: Bed):
    nodes, topic = await present(bed)
    a = nodes[0]
    first, second = a.member("ada", 1), a.member("ada", 2)
    await a.broker.join(topic, first)
    await a.broker.join(topic, second)
    await all_have(nodes, topic, second)
    await all_hear(nodes, topic, (True, first), (True, second))
    await a.broker.leave(topic, second)
    await all_have(nodes, topic)


@on_every_broker
async def test_leaving_twice_is_told_once(bed: Bed):
    nodes, topic = await present(bed)
    a = nodes[0]
    ada, bob = a.member("ada"), a.member("bob")
    await a.broker.leave(topic, bob)
    await a.broker.join(topic, ada)
    await a.broker.leave(topic, ada)
    await a.broker.leave(topic, ada)
    await a.broker.join(topic, bob)
    await all_hear(nodes, topic, (True, ada), (False, ada), (True, bob))


@on_every_broker
async def test_a_client_on_two_nodes_is_there_twice(bed: Bed):
    nodes, topic = await present(bed)
    if len(nodes) < 2:
        pytest.skip(f"{bed.kind.name} has one node")
    here, there = nodes[0].member("ada", "here"), nodes[1].member("ada", "there")
    await nodes[0].broker.join(topic, here)
    await nodes[1].broker.join(topic, there)
    await all_have(nodes, topic, here, there)
    await nodes[0].broker.leave(topic, here)
    await all_have(nodes, topic, there)
    await all_hear(nodes, topic, (True, here), (True, there), (False, here))


@on_every_broker
async def test_only_subscribed_nodes_are_told(bed: Bed):
    nodes, topic = await present(bed)
    a, last = nodes[0], nodes[-1]
    other = bed.topic()
    await last.broker.unsubscribe(topic)
    ada, bob = a.member("ada"), a.member("bob")
    await a.broker.join(topic, ada)
    await a.broker.join(other, bob)
    await last.broker.subscribe(topic)
    await a.broker.leave(topic, ada)
    await all_hear([last], topic, (False, ada))
    assert [event for node in nodes for event in node.events(other)] == []
    await all_have(nodes, other, bob)


@on_every_broker
async def test_many_at_once(bed: Bed):
    nodes, topic = await present(bed)
    members = [node.member(f"c{n}", n) for node in nodes for n in range(50)]
    by_name = {node.node: node for node in nodes}
    await asyncio.gather(*(by_name[m.node].broker.join(topic, m) for m in members))
    await all_have(nodes, topic, *members)
    for node in nodes:
        await node.until(lambda node=node: len(node.events(topic)) == len(members))
    await asyncio.gather(*(by_name[m.node].broker.leave(topic, m) for m in members))
    await all_have(nodes, topic)
    for node in nodes:
        await node.until(lambda node=node: len(node.events(topic)) == 2 * len(members))
        assert keys(m for joined, m in node.events(topic) if not joined) == keys(members)


# ---- nodes that are gone


@on_every_broker
async def test_a_forgotten_node_has_no_records_and_all_are_told(bed: Bed):
    nodes, topic = await present(bed)
    other = bed.topic()
    for node in nodes:
        await node.broker.subscribe(other)
    # The record of a node that has died without a word: made by somebody in its place.
    ghost = f"ghost-{bed.topic()}"
    await nodes[0].broker.join(topic, Member("gone", None, ghost))
    await nodes[0].broker.join(other, Member("gone", None, ghost))
    stays = nodes[0].member("stays")
    await nodes[0].broker.join(topic, stays)
    await nodes[-1].broker.forget_node(ghost)
    await all_have(nodes, topic, stays)
    await all_have(nodes, other)
    for node in nodes:
        await node.until(lambda node=node: ghost in node.gone, "node_gone")
        assert node.gone == [ghost]


@on_every_broker
async def test_forgetting_a_node_without_records_is_harmless(bed: Bed):
    nodes, topic = await present(bed, 2)
    ada = nodes[0].member("ada")
    await nodes[0].broker.join(topic, ada)
    await nodes[0].broker.forget_node("nobody")
    await all_have(nodes, topic, ada)


@on_every_broker
async def test_closing_takes_a_nodes_records_away(bed: Bed):
    a, b, c = await bed.nodes(3)
    bed.needs(a, "presence")
    topic, other = bed.topic(), bed.topic()
    for node in (a, b, c):
        await node.broker.subscribe(topic)
    ada, bob = a.member("ada"), b.member("bob")
    await a.broker.join(topic, ada)
    await a.broker.join(other, ada)
    await b.broker.join(topic, bob)
    await all_hear([b, c], topic, (True, ada), (True, bob))
    await bed.close(a)
    for node in (b, c):
        await node.until(lambda node=node: a.node in node.gone or (False, ada) in node.events(topic))
    await all_have([b, c], topic, bob)
    await all_have([b, c], other)


@on_every_broker
async def test_a_node_that_says_nothing_is_no_longer_among_the_members(bed: Bed):
    limits = Limits(broker_timeout=5.0, presence_timeout=1.0)
    a, b, c = await bed.nodes(3, limits)
    bed.needs(a, "presence")
    bed.expect_losses()  # a broker may cut a silent node off
    topic = bed.topic()
    await a.broker.join(topic, a.member("silent"))
    await b.broker.join(topic, b.member("alive"))
    await c.broker.join(topic, c.member("alive"))
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SECONDS
    while True:
        await b.broker.heartbeat()
        await c.broker.heartbeat()
        for node in (b, c):
            found = keys(await node.broker.members(topic))
            alive = [("alive", b.node, "null"), ("alive", c.node, "null")]
            assert [key for key in found if key[0] == "alive"] == sorted(alive)
        if len(found) == 2:
            break
        assert loop.time() < deadline, "the silent node is still there"
        await asyncio.sleep(0.1)
    # Whoever comes back is there again.
    await a.until(lambda: True)
    await a.broker.join(topic, a.member("silent"))
    await a.broker.heartbeat()
    assert len(await b.broker.members(topic)) == 3


@on_every_broker
async def test_a_heartbeat_alone_keeps_records(bed: Bed):
    limits = Limits(broker_timeout=5.0, presence_timeout=0.9)
    (a,) = await bed.nodes(1, limits)
    bed.needs(a, "presence")
    topic = bed.topic()
    await a.broker.join(topic, a.member("ada"))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() - begun < 1.2:
        await a.broker.heartbeat()
        assert len(await a.broker.members(topic)) == 1
        await asyncio.sleep(0.2)
