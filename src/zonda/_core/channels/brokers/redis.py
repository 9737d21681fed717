"""Topics over Redis 7, or Valkey: `redis://` and `rediss://`, with the options that the library redis knows.

`?prefix=` in the URL goes before the name of every key and channel (default: "zonda:"); messages stay within
the number of a database, though Redis' own pub/sub does not.  Scripts do each thing in one step
(`redis_scripts`); commands share two connections (`redis_link`), and a third tells what was published
(`redis_listener`).

History outlives the server's process where it writes a file of all commands (`appendonly yes`).  Elsewhere
a restart is another epoch, also if it brought a snapshot back: that is older than what was confirmed.  With
`appendfsync everysec` a machine that loses its power may lose the last second and not know it.
"""

import json
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis import exceptions as faults
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Member
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

from . import redis_scripts as scripts
from .envelope import KINDS, pack, pack_change, unpack, unpack_change
from .redis_link import Link
from .redis_listener import Listener

#: Seconds for which the epoch of a topic that nobody uses stays, behind its last message.
_EPOCH_STAYS = 7 * 86400
#: What the server's bounds leave to keys, header and protocol.
_OVERHEAD = 65536
#: Redis' own bounds, where it does not let us ask: of a word, and of what waits for a subscriber.
_BULK, _OUTPUT = 512 << 20, 32 << 20


