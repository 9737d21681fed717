"""Publishes to a topic in one process, subscribes in another; `live/*` has no history, `kept/*` 100."""

import asyncio
import sys

from roles import Arrivals, publish_all

import zonda
from zonda.channels import Hub, Topic


async def subscribe(hub: Hub, topic: str) -> None:
    arrived = Arrivals()

    async def take() -> None:
        async for message in subscription:
            arrived(message.data)

    async with hub.subscribe(topic) as subscription, asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(take())
        await arrived.count()
        taking.cancel()


async def main() -> None:
    role, url, topic = sys.argv[1:]
    hub = Hub(url, [Topic("live/*"), Topic("kept/*", history=100)])
    await hub.start()
    try:
        if role == "publish":
            await publish_all(lambda data: hub.publish(topic, data))
        else:
            await subscribe(hub, topic)
    finally:
        await asyncio.shield(hub.close())


if __name__ == "__main__":
    zonda.run(main)
