"""Brokers started for a test, and brokers that do not start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.contract.brokers import Node
from zonda._core.channels.broker import Broker
from zonda._core.channels.errors import BrokerUnavailable

SECONDS = 20


@asynccontextmanager
async def started(*brokers: Broker) -> AsyncIterator[list[Node]]:
    made = [Node(f"n{number}", broker) for number, broker in enumerate(brokers)]
    running: list[Node] = []
    try:
        for node in made:
            await node.broker.start(node)
            running.append(node)
        yield made
    finally:
        for node in running:
            await node.broker.close()


async def refusal(broker: Broker) -> str:
    """Why a broker does not start."""
    with pytest.raises(BrokerUnavailable) as caught:
        async with asyncio.timeout(SECONDS):
            await broker.start(Node("n", broker))
    await broker.close()
    return str(caught.value)
