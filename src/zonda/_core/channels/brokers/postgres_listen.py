"""Listening to PostgreSQL: the connection that notifications come on, and what they refer to."""

import asyncio
from binascii import a2b_base64
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from zonda._core.channels.broker import Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Member, Message
from zonda._core.channels.position import NOWHERE, Position
from zonda.escape import json_decode
from zonda.log import gen_log

from .postgres_link import Commands, Link, Server, answered
from .postgres_publish import channel_of

#: Bytes of bodies that are read at once; one message at least.
_READ_BYTES = 4194304


class Notice(NamedTuple):
    """One notification (`notify_1` in the schema)."""

    kind: str
    topic: str
    origin: str
    epoch: str
    place: str
    content: str

    @classmethod
    def parse(cls, payload: str) -> "Notice":
        """Raises `ValueError`."""
        kind, topic, origin, epoch, place, _, content = payload.split("\n", 6)
        if kind.isupper() and not (content.isdigit() and (place.isdigit() if epoch else UUID(place))):
            raise ValueError(f"{payload[:80]!r} refers to nothing")
        return cls(kind, topic, origin, epoch, place, content)

    @property
    def by_reference(self) -> bool:
        """The body has to be read; `content` is its size."""
        return self.kind.isupper()

    def body(self) -> bytes:
        """Raises `ValueError`."""
        return a2b_base64(self.content) if self.kind == "b" else self.content.encode()


class Inbox:
    """Hands on what comes, each topic's in its order, though some of it has to be read first."""

    def __init__(
        self, server: Server, commands: Commands, receiver: Receiver, overflow: Callable[[str], None]
    ):
        self._receiver = receiver
        self._node = receiver.node
        self._server = server
        self._commands = commands
        self._overflow = overflow
        self._query = f"SELECT n, body FROM {server.schema}.read_1($1, $2, $3, $4, $5, $6)"
        #: Those we are subscribed to.
        self.topics: set[str] = set()
        #: Of topics whose first message has to be read: it, and what came behind it.
        self._behind: dict[str, deque[Notice]] = {}
        self._bytes = 0
        self._reading: asyncio.Task[None] | None = None

    def notified(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        """asyncpg calls this for every notification, in the order in which they come."""
        try:
            notice = Notice.parse(payload)
        except ValueError as error:
            _log_foreign(self._server, error)
            return
        if notice.kind == "gone":
            self._receiver.node_gone(notice.origin)
        elif notice.topic in self.topics and not (
            # The hub has delivered it.
            notice.origin == self._node and not notice.epoch and notice.kind in "tbTB"
        ):
            self._take(notice)

    def _take(self, notice: Notice) -> None:
        behind = self._behind.get(notice.topic)
        if behind is None:
            if not notice.by_reference:
                self._deliver(notice, None)
                return
            behind = self._behind[notice.topic] = deque()
        behind.append(notice)
        self._bytes += _weight(notice)
        if self._bytes > self._server.limits.broker_buffer_bytes:
            self._drop(f"more than {self._server.limits.broker_buffer_bytes} bytes wait to be read")
        elif self._reading is None:
            self._reading = asyncio.create_task(self._read_all())

    def _drop(self, reason: str) -> None:
        """What waits is given up; a new connection tells the hub that something is missing."""
        self._behind.clear()
        self._bytes = 0
        self._overflow(reason)

    async def _read_all(self) -> None:
        try:
            while self._behind:
                wanted = self._references()
                bodies = await self._read(wanted)
                for topic, found in bodies.items():
                    self._advance(topic, found)
        except BrokerUnavailable as error:
            self._drop(f"messages cannot be read: {error}")
        finally:
            self._reading = None

    def _references(self) -> list[Notice]:
        """Those of all topics, each topic's in its order, as many as may be read at once."""
        found: list[Notice] = []
        size = 0
        for behind in self._behind.values():
            for notice in behind:
                if notice.by_reference:
                    size += _weight(notice)
                    if found and size > _READ_BYTES:
                        return found
                    found.append(notice)
        return found

    async def _read(self, notices: list[Notice]) -> dict[str, dict[str, bytes | None]]:
        """By topic and place, what was read: None where it is gone already."""
        kept = [(number, notice) for number, notice in enumerate(notices) if notice.epoch]
        passing = [(number, notice) for number, notice in enumerate(notices) if not notice.epoch]
        rows = await self._commands.fetch(
            self._query,
            [notice.topic for _, notice in kept],
            [notice.epoch for _, notice in kept],
            [int(notice.place) for _, notice in kept],
            [number for number, _ in kept],
            [UUID(notice.place) for _, notice in passing],
            [number for number, _ in passing],
        )
        found = dict(rows)
        bodies: dict[str, dict[str, bytes | None]] = {}
        for number, notice in enumerate(notices):
            bodies.setdefault(notice.topic, {})[notice.place] = found.get(number)
        return bodies

    def _advance(self, topic: str, bodies: dict[str, bytes | None]) -> None:
        """Hands on what was read of a topic and what came between, up to the next that has to be read."""
        behind = self._behind.get(topic)
        while behind:
            first = behind[0]
            if first.by_reference and first.place not in bodies:
                return
            behind.popleft()
            self._bytes -= _weight(first)
            body = bodies.get(first.place) if first.by_reference else None
            if topic in self.topics and not (first.by_reference and body is None):
                self._deliver(first, body)
        self._behind.pop(topic, None)

    def _deliver(self, notice: Notice, body: bytes | None) -> None:
        """`body`: what was read; None: the notice has it itself."""
        kind = notice.kind.lower()
        try:
            if body is None:
                body = notice.body()
            position = Position(notice.epoch, int(notice.place)) if notice.epoch else NOWHERE
            client, info = json_decode(body) if kind in ("j", "l") else ("", None)
        except (ValueError, TypeError) as error:
            _log_foreign(self._server, error)
            return
        if kind in ("t", "b"):
            self._receiver.received(Message(notice.topic, body, kind == "b", position, notice.origin))
        elif kind in ("j", "l"):
            self._receiver.presence_changed(notice.topic, kind == "j", Member(client, info, notice.origin))

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])


