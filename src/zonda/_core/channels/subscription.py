"""A topic as an asynchronous iterator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from .errors import SlowSubscriber
from .message import Event, Member
from .position import NOWHERE, Position
from .queue import Lanes
from .subscriber import Beginning, Subscriber
from .topic import Topic


class Attaches(Protocol):
    """What a subscription needs of its hub."""

    async def attach(
        self, topic: str, subscriber: Subscriber, since: Position | None = None, watch: bool = False
    ) -> None: ...
    def detach(self, topic: str, subscriber: Subscriber) -> None: ...


class Subscription:
    """What `Hub.subscribe` returns; begins when it is first iterated, or entered with `async with`.

    Leaving the block, or the loop, ends it.
    """

    def __init__(
        self, hub: Attaches, name: str, topic: Topic, since: Position | None, presence: bool
    ) -> None:
        self.topic = name
        #: The newest position that was given; at first the one that was asked for.
        self.position = since or NOWHERE
        #: Whether all behind the position that was asked for has been given; None: none was, or it has not
        #: begun.
        self.recovered: bool | None = None
        #: Who was here when it began, where presence was asked for.
        self.members: list[Member] | None = None
        self._hub = hub
        self._declared = topic
        self._since = since
        self._presence = presence
        self._waiting = Lanes()
        self._begun = False
        self._ended = False
        self._overflowed = False
        self._wakeup: asyncio.Future[None] | None = None

    async def __aenter__(self) -> "Subscription":
        await self._begin()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        # A generator: leaving the loop early closes it, and so the subscription.
        try:
            await self._begin()
            while True:
                while self._waiting:
                    event = self._waiting.take()
                    self.position = getattr(event, "position", self.position)
                    yield event
                if self._overflowed:
                    raise SlowSubscriber(
                        f"more than {self._declared.queue_bytes} bytes of topic {self.topic} waited;"
                        " subscribe again with `since` to go on"
                    )
                if self._ended:
                    return
                self._wakeup = asyncio.get_running_loop().create_future()
                await self._wakeup
        finally:
            self.close()

    def close(self) -> None:
        """Ends it: what has not been taken yet is dropped."""
        if not self._ended:
            self._hub.detach(self.topic, self)
            self._waiting.clear()
            self.ended()

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            await self._hub.attach(self.topic, self, self._since, self._presence)

    # ---- what the hub calls (`subscriber.Subscriber`)

    def begin(self, beginning: Beginning) -> None:
        self.recovered = beginning.recovered
        self.members = beginning.members
        if not beginning.missed:
            self.position = beginning.position
        for message in beginning.missed:
            self._waiting.push(message, self._declared)
        self._wake()

    def deliver(self, event: Event) -> None:
        if not self._waiting.put(event, self._declared):
            self._overflowed = True
            self._hub.detach(self.topic, self)
        self._wake()

    def ended(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        wakeup = self._wakeup
        if wakeup is not None and not wakeup.done():
            wakeup.set_result(None)
