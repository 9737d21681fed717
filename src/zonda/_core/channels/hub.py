"""`Hub`: topics in one process.  It delivers to the subscribers here, and has a broker carry to the
others.
"""

import asyncio
import os
import secrets
from collections.abc import Coroutine, Iterable
from typing import Any

from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.net.supervised import node_id, on_node_gone
from zonda.log import app_log

from .attendance import Attendance
from .broker import Broker, History, Promises
from .brokers.by_url import make_broker
from .channel import Channel
from .errors import BrokerUnavailable, HubClosed, PayloadError, TopicError, TopicRefused
from .message import Member, Message, encode
from .position import NOWHERE, Position
from .presence import everybody
from .subscriber import Subscriber
from .subscription import Subscription
from .topic import Topic, Topics

_REACHES = ("process", "machine", "machines")
_LONGEST_KEY = 200


class Hub:
    """Publishes to topics, and gives what is published to who subscribes.

    `topics`: those that there are; any other is refused.  `broker`: a URL, or a `Broker`. None: what the
    environment variable `ZONDA_BROKER` says, which `zonda run --workers` and `--broker` set, or else
    "local://", this process alone.  `limits`: see `Limits`, fields `channel_*` and those of brokers.

    A hub may be made before there is an event loop; it starts on the first loop that uses it and stays
    there. Raises `TopicRefused` where a topic asks for more than the broker promises, `ValueError` for a
    URL that names no broker, `ImportError` where the broker's client library is not installed.
    """

    def __init__(
        self,
        broker: str | Broker | None = None,
        topics: Iterable[Topic] = (),
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self.topics = Topics(topics)
        #: This process's id among the nodes of its broker; known once started.
        self.node = ""
        if broker is None:
            broker = os.environ.get("ZONDA_BROKER") or "local://"
        self._url = broker if isinstance(broker, str) else None
        self._broker = make_broker(broker, limits) if isinstance(broker, str) else broker
        self._check_promises()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[None] | None = None
        self._running = False
        self._closed = False
        self._channels: dict[str, Channel] = {}
        #: Topics whose subscription is being ended; whoever wants it again waits for that.
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._attendance = Attendance(self._broker)
        #: What is done behind the back of synchronous calls.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._forget_callback: Any = None
        #: Keys of publishes that bring none: so that a retry is known again.
        self._key_prefix = ""
        self._keys = 0

    def _check_promises(self) -> None:
        promises = self._broker.promises
        for topic in self.topics.declared:
            fault = _fault(topic, promises)
            if fault:
                name = self._url.partition("://")[0] + "://" if self._url else type(self._broker).__name__
                raise TopicRefused(
                    f"topic {topic.pattern} asks for {fault}, which the broker {name} does not promise"
                )

    # ---- life

    async def start(self) -> None:
        """Connects to the broker; everything else does so when it is first needed.

        Raises `BrokerUnavailable`, `TopicRefused` if only now is known what the broker can do, and
        `HubClosed` on another loop than the first.
        """
        if self._running and self._loop is asyncio.get_running_loop():
            return
        if self._closed:
            raise HubClosed("the hub is closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        elif self._loop is not asyncio.get_running_loop():
            raise HubClosed("the hub belongs to another event loop: make one hub for each process and loop")
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except BaseException:
            if starting.done() and self._starting is starting:
                self._starting = None  # the next one tries again
            raise

    async def _start(self) -> None:
        self.node = node_id()
        if self._key_prefix and self._url is not None:
            self._broker = make_broker(self._url, self.limits)  # the one before could not start
            self._attendance = Attendance(self._broker)
        self._key_prefix = f"{secrets.token_hex(6)}."
        await self._broker.start(self)
        try:
            self._check_promises()
        except TopicRefused:
            await self._broker.close()
            raise
        self._running = True
        self._forget_callback = on_node_gone(self._node_died)
        assert self._loop is not None
        self._every(self.limits.channel_check_interval, self._check)
        if any(topic.presence for topic in self.topics.declared):
            self._every(self.limits.presence_timeout / 3, self._beat)

    async def close(self) -> None:
        """Ends every subscription and disconnects.  A hub that is closed stays so."""
        if self._closed:
            return
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            if not self._loop.is_closed():
                raise HubClosed("the hub belongs to another event loop, and is closed there")
            self._starting = None  # whatever there was ended with its loop
        self._closed = True
        self._running = False
        if self._starting is None:
            return
        for timer in self._timers:
            timer.cancel()
        if self._forget_callback is not None:
            self._forget_callback()
        for channel in self._channels.values():
            channel.end()
        self._channels.clear()
        self._attendance.stop()
        tasks = [self._starting, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self._broker.close()

    def _every(self, seconds: float, work: Any) -> None:
        """Does `work` again and again, `seconds` after it was last done."""
        assert self._loop is not None

        async def once() -> None:
            try:
                await work()
            except BrokerUnavailable:
                pass  # the broker says so itself; the next time may be better
            self._every(seconds, work)

        def begin() -> None:
            self._timers.remove(timer)
            if not self._closed:
                self._behind(once())

        timer = self._loop.call_later(seconds, begin)
        self._timers.append(timer)

    def _behind(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done_behind)
        return task

    def _done_behind(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()
            if error is not None and not isinstance(error, BrokerUnavailable):
                app_log.error("Uncaught exception in a hub", exc_info=error)

    # ---- publishing

    async def publish(self, topic: str, data: Any, *, idempotency_key: str | None = None) -> Position:
        """Publishes a JSON value, or bytes, to a topic; where it stands in the topic's history (`NOWHERE`
        without one).

        `idempotency_key` (1 to 200 characters): published again to the same topic with the same key within
        `Limits.idempotency_ttl`, it is not published twice, and the first position is returned. With
        history it has been kept by the broker when this returns; without, it is delivered at most once,
        here at once. Raises `TopicError`, `PayloadError`, `BrokerUnavailable` (it may have been published:
        try again with the same key).
        """
        declared = self.topics.find(topic)
        body, binary = encode(data, self.limits.channel_message_bytes)
        if not self._running or self._loop is not asyncio.get_running_loop():
            await self.start()
        retention = declared.retention
        if idempotency_key is not None:
            if not 0 < len(idempotency_key) <= _LONGEST_KEY:
                raise PayloadError(
                    f"an idempotency key of {len(idempotency_key)} characters:"
                    f" 1 to {_LONGEST_KEY} are allowed"
                )
            idempotency_key = "=" + idempotency_key
        elif retention is not None:
            self._keys += 1
            idempotency_key = self._key_prefix + str(self._keys)
        if idempotency_key is None:
            self._deliver(topic, body, binary)
            await self._broker.publish(topic, body, binary, None, None)
            return NOWHERE
        published = await self._broker.publish(topic, body, binary, retention, idempotency_key)
        if retention is None and not published.duplicate:
            self._deliver(topic, body, binary)
        return published.position

    def _deliver(self, topic: str, body: bytes, binary: bool) -> None:
        channel = self._channels.get(topic)
        if channel is not None:
            channel.deliver(Message(topic, body, binary, NOWHERE, self.node))

    # ---- subscribing

    async def history(
        self, topic: str, since: Position | str | None = None, *, most: int | None = None
    ) -> History:
        """What is kept of a topic: all of it, or what came behind `since`; the newest `most` messages
        (None: all).

        `History.top` is where to go on from: `subscribe(topic, since=top)`.  Behind a position that cannot
        be gone on from there is nothing, and `recovered` is False.  Raises `TopicError` where the topic has
        no history, `CursorError`, `BrokerUnavailable`.
        """
        retention = self.topics.find(topic).retention
        if retention is None:
            raise TopicError(f"topic {topic} has no history: it is declared without one")
        if isinstance(since, str):
            since = Position.parse(since)
        await self.start()
        return await self._broker.history(topic, retention, since, most)

    def subscribe(
        self, topic: str, since: Position | str | None = None, *, presence: bool = False
    ) -> Subscription:
        """What is published to a topic: `async for message in hub.subscribe("news")`.

        `since`: a position (or its text), for what came behind it first; whether that could be given is
        told by `recovered` once the subscription has begun.  `presence`: also `Joined` and `Left`. It gives
        `Message`s, and a `Gap` where some are missing; it ends with the hub. Raises, here or when it
        begins: `TopicError`, `CursorError`, `BrokerUnavailable`; and `SlowSubscriber` while it goes on.
        """
        declared = self.topics.find(topic)
        if isinstance(since, str):
            since = Position.parse(since)
        return Subscription(self, topic, declared, since, presence)

    async def attach(
        self, topic: str, subscriber: Subscriber, since: Position | None = None, watch: bool = False
    ) -> None:
        """Begins a subscription of a `Subscriber`: calls its `begin`, then `deliver` for all that comes.

        `watch`: also who comes and goes.  Raises `TopicError`, `BrokerUnavailable`, `HubClosed`.
        """
        declared = self.topics.find(topic)
        await self.start()
        channel = self._channels.get(topic)
        if channel is None:
            channel = Channel(topic, declared, self._broker, self._ending.get(topic))
            self._channels[topic] = channel
        try:
            await channel.attach(subscriber, since, watch and declared.presence)
        finally:
            self._end_unused(channel)

    def detach(self, topic: str, subscriber: Subscriber) -> None:
        """Ends it; also one that is still beginning.  Nothing if there is none."""
        channel = self._channels.get(topic)
        if channel is not None:
            channel.detach(subscriber)
            self._end_unused(channel)

    def _end_unused(self, channel: Channel) -> None:
        if channel.used or channel.lingering or self._loop is None or self._closed:
            return
        # Who polls, or comes again, finds it still there.
        channel.lingering = True
        self._loop.call_later(self.limits.channel_linger, self._end_lingering, channel)

    def _end_lingering(self, channel: Channel) -> None:
        channel.lingering = False
        if channel.used or self._channels.get(channel.name) is not channel:
            return
        del self._channels[channel.name]
        name = channel.name
        ending = self._ending[name] = self._behind(channel.close())

        def ended(task: "asyncio.Task[None]") -> None:
            if self._ending.get(name) is task:
                del self._ending[name]

        ending.add_done_callback(ended)

    # ---- presence

    async def join(self, topic: str, client: str, info: Any = None) -> None:
        """`client` is here, once more; `info` (JSON) is what others are told of it.

        A client that is here several times, in whatever processes, counts once.  Raises `TopicError` where
        the topic has no presence, `BrokerUnavailable`.
        """
        self._with_presence(topic)
        await self.start()
        await self._attendance.join(topic, Member(client, info, self.node))

    def leave(self, topic: str, client: str, info: Any = None) -> None:
        """Takes one `join` with the same arguments back, as soon as the broker can be told."""
        if self._running:
            self._attendance.leave(topic, Member(client, info, self.node))

    async def presence(self, topic: str) -> list[Member]:
        """Who is here, each client once.  Raises `TopicError`, `BrokerUnavailable`."""
        self._with_presence(topic)
        await self.start()
        return everybody(await self._broker.members(topic))

    def _with_presence(self, topic: str) -> None:
        if not self.topics.find(topic).presence:
            raise TopicError(f"topic {topic} has no presence: it is not declared with presence=True")

    def _node_died(self, node: str) -> None:
        """The supervisor says that a worker is gone; the broker may not know for a while."""
        self.node_gone(node)
        if any(topic.presence for topic in self.topics.declared):
            self._behind(self._broker.forget_node(node))

    # ---- what the broker calls (`broker.Receiver`)

    def received(self, message: Message) -> None:
        channel = self._channels.get(message.topic)
        if channel is not None:
            channel.received(message)

    def presence_changed(self, topic: str, joined: bool, member: Member) -> None:
        channel = self._channels.get(topic)
        if channel is not None:
            channel.presence_changed(joined, member)

    def node_gone(self, node: str) -> None:
        if node != self.node:
            for channel in list(self._channels.values()):
                channel.node_gone(node)

    def resumed(self) -> None:
        self._attendance.lost()
        for channel in list(self._channels.values()):
            channel.interrupted()

    # ---- from time to time

    async def _check(self) -> None:
        for channel in list(self._channels.values()):
            await channel.check()

    async def _beat(self) -> None:
        await self._broker.heartbeat()
        self._attendance.settle()
        for channel in list(self._channels.values()):
            await channel.refresh()


def _fault(topic: Topic, promises: Promises) -> str | None:
    """What a topic asks for beyond the promises."""
    if topic.history and not promises.history:
        return "a history"
    if topic.presence and not promises.presence:
        return "presence"
    if topic.durable and not promises.durable:
        return "a history that outlives the broker's process (durable=True)"
    if _REACHES.index(topic.reach) > _REACHES.index(promises.reach):
        return f"reach={topic.reach!r}"
    return None
