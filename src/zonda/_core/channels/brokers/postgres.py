"""The broker on PostgreSQL: LISTEN and NOTIFY, and tables for what has to be kept or is too large to notify.

Messages short enough travel in the notification; of others it only tells where they are, and who is
subscribed reads them (`postgres_listen`).  The tables and what is done in the database: `postgres_schema`.
"""

import asyncio
import json
import random
import secrets

from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Member, Message
from zonda._core.channels.position import Position
from zonda._core.channels.topic import Retention
from zonda.escape import json_decode

from .postgres_link import Commands, Server
from .postgres_listen import Inbox, Listener
from .postgres_publish import Publisher, channel_of

#: Rows of each kind removed at once.
_CLEANED = 1000


class PostgresBroker(Broker):
    """`url`: as libpq has it, "postgresql://user:password@host:5432/database"; its query may have `schema=`
    (default "zonda"; 1 to 40 small letters, digits and `_`): the schema of the tables, which are made if
    they are not there. Brokers of two schemas know nothing of each other.

    Needs PostgreSQL 13 or later, and connections of its own: a pooler that hands one connection to many
    (PgBouncer in transaction mode) cannot listen. A process takes up to four connections.

    Raises `ValueError` for a schema that is none.
    """

    promises = Promises(reach="machines", durable=True)

    def __init__(self, url: str, limits: Limits) -> None:
        self._limits = limits
        self._server = Server(url, limits)
        self._commands = Commands(self._server)
        self._publisher: Publisher | None = None
        self._listener: Listener | None = None
        self._inbox: Inbox | None = None
        self._receiver: Receiver | None = None
        self._cleaning: asyncio.Task[None] | None = None
        #: Records of presence may be there that are ours.
        self._present = False
        #: Seconds after which a body that was only referred to is removed: longer than anybody reads it.
        self._outbox_ttl = 3 * limits.broker_timeout

    # ---- life

    async def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._inbox = Inbox(self._server, self._commands, receiver, self._overflow)
        listener = Listener(self._server, self._inbox, receiver)
        await listener.start()
        self._listener = listener
        self._publisher = Publisher(self._server, receiver.node)
        self._cleaning = asyncio.create_task(self._clean())

    def _overflow(self, reason: str) -> None:
        assert self._listener is not None
        self._listener.give_up(reason)

    async def close(self) -> None:
        if self._receiver is None or self._listener is None:
            return
        assert self._publisher is not None and self._inbox is not None and self._cleaning is not None
        if self._present:
            try:
                await self.forget_node(self._receiver.node)
            except BrokerUnavailable:
                pass  # the others see that it gives no sign of life
        self._cleaning.cancel()
        await asyncio.wait([self._cleaning])
        await self._listener.close()
        await self._inbox.close()
        await self._publisher.close()
        await self._commands.close()

    async def _clean(self) -> None:
        """Removes what nobody may see any more.  Not in `heartbeat`, which is for topics with presence."""
        query = f"SELECT {self._server.schema}.clean_1({_CLEANED})"
        while True:
            await asyncio.sleep(self._limits.idempotency_ttl / 10 * random.uniform(0.8, 1.2))
            try:
                while (await self._commands.fetch(query))[0][0] >= _CLEANED:
                    pass  # as much again
            except BrokerUnavailable:
                pass  # the next time

    # ---- messages

    async def subscribe(self, topic: str) -> None:
        assert self._listener is not None
        await self._listener.subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        assert self._listener is not None
        self._listener.unsubscribe(topic)

    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        assert self._publisher is not None
        if retention is None:
            return await self._publisher.publish(topic, body, binary, _key(key) if key else None, None, None)
        # Without a key it could not be tried again.
        known = _key(key) if key else secrets.token_bytes(12)
        size = min(retention.size, 2**31 - 1)
        return await self._publisher.publish(topic, body, binary, known, size, retention.ttl)

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        rows = await self._commands.fetch(
            f"SELECT * FROM {self._server.schema}.history_1($1, $2, $3, $4, $5)",
            topic,
            retention.size,
            since.epoch if since else None,
            since.offset if since else None,
            retention.size if most is None else most,
        )
        offset, epoch, recovered, *_ = rows[0]
        top = Position(epoch, offset)
        messages = [
            Message(topic, body, binary, Position(epoch, offset), origin)
            for offset, epoch, _, origin, binary, body in rows[1:]
        ]
        # Some may have gone while it was being read.
        if since is not None and (not recovered or len(messages) != top.offset - since.offset):
            return History([], top, False)
        return History(messages, top)

    # ---- presence

    async def join(self, topic: str, member: Member) -> None:
        self._present = True
        await self._commands.fetch(
            f"SELECT {self._server.schema}.join_1($1, $2, $3, $4, $5, $6, $7::float8)",
            channel_of(self._server.schema, topic),
            topic,
            member.client,
            member.node,
            json.dumps(member.info),
            json.dumps([member.client, member.info]),
            self._outbox_ttl,
        )

    async def leave(self, topic: str, member: Member) -> None:
        await self._commands.fetch(
            f"SELECT {self._server.schema}.leave_1($1, $2, $3, $4, $5, $6::float8)",
            channel_of(self._server.schema, topic),
            topic,
            member.client,
            member.node,
            json.dumps([member.client, member.info]),
            self._outbox_ttl,
        )

    async def members(self, topic: str) -> list[Member]:
        rows = await self._commands.fetch(
            f"SELECT client, info, node FROM {self._server.schema}.members_1($1, $2::float8)",
            topic,
            self._limits.presence_timeout,
        )
        return [Member(client, json_decode(info), node) for client, info, node in rows]

    async def forget_node(self, node: str) -> None:
        await self._commands.fetch(
            f"SELECT {self._server.schema}.forget_1($1, $2)", f"{self._server.schema}.nodes", node
        )

    async def heartbeat(self) -> None:
        assert self._receiver is not None
        rows = await self._commands.fetch(
            f"SELECT {self._server.schema}.beat_1($1, $2, $3::float8)",
            f"{self._server.schema}.nodes",
            self._receiver.node,
            self._limits.presence_timeout,
        )
        if rows[0][0] and self._present:
            # We counted as gone, and our records are removed.
            self._receiver.resumed()
        self._present = True


def _key(key: str) -> bytes:
    # As bytes: text of PostgreSQL's has no NUL.
    return key.encode("utf-8", "surrogatepass")
