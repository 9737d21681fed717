"""The broker of one process: there is nobody else to carry messages to, so it only keeps and orders."""

from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.message import Member
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

from .memory import Memory


class LocalBroker(Broker):
    """`local://`; each one is alone, also beside others in the same process."""

    promises = Promises(reach="process")

    def __init__(self, url: str, limits: Limits) -> None:
        self._memory = Memory(limits)
        self._subscribed: set[str] = set()
        self._receiver: Receiver

    async def start(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def close(self) -> None:
        self._memory.forget_node(self._receiver.node)
        self._subscribed.clear()

    async def subscribe(self, topic: str) -> None:
        self._subscribed.add(topic)

    async def unsubscribe(self, topic: str) -> None:
        self._subscribed.discard(topic)

    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        if retention is None and key is None:
            return Published(NOWHERE)
        origin = self._receiver.node
        published, message = self._memory.publish(topic, body, binary, origin, retention, key)
        if retention is not None and message is not None and topic in self._subscribed:
            self._receiver.received(message)
        return published

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        return self._memory.history(topic, since, most)

    async def join(self, topic: str, member: Member) -> None:
        forgotten = self._memory.join(topic, member)
        self._tell(topic, True, member)
        for other, gone in forgotten:
            self._tell(other, False, gone)

    async def leave(self, topic: str, member: Member) -> None:
        gone = self._memory.leave(topic, member.client, member.node)
        if gone is not None:
            self._tell(topic, False, gone)

    def _tell(self, topic: str, joined: bool, member: Member) -> None:
        if topic in self._subscribed:
            self._receiver.presence_changed(topic, joined, member)

    async def members(self, topic: str) -> list[Member]:
        return self._memory.members(topic)

    async def forget_node(self, node: str) -> None:
        self._memory.forget_node(node)
        self._receiver.node_gone(node)

    async def heartbeat(self) -> None:
        """Nobody else has to know."""
