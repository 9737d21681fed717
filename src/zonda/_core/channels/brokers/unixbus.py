"""The broker between the processes of one machine: each is connected to the bus (`unixbus_server.py`)."""

import asyncio
import json
from typing import Any
from urllib.parse import unquote, urlsplit

from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Member, Message
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention
from zonda.log import gen_log

from . import unixbus_wire as wire
from .unixbus_hello import Hello
from .unixbus_link import Link, Requests

#: Seconds before connecting again: doubled each time.
_FIRST_DELAY = 0.02
_LONGEST_DELAY = 1.0

_dump = json.JSONEncoder(separators=(",", ":")).encode


class UnixBusBroker(Broker):
    """`unixbus:///absolute/path` of the bus's socket.

    Without history, `publish` hands its message to the connection and does not wait for the bus; only
    while there is none, or the bus does not keep up, it waits, and gives up after `Limits.broker_timeout`.
    """

    promises = Promises(reach="machine")

    def __init__(self, url: str, limits: Limits) -> None:
        parts = urlsplit(url)
        if parts.netloc or not parts.path.startswith("/"):
            raise ValueError(f"{url!r} names no bus: unixbus:///absolute/path/of/its/socket does")
        self._path = unquote(parts.path)
        self._limits = limits
        self._receiver: Receiver
        self._topics: set[str] = set()
        self._link: Link | None = None
        #: Done when there is a connection again; made by who waits for that.
        self._linked: asyncio.Future[None] | None = None
        self._requests = Requests(limits)
        self._reconnecting: asyncio.Task[None] | None = None
        self._closed = False
        #: Why connecting has failed.
        self._why = "no answer"

    # ---- life

    async def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        try:
            async with asyncio.timeout(self._limits.broker_timeout):
                await self._connect()
        except TimeoutError:
            raise BrokerUnavailable(f"no bus at {self._path}: {self._why}") from None

    async def close(self) -> None:
        self._closed = True
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            await asyncio.wait([self._reconnecting])
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        self._requests.fail("the broker is closed")

    async def _connect(self) -> None:
        """Tries until there is a connection, and the bus has answered on it."""
        delay = _FIRST_DELAY
        while True:
            link = Link(self, self._limits)
            try:
                await link.open(self._path)
                async with asyncio.timeout(self._limits.broker_timeout):
                    await self._greet(link)
                return
            except OSError as error:  # `BrokerUnavailable` and `TimeoutError` are such
                self._why = str(error) or "no answer"
                link.abort()
            except BaseException:
                link.abort()
                raise
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _greet(self, link: Link) -> None:
        link.send(wire.print_frame(wire.HELLO, body=bytes(Hello(self._receiver.node, self._limits))))
        for topic in self._topics:
            link.send(wire.print_frame(wire.SUBSCRIBE, (topic,)))
        link.send(wire.print_frame(wire.BEAT, number=wire.GREETING))
        await link.greeted
        if link.closing:
            raise BrokerUnavailable(link.why)
        self._link = link
        self._requests.send_all(link)
        if self._linked is not None:
            self._linked.set_result(None)
            self._linked = None

    async def _reconnect(self) -> None:
        await self._connect()
        gen_log.info("Connected to the bus at %s again", self._path)
        self._reconnecting = None
        self._receiver.resumed()

    # ---- what the link calls

    def lost(self, link: Link) -> None:
        """A connection has ended."""
        if link is not self._link:
            return
        self._link = None
        if not self._closed:
            gen_log.warning("The connection to the bus at %s was lost: %s", self._path, link.why)
            self._reconnecting = asyncio.ensure_future(self._reconnect())

    def taken(self, frame: wire.Frame) -> None:
        """A frame has come.  Raises `ValueError` for one that a bus does not send."""
        kind, flags, number, words, body = frame
        if kind == wire.MESSAGE:
            topic, epoch, offset, origin = words
            position = Position(epoch, offset) if epoch else NOWHERE
            message = Message(topic, body, bool(flags & wire.BINARY), position, origin)
            if number:
                self._requests.add(number, message)
            else:
                self._receiver.received(message)
        elif kind == wire.ANSWER:
            self._requests.answer(number, frame)
        elif kind == wire.MEMBER:
            client, node = words
            self._requests.add(number, Member(client, json.loads(body), node))
        elif kind == wire.JOINED or kind == wire.LEFT:
            topic, client, node = words
            member = Member(client, json.loads(body), node)
            self._receiver.presence_changed(topic, kind == wire.JOINED, member)
        elif kind == wire.GONE:
            (node,) = words
            self._receiver.node_gone(node)
        else:
            raise wire.WireError(f"a frame of kind {kind} from the bus")

    # ---- asking

    async def _ask(
        self, kind: int, words: tuple[wire.Word, ...], body: bytes = b"", flags: int = 0
    ) -> tuple[wire.Frame, list[Any]]:
        """The answer, and what came before it and belongs to it."""
        if self._closed:
            raise BrokerUnavailable("the broker is closed")
        request = self._requests.new(kind, words, body, flags)
        if self._link is not None:
            self._link.send(request.frame)
        try:
            return await request.answered, request.parts
        finally:
            self._requests.forget(request)

    async def subscribe(self, topic: str) -> None:
        self._topics.add(topic)
        try:
            await self._ask(wire.SUBSCRIBE, (topic,))
        except BaseException:
            self._topics.discard(topic)
            if self._link is not None:
                self._link.send(wire.print_frame(wire.UNSUBSCRIBE, (topic,)))
            raise

    async def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)
        await self._ask(wire.UNSUBSCRIBE, (topic,))

    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        flags = wire.BINARY if binary else 0
        if retention is None and key is None:
            frame = wire.print_frame(wire.PUBLISH, (topic, None, None, None), body, flags)
            link = self._link
            if link is None or link.paused:
                link = await self._ready()
            link.send(frame)
            return Published(NOWHERE)
        size, ttl = (retention.size, retention.ttl) if retention is not None else (None, None)
        answer, _ = await self._ask(wire.PUBLISH, (topic, key, size, ttl), body, flags)
        return Published(_position(answer), bool(answer.flags & wire.DUPLICATE))

    async def _ready(self) -> Link:
        """A connection that takes more; waits for it."""
        try:
            async with asyncio.timeout(self._limits.broker_timeout):
                while True:
                    link = self._link
                    if link is None:
                        if self._closed:
                            raise BrokerUnavailable("the broker is closed")
                        if self._linked is None:
                            self._linked = asyncio.get_running_loop().create_future()
                        await asyncio.wait([self._linked])
                    elif link.paused:
                        await link.drained()
                    else:
                        return link
        except TimeoutError:
            raise BrokerUnavailable(
                f"the bus at {self._path} took nothing for {self._limits.broker_timeout} seconds"
            ) from None

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        words = (topic, *since, None) if since is not None else (topic, None, 0, most)
        answer, messages = await self._ask(wire.HISTORY, words)
        return History(messages, _position(answer), not answer.flags & wire.LOST)

    async def join(self, topic: str, member: Member) -> None:
        await self._ask(wire.JOIN, (topic, member.client, member.node), _dump(member.info).encode())

    async def leave(self, topic: str, member: Member) -> None:
        await self._ask(wire.LEAVE, (topic, member.client, member.node))

    async def members(self, topic: str) -> list[Member]:
        _, members = await self._ask(wire.MEMBERS, (topic,))
        return members

    async def forget_node(self, node: str) -> None:
        await self._ask(wire.FORGET, (node,))

    async def heartbeat(self) -> None:
        await self._ask(wire.BEAT, ())


def _position(answer: wire.Frame) -> Position:
    epoch, offset = answer.words
    return Position(epoch, offset) if epoch else NOWHERE
