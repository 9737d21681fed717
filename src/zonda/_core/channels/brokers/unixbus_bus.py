"""What the bus does: who is connected and subscribed, and what each asks for.

A node is what is connected: when its connection ends, its records of presence go and the others are told.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

from zonda._core.base.clock import monotonic
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.channels.message import Member, Message
from zonda._core.channels.position import Position
from zonda._core.channels.topic import Retention
from zonda._core.net.peer_user import is_own_user
from zonda.log import gen_log

from . import unixbus_wire as wire
from .memory import Memory
from .unixbus_hello import Hello

#: Bytes of a node's first frame; the limits that it brings count from then on.
_HELLO_BYTES = 65536
#: Of a long answer, so much is written before the node has to read some of it.
_HIGH_WATER = 1048576


class Bus:
    """Knows who is connected and subscribed, and what is kept; each node has a `Connection`."""

    def __init__(self) -> None:
        self.memory = Memory(DEFAULT_LIMITS)
        self.connections: set[Connection] = set()
        #: topic -> who is subscribed
        self._subscribed: dict[str, dict[Connection, None]] = {}
        #: Who has something to be written, since the last `flush`.
        self._waiting: list[Connection] = []
        self._looking: asyncio.TimerHandle | None = None
        #: Set when the last node has gone.
        self.empty = asyncio.Event()
        self.empty.set()

    # ---- connections

    def connected(self, connection: "Connection") -> None:
        self.connections.add(connection)
        self.empty.clear()

    def greeted(self, connection: "Connection") -> None:
        """A node has said who it is.  All run the same application: the newest one's limits count."""
        self.memory.limits = connection.hello.limits
        self._look()

    def disconnected(self, connection: "Connection") -> None:
        """Its node is gone, unless that has other connections (several hubs in one process)."""
        self.connections.discard(connection)
        if not self.connections:
            self.empty.set()
        for topic in connection.topics:
            self._unsubscribe(connection, topic)
        node = connection.hello.node
        if not node:
            return
        if any(other.hello.node == node for other in self.connections):
            for topic, client in list(connection.records):
                self.leave(topic, client, node)
        else:
            self.forget(node)
        self.flush()

    def send(self, connection: "Connection", frame: bytes) -> None:
        if not connection.out:
            self._waiting.append(connection)
        connection.out.append(frame)

    def flush(self) -> None:
        """Writes what has been sent; each connection is written to once."""
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()

    def _look(self) -> None:
        """Ends the connections of nodes with records of presence that give no sign of life."""
        if self._looking is not None:
            self._looking.cancel()
        now = monotonic()
        interval = 1.0
        for connection in list(self.connections):
            silent = now - connection.heard_at
            timeout = connection.hello.limits.presence_timeout
            interval = min(interval, timeout / 4)
            if silent > timeout and connection.records:
                connection.give_up(f"it said nothing for {silent:.1f} seconds")
        self._looking = asyncio.get_running_loop().call_later(interval, self._look)

    # ---- topics

    def subscribe(self, connection: "Connection", topic: str) -> None:
        self._subscribed.setdefault(topic, {})[connection] = None
        connection.topics.add(topic)

    def unsubscribe(self, connection: "Connection", topic: str) -> None:
        if topic in connection.topics:
            connection.topics.remove(topic)
            self._unsubscribe(connection, topic)

    def _unsubscribe(self, connection: "Connection", topic: str) -> None:
        subscribed = self._subscribed[topic]
        del subscribed[connection]
        if not subscribed:
            del self._subscribed[topic]

    def publish(
        self,
        origin: "Connection",
        topic: str,
        body: bytes,
        binary: bool,
        retention: Retention | None,
        key: str | None,
        number: int,
    ) -> None:
        published, message = self.memory.publish(topic, body, binary, origin.hello.node, retention, key)
        if message is not None and (subscribed := self._subscribed.get(topic)):
            frame = _message(message, 0)
            for connection in subscribed:
                if retention is not None or connection is not origin:
                    self.send(connection, frame)
        if number:
            flags = wire.DUPLICATE if published.duplicate else 0
            self.send(origin, wire.print_frame(wire.ANSWER, published.position, b"", flags, number))

    # ---- presence

    def join(self, connection: "Connection", topic: str, member: Member) -> None:
        connection.records.add((topic, member.client))
        forgotten = self.memory.join(topic, member)
        self._tell(wire.JOINED, topic, member)
        for other, gone in forgotten:
            self._tell(wire.LEFT, other, gone)

    def leave(self, topic: str, client: str, node: str) -> None:
        gone = self.memory.leave(topic, client, node)
        if gone is not None:
            self._tell(wire.LEFT, topic, gone)

    def _tell(self, kind: int, topic: str, member: Member) -> None:
        frame = wire.print_frame(kind, (topic, member.client, member.node), member.info)
        for connection in self._subscribed.get(topic, ()):
            self.send(connection, frame)

    def forget(self, node: str) -> None:
        """A node's records are removed, and everybody is told."""
        self.memory.forget_node(node)
        frame = wire.print_frame(wire.GONE, (node,))
        for connection in self.connections:
            if connection.hello.node:
                self.send(connection, frame)


