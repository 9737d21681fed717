"""Topics over NATS: `nats://` and `tls://`, several servers of a cluster with commas between them.

What has no history goes over NATS alone (`nats_link`: the connection, made anew whenever it is lost); with
one, JetStream keeps a stream in files for each topic (`nats_streams`), which stays until somebody removes it
(`nats stream rm`): for thousands of topics, not for millions.  A stream that was lost is another epoch.
Presence needs no JetStream (`nats_presence`).  NATS 2.9 is needed.

`?prefix=` in the URL begins the name of every subject and stream (default: "zonda"), `?replicas=` is the
number of servers that keep a history (default: 1).

A server confirms what it has written, not what its disk has: a machine that loses its power may lose the last
messages and not know it, unless there are replicas.  Keys of topics without history are forgotten when the
server starts again.  With a `ttl` below `Limits.idempotency_ttl` messages
older than it are told by their dates: the clocks of machines have to agree.
"""

import re
import secrets
from urllib.parse import parse_qsl, urlsplit

from nats.aio.msg import Msg

from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Member
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

from .envelope import pack, unpack, unpack_change
from .nats_link import Link
from .nats_presence import Presence
from .nats_streams import Names, Streams

#: What the server's bound on a message leaves to line and headers.
_OVERHEAD = 1024


class NatsBroker(Broker):
    """Carries messages over the subjects of topics."""

    # Whether there is JetStream is known once the server was asked.
    promises = Promises(reach="machines", durable=True)

    def __init__(self, url: str, limits: Limits) -> None:
        options = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        prefix = options.pop("prefix", "zonda")
        replicas = options.pop("replicas", "1")
        if options or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", prefix) or not re.fullmatch("[1-5]", replicas):
            raise ValueError(
                f"?{urlsplit(url).query} in the URL of NATS: prefix=NAME (letters, digits, _ and -)"
                " and replicas=1 to 5 are known"
            )
        self._limits = limits
        self._names = Names(prefix)
        self._link = Link(url, limits, self._resumed)
        self._streams = Streams(self._link, self._names, limits, int(replicas))
        self._presence = Presence(self._link, self._names, limits)
        self._subscribed: set[str] = set()
        self._receiver: Receiver | None = None

    # ---- life

    async def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        try:
            await self._link.start()
            kept = await self._streams.available()
            await self._presence.start(receiver)
        except BaseException:
            await self._link.close()
            raise
        self.promises = Promises(
            reach="machines",
            history=kept,
            durable=kept,
            keys_without_history=kept,
            largest=self._link.max_payload - _OVERHEAD,
        )

    async def close(self) -> None:
        try:
            await self._presence.close()
        finally:
            await self._streams.close()
            await self._link.close()

    def _resumed(self) -> None:
        self._presence.resumed()
        assert self._receiver is not None
        self._receiver.resumed()

    # ---- messages

    async def subscribe(self, topic: str) -> None:
        async def told(message: Msg) -> None:
            self._told(topic, message)

        await self._link.subscribe(self._names.live(topic), told)
        self._subscribed.add(topic)

    async def unsubscribe(self, topic: str) -> None:
        self._subscribed.discard(topic)
        self._presence.forget_topic(topic)
        await self._link.unsubscribe(self._names.live(topic))

    def _told(self, topic: str, packed: Msg) -> None:
        receiver = self._receiver
        assert receiver is not None
        change = unpack_change(packed.data)
        if change is not None:
            receiver.presence_changed(topic, *change)
            return
        position = NOWHERE if packed.headers is None else self._names.position(packed.headers)
        message = unpack(topic, packed.data, position)
        if message is not None and (position.epoch or message.origin != receiver.node):
            receiver.received(message)

    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        assert self._receiver is not None
        self.promises.check_size(body, self._link.name)
        packed = pack(self._receiver.node, binary, body)
        if retention is not None:
            self._needs_jetstream("a history")
            return await self._streams.publish(topic, packed, retention, key or secrets.token_urlsafe(12))
        if key is not None:
            self._needs_jetstream("a key")
            return await self._streams.publish_once(topic, packed, key)
        await self._link.in_time(lambda: self._link.publish(self._names.live(topic), packed), again=False)
        return Published(NOWHERE)

    def _needs_jetstream(self, what: str) -> None:
        if not self.promises.history:
            raise BrokerUnavailable(f"{self._link.name} has no JetStream, which {what} needs")

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        self._needs_jetstream("a history")
        return await self._streams.history(topic, retention, since, most)

    # ---- presence

    async def join(self, topic: str, member: Member) -> None:
        await self._presence.join(topic, member)

    async def leave(self, topic: str, member: Member) -> None:
        await self._presence.leave(topic, member)

    async def members(self, topic: str) -> list[Member]:
        return await self._presence.members(topic, topic in self._subscribed)

    async def forget_node(self, node: str) -> None:
        await self._presence.forget(node)

    async def heartbeat(self) -> None:
        await self._presence.heartbeat()
