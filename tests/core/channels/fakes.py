"""A broker whose every answer is in the test's hands, and a subscriber that remembers."""

import asyncio
from collections.abc import Callable

from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Event, Gap, Member, Message
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.subscriber import Beginning
from zonda._core.channels.topic import Retention


class FakeBroker(Broker):
    """Keeps what is published and carries nothing by itself: `live()` does, `say()` makes up messages."""

    promises = Promises(reach="machines", durable=True)

    def __init__(self) -> None:
        self.receiver: Receiver | None = None
        self.log: list[str] = []
        self.subscribed: set[str] = set()
        self.epoch = "a"
        self.offset = 0
        self.kept: list[Message] = []
        self.records: list[Member] = []
        self.down = False
        #: Where it is set, `history` and `members` wait for it.
        self.gate: asyncio.Event | None = None
        self.carried: list[tuple[str, bytes]] = []

    async def _asked(self, what: str) -> None:
        self.log.append(what)
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise BrokerUnavailable("the fake is down")

    async def start(self, receiver: Receiver) -> None:
        await self._asked("start")
        self.receiver = receiver

    async def close(self) -> None:
        self.log.append("close")

    async def subscribe(self, topic: str) -> None:
        await self._asked(f"subscribe {topic}")
        self.subscribed.add(topic)

    async def unsubscribe(self, topic: str) -> None:
        self.log.append(f"unsubscribe {topic}")
        self.subscribed.discard(topic)

    def keep(self, text: str, topic: str = "kept") -> Message:
        """A message gets its place in the history, and is not delivered."""
        self.offset += 1
        message = Message(topic, f'"{text}"'.encode(), False, Position(self.epoch, self.offset), "other")
        self.kept.append(message)
        return message

    def live(self, message: Message) -> None:
        assert self.receiver is not None
        self.receiver.received(message)

    def say(self, text: str, topic: str = "kept") -> Message:
        message = self.keep(text, topic)
        self.live(message)
        return message

    def lose_state(self) -> None:
        self.epoch = chr(ord(self.epoch) + 1)
        self.offset = 0
        self.kept.clear()

    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        self.carried.append((topic, body))
        if retention is None:
            return Published(NOWHERE, key == "=again")
        self.offset += 1
        message = Message(topic, body, binary, Position(self.epoch, self.offset), "us")
        self.kept.append(message)
        self.live(message)
        return Published(message.position)

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        # As it is when it is asked; the answer may come later.
        top = Position(self.epoch, self.offset)
        kept = list(self.kept)
        await self._asked(f"history {since}")
        if since is None:
            return History(kept[len(kept) - most :] if most else [], top)
        oldest = kept[0].position.offset if kept else top.offset + 1
        if since.epoch != top.epoch or not oldest - 1 <= since.offset <= top.offset:
            return History([], top, False)
        return History([m for m in kept if m.position.offset > since.offset], top)

    async def join(self, topic: str, member: Member) -> None:
        await self._asked(f"join {member.client}")
        self.records = [*(m for m in self.records if m.client != member.client), member]

    async def leave(self, topic: str, member: Member) -> None:
        await self._asked(f"leave {member.client}")
        self.records = [m for m in self.records if m.client != member.client]

    async def members(self, topic: str) -> list[Member]:
        records = list(self.records)
        await self._asked("members")
        return records

    async def forget_node(self, node: str) -> None:
        self.log.append(f"forget {node}")

    async def heartbeat(self) -> None:
        self.log.append("heartbeat")


class Remembering:
    """A subscriber that writes down what it is told, in short words."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.beginning: Beginning | None = None
        self.on_event: Callable[[Event], None] | None = None

    def begin(self, beginning: Beginning) -> None:
        self.beginning = beginning
        self.told.append(f"begin {beginning.position} {beginning.recovered}".rstrip())
        self.told += [message.data for message in beginning.missed]

    def deliver(self, event: Event) -> None:
        if isinstance(event, Message):
            self.told.append(event.data)
        elif isinstance(event, Gap):
            self.told.append(f"gap {event.position} {event.recovered}")
        else:
            self.told.append(f"{type(event).__name__.lower()} {event.member.client}")
        if self.on_event is not None:
            self.on_event(event)

    def ended(self) -> None:
        self.told.append("ended")


async def settled(turns: int = 20) -> None:
    """Lets everything that waits for nothing but its turn run."""
    for _ in range(turns):
        await asyncio.sleep(0)
