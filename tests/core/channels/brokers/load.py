"""Two hubs of one server, one of which publishes while the server is killed and comes back."""

import asyncio
from collections.abc import Callable
from typing import Any

from zonda._core.channels.broker import Broker
from zonda._core.channels.hub import Hub
from zonda._core.channels.message import Event, Gap
from zonda._core.channels.position import Position
from zonda._core.channels.topic import Topic

SECONDS = 30


async def kill_under_load(
    make: Callable[[], Broker], server: Any, count: int = 600
) -> tuple[list[Event], list[Position]]:
    """Publishes the numbers up to `count`, 8 at a time; what a subscriber of the other hub got until there
    were `count` or a gap, and where each was said to stand.
    """
    topics = [Topic("kept", history=10_000)]
    a, b = Hub(make(), topics), Hub(make(), topics)
    got: list[Event] = []
    begun, going = asyncio.Event(), asyncio.Event()
    numbers = iter(range(count))
    positions = []

    async def read() -> None:
        async with b.subscribe("kept") as subscription:
            begun.set()
            async for event in subscription:
                got.append(event)
                if len(got) >= 100:
                    going.set()
                if len(got) >= count or isinstance(event, Gap):
                    return

    async def publish() -> None:
        for number in numbers:
            positions.append(await a.publish("kept", number))
            await asyncio.sleep(0.005)

    try:
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            group.create_task(read())
            await begun.wait()
            publishing = [group.create_task(publish()) for _ in range(8)]
            await going.wait()
            assert not any(task.done() for task in publishing)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        return got, positions
    finally:
        await a.close()
        await b.close()


def nothing_lost_or_doubled(got: list[Event], positions: list[Position]) -> None:
    """What holds where history outlives the server."""
    assert not [event for event in got if isinstance(event, Gap)]
    assert sorted(event.data for event in got) == list(range(len(positions)))
    assert [event.position.offset for event in got] == list(range(1, len(positions) + 1))
    assert sorted(positions) == [event.position for event in got]
    assert len({position.epoch for position in positions}) == 1
