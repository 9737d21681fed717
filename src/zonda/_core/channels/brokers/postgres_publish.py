"""Publishing to PostgreSQL: what waits goes out together, in one statement and one transaction.

One connection and one batch at a time: a commit that notifies takes a lock of the whole database, so
commits side by side would gain nothing, and what one process publishes stays in its order.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from zlib import crc32

from zonda._core.channels.broker import Published
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.position import NOWHERE, Position

from .postgres_link import Interrupted, Link, Server, answered, drop_done

#: Of one batch; it has one message at least.
_MOST_MESSAGES = 256
_MOST_BYTES = 1048576
#: What a message costs while it waits, beside its body.
_OVERHEAD = 512

#: Channels of LISTEN, on which topics are spread.  Not one for each topic: a backend looks through the list
#: of its channels for every notification of the database, and takes a statement for each to begin.  With
#: 10,000 topics that is too long; with 256 channels a process with few topics still gets little that it
#: does not want.
CHANNELS = 256


def channel_of(schema: str, topic: str) -> str:
    """The channel that notifications of a topic come on (others' too: they name their topic)."""
    return f"{schema}.{crc32(topic.encode()) % CHANNELS}"


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message to be published."""

    topic: str
    body: bytes
    binary: bool
    key: bytes | None
    size: int | None
    ttl: float | None
    published: "asyncio.Future[Published]"

    @property
    def repeatable(self) -> bool:
        """Published twice, it is there once."""
        return self.key is not None


class Publisher:
    """Publishes what processes of this node have to say."""

    def __init__(self, server: Server, node: str) -> None:
        self._server = server
        self._node = node
        self._query = (
            "SELECT n, e, o, d FROM"
            f" {server.schema}.publish_1($1, $2, $3, $4, $5, $6, $7, $8, $9::float8, $10::float8)"
        )
        self._link = Link(server)
        self._waiting: deque[Outgoing] = deque()
        self._some = asyncio.Event()
        #: Of messages under way, those that are being published included.
        self._bytes = 0
        self._task = asyncio.create_task(self._run())

    async def publish(
        self, topic: str, body: bytes, binary: bool, key: bytes | None, size: int | None, ttl: float | None
    ) -> Published:
        """Raises `BrokerUnavailable`: after `Limits.broker_timeout`, or at once if too much waits."""
        weight = len(body) + _OVERHEAD
        allowed = self._server.limits.broker_buffer_bytes
        if self._bytes and self._bytes + weight > allowed:
            raise BrokerUnavailable(
                f"{self._bytes} bytes wait to be published on {self._server.name}: {allowed} are allowed"
            )
        future: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        self._waiting.append(Outgoing(topic, body, binary, key, size, ttl, future))
        self._some.set()
        self._bytes += weight
        try:
            return await answered(future, self._server, lambda: self._link.fault)
        finally:
            self._bytes -= weight
            drop_done(self._waiting, lambda item: item.published)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            await self._link.connected()
            batch = self._take()
            if not batch:
                self._some.clear()
                continue
            try:
                await self._attempt(batch)
            except asyncio.CancelledError:
                self._waiting.extendleft(reversed(batch))  # `close` tells them
                raise

    async def _attempt(self, batch: list[Outgoing]) -> None:
        try:
            await self._send(batch)
        except Interrupted as error:
            for item in reversed(batch):
                if item.repeatable:
                    self._waiting.appendleft(item)
                else:
                    _fail(item, error)
        except BrokerUnavailable as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            # Nothing of it was done, maybe by one message's fault.
            for item in batch:
                await self._link.connected()
                await self._attempt([item])

    def _take(self) -> list[Outgoing]:
        batch: list[Outgoing] = []
        size = 0
        waiting = self._waiting
        while waiting and len(batch) < _MOST_MESSAGES:
            item = waiting[0]
            if not item.published.done():  # else nobody waits for it any more
                size += len(item.body)
                if batch and size > _MOST_BYTES:
                    break
                batch.append(item)
            waiting.popleft()
        return batch

    async def _send(self, batch: list[Outgoing]) -> None:
        schema, limits = self._server.schema, self._server.limits
        rows = await self._link.fetch(
            self._query,
            self._node,
            [channel_of(schema, item.topic) for item in batch],
            [item.topic for item in batch],
            [item.body for item in batch],
            [item.binary for item in batch],
            [item.key for item in batch],
            [item.size for item in batch],
            [item.ttl for item in batch],
            limits.idempotency_ttl,
            3 * limits.broker_timeout,
        )
        for number, epoch, offset, duplicate in rows:
            published = batch[number - 1].published
            if not published.done():
                published.set_result(Published(Position(epoch, offset) if offset else NOWHERE, duplicate))

    async def close(self) -> None:
        await self._link.close(self._task)
        for item in self._waiting:
            _fail(item, self._server.closed())


def _fail(item: Outgoing, error: BrokerUnavailable) -> None:
    if not item.published.done():
        item.published.set_exception(error)