class RedisBroker(Broker):
    """Carries messages with pub/sub, keeps history in lists and presence in hashes."""

    # Whether history outlives the server is known once it was asked.
    promises = Promises(reach="machines", durable=True)

    def __init__(self, url: str, limits: Limits) -> None:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        prefix = query.pop("prefix", "zonda:")
        # Ours whatever the URL says: bytes as they are, no word that was not asked for, and no tries and
        # time-outs but the broker's.
        settings: dict[str, Any] = {
            "protocol": 2,
            "decode_responses": False,
            "socket_timeout": None,
            "socket_connect_timeout": limits.broker_timeout,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "retry_on_timeout": False,
            "health_check_interval": 0,
        }
        options = urlencode([(name, value) for name, value in query.items() if name not in settings])
        self._pool = ConnectionPool.from_url(parts._replace(query=options).geturl(), **settings)
        where = self._pool.connection_kwargs
        database = where.get("db", 0)
        self._where = f"Redis at {where.get('host', 'localhost')}:{where.get('port', 6379)}/{database}"
        self._limits = limits
        self._prefix = prefix
        self._channels = f"{prefix}{database}:"
        self._gone = f"{self._channels}gone"
        self._presence = [f"{prefix}{{presence}}:"]
        # A long history on its way does not hold publishes up.
        self._publishing = Link(self._where, self._make, limits)
        self._asking = Link(self._where, self._make, limits)
        self._listener = Listener(self._where, self._make, limits, self._told, self._resumed)
        self._topics: dict[bytes, str] = {}
        self._receiver: Receiver | None = None
        #: The server knows this node as alive.
        self._known = False

    def _make(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()
        return connection

    # ---- life

    async def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        try:
            await self._asking.connect()
            largest = await self._largest()
            await self._publishing.connect()
            await self._listener.start()
        except (faults.RedisError, OSError, TimeoutError) as error:
            await self._disconnect()
            said = str(error) or f"no answer within {self._limits.broker_timeout:g} seconds"
            raise BrokerUnavailable(f"{self._where}: {said}") from error
        except BaseException:
            await self._disconnect()
            raise
        try:
            await self._listener.subscribe(self._gone.encode())
        except BaseException:
            await self._disconnect()
            raise
        self.promises = Promises(reach="machines", durable=self._asking.durable, largest=largest)

    async def _largest(self) -> int:
        """Bytes of a message that the server takes, and hands on."""
        bulk, output = _BULK, _OUTPUT
        try:
            answer = await self._asking.command(
                "CONFIG", "GET", "proto-max-bulk-len", "client-output-buffer-limit"
            )
        except faults.ResponseError:
            answer = []  # not everybody may ask, and not every service lets
        for name, value in zip(answer[::2], answer[1::2], strict=True):
            if name == b"proto-max-bulk-len":
                bulk = int(value)
            else:
                words = value.split()
                output = int(words[words.index(b"pubsub") + 1]) or bulk
        return max(min(bulk, output) - _OVERHEAD, 0)

    async def close(self) -> None:
        try:
            if self._known and self._receiver is not None:
                await self.forget_node(self._receiver.node)
        except BrokerUnavailable:
            pass  # the records end by themselves
        finally:
            await self._disconnect()

    async def _disconnect(self) -> None:
        await self._listener.close()
        await self._publishing.close()
        await self._asking.close()

    def _resumed(self) -> None:
        self._known = False
        assert self._receiver is not None
        self._receiver.resumed()

    # ---- messages

    def _channel(self, topic: str) -> str:
        return f"{self._channels}topic:{topic}"

    def _key(self, topic: str, name: str) -> str:
        return f"{self._prefix}{{{topic}}}:{name}"

    async def subscribe(self, topic: str) -> None:
        channel = self._channel(topic).encode()
        self._topics[channel] = topic
        await self._listener.subscribe(channel)

    async def unsubscribe(self, topic: str) -> None:
        channel = self._channel(topic).encode()
        self._topics.pop(channel, None)
        await self._listener.unsubscribe(channel)

    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        assert self._receiver is not None
        self.promises.check_size(body, self._where)
        node = self._receiver.node
        channel = self._channel(topic)
        if retention is None:
            packed = pack(node, binary, body)
            if key is None:
                await self._publishing.publish(channel, packed)
                return Published(NOWHERE)
            # Not tried again: whether it was the first try that published it, or somebody before, could
            # not be told.
            known = await self._publishing.script(
                scripts.PUBLISH_ONCE,
                [self._key(topic, f"key:{key}")],
                _milliseconds(self._limits.idempotency_ttl),
                channel,
                packed,
                again=False,
            )
            return Published(NOWHERE, bool(known))
        if key is None:
            key = secrets.token_urlsafe(12)  # for another try
        epoch, offset, known = await self._publishing.topic_script(
            scripts.PUBLISH,
            [self._key(topic, "meta"), self._key(topic, "kept"), self._key(topic, f"key:{key}")],
            *self._kept(retention),
            _milliseconds(self._key_stays(key)),
            channel,
            f"{node} {KINDS[binary]}",
            body,
        )
        return Published(Position(epoch.decode(), offset), bool(known))

    def _key_stays(self, key: str) -> float:
        """Seconds.  The hub's own keys serve tries of the same publish: they need not fill the memory."""
        stays = self._limits.idempotency_ttl
        return stays if key.startswith("=") else min(stays, 2 * self._limits.broker_timeout)

    def _kept(self, retention: Retention) -> tuple[str | int, ...]:
        """What the scripts on a topic's history begin with."""
        stays = retention.ttl + _EPOCH_STAYS
        return (
            secrets.token_urlsafe(9),
            retention.size,
            _milliseconds(retention.ttl),
            _milliseconds(stays),
        )

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        asked = since or NOWHERE
        epoch, top, recovered, entries = await self._asking.topic_script(
            scripts.HISTORY,
            [self._key(topic, "meta"), self._key(topic, "kept")],
            *self._kept(retention),
            asked.epoch,
            asked.offset,
            -1 if most is None else most,
        )
        messages = [message for entry in entries if (message := unpack(topic, entry)) is not None]
        return History(messages, Position(epoch.decode(), top), bool(recovered))

    def _told(self, channel: bytes, payload: bytes) -> None:
        receiver = self._receiver
        assert receiver is not None
        topic = self._topics.get(channel)
        if topic is None:
            if channel == self._gone.encode():
                receiver.node_gone(payload.decode(errors="replace"))
            return
        message = unpack(topic, payload)
        if message is not None:
            if message.position.epoch or message.origin != receiver.node:
                receiver.received(message)
            return
        change = unpack_change(payload)
        if change is not None:
            receiver.presence_changed(topic, *change)

    # ---- presence

    async def join(self, topic: str, member: Member) -> None:
        info = json.dumps(member.info)
        self._recognise(
            await self._asking.script(
                scripts.JOIN,
                self._presence,
                member.node,
                topic,
                member.client,
                info,
                _milliseconds(self._limits.presence_timeout),
                self._channel(topic),
                pack_change(True, member),
            )
        )

    async def leave(self, topic: str, member: Member) -> None:
        await self._asking.script(
            scripts.LEAVE,
            self._presence,
            member.node,
            topic,
            member.client,
            self._channel(topic),
            pack_change(False, member),
        )

    async def members(self, topic: str) -> list[Member]:
        found = await self._asking.script(scripts.MEMBERS, self._presence, topic)
        return [
            Member(client.decode(), json.loads(info), node.decode())
            for node, records in zip(found[::2], found[1::2], strict=True)
            for client, info in zip(records[::2], records[1::2], strict=True)
        ]

    async def forget_node(self, node: str) -> None:
        await self._asking.script(scripts.FORGET, self._presence, node, self._gone)

    async def heartbeat(self) -> None:
        assert self._receiver is not None
        patience = _milliseconds(self._limits.presence_timeout)
        self._recognise(
            await self._asking.script(
                scripts.HEARTBEAT, self._presence, self._receiver.node, patience, self._gone
            )
        )

    def _recognise(self, new: int) -> None:
        """`new`: the server did not know this node.  If it once did, it has removed its records."""
        if new and self._known:
            self._resumed()
        self._known = True


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