class Connection(asyncio.Protocol):
    """A node's connection: frames in, frames out."""

    transport: asyncio.Transport

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reader = wire.Reader(_HELLO_BYTES)
        self.hello = Hello("", DEFAULT_LIMITS)
        self.heard_at = monotonic()
        self.topics: set[str] = set()
        #: (topic, client) of the records of presence made over this connection.
        self.records: set[tuple[str, str]] = set()
        self.out: list[bytes] = []
        #: The rest of a long answer; while there is one, nothing else is read.
        self._rest: Iterator[bytes] | None = None
        self._paused = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        if not is_own_user(transport.get_extra_info("socket")):
            gen_log.warning("unixbus: refused a process of another user")
            transport.abort()
            return
        self._bus.connected(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._rest = None
        self.out = []
        if self in self._bus.connections:
            self._bus.disconnected(self)

    def data_received(self, data: bytes) -> None:
        self.heard_at = monotonic()
        self._reader.feed(data)
        self._work()

    def give_up(self, why: str) -> None:
        """Ends the connection; the node makes another one."""
        if not self.transport.is_closing():
            gen_log.warning("unixbus: closed the connection of node %s: %s", self.hello.node or "?", why)
            self.transport.abort()

    # ---- out

    def flush(self) -> None:
        out, self.out = self.out, []
        if not out or self.transport.is_closing():
            return
        self.transport.writelines(out)
        waiting = self.transport.get_write_buffer_size()
        allowed = self.hello.limits.broker_buffer_bytes
        if waiting > allowed:
            self.give_up(f"it does not read: {waiting} bytes wait for it, {allowed} are allowed")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.heard_at = monotonic()  # it reads
        if self._rest is not None:
            self._work()

    def _go_on(self) -> None:
        """Writes of a long answer what the node takes."""
        assert self._rest is not None
        size = 0
        while not self._paused:
            frame = next(self._rest, None)
            if frame is None:
                self._rest = None
                self.transport.resume_reading()
                return
            self._bus.send(self, frame)
            size += len(frame)
            if size > _HIGH_WATER // 4:
                self.flush()
                size = 0

    # ---- in

    def _work(self) -> None:
        """Does what was asked for, as far as nothing of it has to wait."""
        try:
            while not self.transport.is_closing():
                if self._rest is not None:
                    self._go_on()
                    if self._rest is not None:
                        break
                frame = self._reader.next_frame()
                if frame is None:
                    break
                self._take(frame)
        except wire.WireError as error:
            self.give_up(f"it does not speak the bus's language: {error}")
        self._bus.flush()

    def _take(self, frame: wire.Frame) -> None:
        bus = self._bus
        kind, flags, number, words, body = frame
        if not self.hello.node:
            if kind != wire.HELLO:
                raise wire.WireError(f"the first frame is of kind {kind}, not {wire.HELLO}")
            self.hello = Hello.parse(body)
            self._reader.largest = self.hello.largest_frame
            bus.greeted(self)
            return
        match words:
            case [str(topic), (str() | None) as key, None, None] if kind == wire.PUBLISH:
                bus.publish(self, topic, body, bool(flags & wire.BINARY), None, key, number)
                return
            case [str(topic), (str() | None) as key, int(size), int() | float() as ttl] if (
                kind == wire.PUBLISH and size > 0 and ttl > 0
            ):
                retention = Retention(size=size, ttl=ttl)
                bus.publish(self, topic, body, bool(flags & wire.BINARY), retention, key, number)
                return
            case [str(topic), str(epoch), int(offset), None] if kind == wire.HISTORY:
                self._answer(number, self._history(topic, Position(epoch, offset), None, number))
                return
            case [str(topic), None, _, (int() | None) as most] if kind == wire.HISTORY and (
                most is None or most >= 0
            ):
                self._answer(number, self._history(topic, None, most, number))
                return
            case [str(topic)] if kind == wire.MEMBERS:
                self._answer(number, self._members(topic, number))
                return
            case [str(topic)] if kind == wire.SUBSCRIBE:
                bus.subscribe(self, topic)
            case [str(topic)] if kind == wire.UNSUBSCRIBE:
                bus.unsubscribe(self, topic)
            case [str(topic), str(client), str(node)] if kind == wire.JOIN:
                _check_info(body)
                bus.join(self, topic, Member(client, body, node))
            case [str(topic), str(client), str(node)] if kind == wire.LEAVE:
                self.records.discard((topic, client))
                bus.leave(topic, client, node)
            case [str(node)] if kind == wire.FORGET:
                bus.forget(node)
            case [] if kind == wire.BEAT:
                pass
            case _:
                raise wire.WireError(f"a frame of kind {kind} with the words {words!r:.200}")
        if number:
            bus.send(self, wire.print_frame(wire.ANSWER, number=number))

    def _answer(self, number: int, frames: Iterable[bytes]) -> None:
        self._rest = iter(frames)
        self._go_on()
        if self._rest is not None:
            self.transport.pause_reading()

    def _history(self, topic: str, since: Position | None, most: int | None, number: int) -> Iterator[bytes]:
        history = self._bus.memory.history(topic, since, most)
        for message in history.messages:
            yield _message(message, number)
        flags = 0 if history.recovered else wire.LOST
        yield wire.print_frame(wire.ANSWER, history.top, b"", flags, number)

    def _members(self, topic: str, number: int) -> Iterator[bytes]:
        for member in self._bus.memory.members(topic):
            yield wire.print_frame(wire.MEMBER, (member.client, member.node), member.info, number=number)
        yield wire.print_frame(wire.ANSWER, number=number)


def _check_info(body: bytes) -> None:
    # Every other node will read it, and would end its own connection if it could not.
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wire.WireError(f"what is said of a client is no JSON: {error}") from None


def _message(message: Message, number: int) -> bytes:
    words = (message.topic, *message.position, message.origin)
    return wire.print_frame(wire.MESSAGE, words, message.body, wire.BINARY if message.binary else 0, number)