def _log_foreign(server: Server, error: Exception) -> None:
    # Anybody who may use the database may notify; a warning for each would be a flood at their will.
    gen_log.debug("a notification on %s that is none of zonda's: %s", server.name, error)


def _weight(notice: Notice) -> int:
    return 512 + (int(notice.content) if notice.by_reference else len(notice.content))


class Listener:
    """The connection that listens; made again when it is lost, with the same channels."""

    def __init__(self, server: Server, inbox: Inbox, receiver: Receiver) -> None:
        self._server = server
        self._inbox = inbox
        self._receiver = receiver
        self._link = Link(server)
        #: By channel, the number of topics.
        self._wanted = Counter([f"{server.schema}.nodes"])
        #: The channels of `_tuned`, which is the connection, or the one before.
        self._listened: set[str] = set()
        self._tuned: Any = None
        #: Who waits until all that is wanted is listened to.
        self._waiters: list[asyncio.Future[None]] = []
        #: Something is to be done: the connection is lost, or other channels are wanted.
        self._changed = asyncio.Event()
        self._fault = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises `BrokerUnavailable`; nothing is left behind then."""
        try:
            await self._link.connect()
            await self._tune()
        except BaseException:
            self._link.terminate()
            raise
        self._task = asyncio.create_task(self._run())

    async def subscribe(self, topic: str) -> None:
        """Raises `BrokerUnavailable`."""
        if topic in self._inbox.topics:
            return
        channel = channel_of(self._server.schema, topic)
        self._inbox.topics.add(topic)
        self._wanted[channel] += 1
        if channel in self._listened:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._changed.set()
        try:
            await answered(waiter, self._server, lambda: self._link.fault)
        except BaseException:
            self.unsubscribe(topic)
            raise

    def unsubscribe(self, topic: str) -> None:
        if topic in self._inbox.topics:
            self._inbox.topics.discard(topic)
            channel = channel_of(self._server.schema, topic)
            self._wanted[channel] -= 1
            if not self._wanted[channel]:
                del self._wanted[channel]
                self._changed.set()

    def give_up(self, reason: str) -> None:
        """The connection is ended, and made again; for what cannot be taken any more."""
        self._fault = reason
        self._link.terminate()
        self._changed.set()

    def _terminated(self, connection: Any) -> None:
        if self._tuned is connection:
            self._listened.clear()
            self._changed.set()

    async def _run(self) -> None:
        while True:
            try:
                # A connection whose peer vanished says nothing: asked now and then.
                async with asyncio.timeout(self._server.limits.broker_timeout):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                if self._link.connection is None or self._link.connection.is_closed():
                    await self._reconnect()
                else:
                    await self._tune()
                    await self._link.fetch("SELECT 1")
            except BrokerUnavailable as error:
                self._fault = str(error)
                self._changed.set()

    async def _reconnect(self) -> None:
        gen_log.warning("%s is lost (%s): trying again", self._server.name, self._fault or "it has gone")
        while True:
            await self._link.connected()
            try:
                await self._tune()
                await self._link.fetch("SELECT 1")
                break
            except BrokerUnavailable:
                continue
        self._fault = ""
        gen_log.info("%s is back", self._server.name)
        self._receiver.resumed()

    async def _tune(self) -> None:
        """Listens to what is wanted, and to nothing else."""
        waiters, self._waiters = self._waiters, []
        connection = self._link.connection
        try:
            if self._tuned is not connection:
                self._listened.clear()
                connection.add_termination_listener(self._terminated)
                self._tuned = connection
            for channel in self._wanted.keys() - self._listened:
                await self._link.do(partial(_listen, channel, self._inbox.notified))
                self._listened.add(channel)
            for channel in self._listened - self._wanted.keys():
                if channel not in self._wanted:  # still
                    self._listened.discard(channel)
                    await self._link.do(partial(_unlisten, channel, self._inbox.notified))
        except BaseException:
            self._waiters += waiters
            raise
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def close(self) -> None:
        await self._link.close(self._task)


async def _listen(channel: str, callback: Any, connection: Any) -> None:
    await connection.add_listener(channel, callback)


async def _unlisten(channel: str, callback: Any, connection: Any) -> None:
    await connection.remove_listener(channel, callback)
