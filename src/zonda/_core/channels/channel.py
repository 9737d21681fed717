"""One topic in one process: its subscribers, and where it stands in the topic's history.

Live messages are taken in their order.  One that does not follow the last is a hole: what is missing is
fetched from the broker, and only if that cannot be done are subscribers told (`Gap`).  So is a topic that
fell silent: `check` asks the broker now and then whether something was missed.
"""

import asyncio
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from .errors import BrokerUnavailable
from .message import Event, Gap, Joined, Left, Member, Message
from .position import NOWHERE, Position
from .presence import Presence
from .subscriber import Beginning, Subscriber
from .topic import Topic

if TYPE_CHECKING:
    from .broker import Broker, History

#: Live messages kept in case somebody comes back who missed a few, and those held while a hole is being
#: filled.
_RECENT = 256
_HELD = 1024
#: Bytes of either.
_RECENT_BYTES = 4194304
#: How often a history is asked for that does not meet what comes live.
_ATTEMPTS = 3


class Channel:
    """Made by the hub when a topic gets its first subscriber of this process."""

    def __init__(
        self, name: str, topic: Topic, broker: "Broker", ending: "asyncio.Task[None] | None" = None
    ) -> None:
        self.name = name
        self.topic = topic
        self._broker = broker
        #: The end of an earlier subscription to the same topic, which this one has to wait for.
        self._ending = ending
        #: Nobody is subscribed, and it is kept for a while.
        self.lingering = False
        #: The newest message delivered; `NOWHERE` before the history is known, and without one.
        self.position = NOWHERE
        self.presence: Presence | None = None
        #: Done once the broker's subscription stands; whoever needs it waits for it.
        self._opening: asyncio.Task[None] | None = None
        #: Subscribers, and whether they watch who comes and goes.
        self._subscribers: dict[Subscriber, bool] = {}
        #: The same to iterate over while they come and go; None = changed.
        self._targets: tuple[Subscriber, ...] | None = ()
        #: Attaching and not yet among the subscribers, by a number; who is taken back meanwhile is removed.
        self._attaching: dict[int, Subscriber] = {}
        self._numbers = count()
        self._recent: deque[Message] = deque()
        self._most_recent = min(topic.history, _RECENT)
        self._recent_bytes = 0
        #: Messages that came while the history was being asked; None = it is not.
        self._held: list[Message] | None = None
        self._filling: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        #: Presence records that came while the records were being asked for; None = they are not.
        self._early: list[tuple[bool, Member]] | None = None
        #: A message has come since the last check.
        self._proven = False

    # ---- subscribers

    @property
    def used(self) -> bool:
        return bool(self._subscribers or self._attaching)

    async def attach(self, subscriber: Subscriber, since: Position | None, watch: bool) -> None:
        """Begins a subscription.  Raises `BrokerUnavailable`; nothing is left behind then."""
        number = next(self._numbers)
        self._attaching[number] = subscriber
        try:
            await self.opened()
            if watch and self.presence is None:
                self.presence = Presence(self.name)
                await asyncio.wait([self._ask_presence()])
            elif watch and self._refreshing is not None:
                await asyncio.wait([self._refreshing])
            if since is None:
                missed: list[Message] | None = []
            elif self.topic.history:
                missed = self._since(since)
                if missed is None:
                    missed = await self._fetch_since(since)
            else:
                missed = None
        except BaseException:
            self._attaching.pop(number, None)
            raise
        if self._attaching.pop(number, None) is None:
            return  # detached meanwhile
        self._subscribers[subscriber] = watch
        self._targets = None
        recovered = None if since is None else missed is not None
        members = self.presence.members() if watch and self.presence is not None else None
        subscriber.begin(Beginning(self.name, self.position, recovered, missed or [], members))

    def detach(self, subscriber: Subscriber) -> None:
        for number, attaching in list(self._attaching.items()):
            if attaching is subscriber:
                del self._attaching[number]
        if self._subscribers.pop(subscriber, None) is not None:
            self._targets = None

    def end(self) -> None:
        """The hub is closed."""
        # Who is attaching would wait for good as well, and nobody would tell it why.
        for subscriber in [*self._subscribers, *self._attaching.values()]:
            subscriber.ended()
        self._subscribers.clear()
        self._attaching.clear()
        self._targets = None
        for task in (self._opening, self._filling, self._refreshing):
            if task is not None:
                task.cancel()

    # ---- the broker's subscription

    async def opened(self) -> None:
        """Waits until messages come.  Whoever gives up waiting does not take it from the others."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        opening = self._opening
        try:
            await asyncio.shield(opening)
        except BaseException:
            if self._opening is opening and opening.done():
                self._opening = None  # the next one tries again
            raise

    async def _open(self) -> None:
        if self._ending is not None:
            await asyncio.wait([self._ending])
            self._ending = None
        await self._broker.subscribe(self.name)
        retention = self.topic.retention
        if retention is not None:
            self._held = []
            try:
                history = await self._broker.history(self.name, retention, None, 0)
            except BaseException:
                self._held = None
                raise
            self.position = history.top
            self._release()

    async def close(self) -> None:
        """Ends the broker's subscription; for a channel that nobody can reach any more."""
        for task in (self._filling, self._refreshing):
            if task is not None:
                task.cancel()
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if not self._opening.cancelled() and self._opening.exception() is None:
                await self._broker.unsubscribe(self.name)

    # ---- what comes

    def received(self, message: Message) -> None:
        """A message of the broker's."""
        if not self.topic.history:
            self.deliver(message)
            return
        if self._held is not None:
            # Too many: they are fetched again, as whatever else is missing.
            if len(self._held) < _HELD:
                self._held.append(message)
            return
        epoch, offset = self.position
        if message.position.epoch == epoch:
            if offset == message.position.offset - 1:
                self._advance(message)
                return
            if message.position.offset <= offset:
                return  # it was here already
        if self.position.epoch:
            self.fill()

    def deliver(self, event: Event) -> None:
        """Hands something to every subscriber."""
        targets = self._targets
        if targets is None:
            targets = self._targets = tuple(self._subscribers)
        for subscriber in targets:
            subscriber.deliver(event)

    def _advance(self, message: Message) -> None:
        self.position = message.position
        self._proven = True
        self._recent.append(message)
        self._recent_bytes += len(message.body)
        while len(self._recent) > self._most_recent or self._recent_bytes > _RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft().body)
        self.deliver(message)

    def _release(self) -> None:
        held, self._held = self._held, None
        for message in held or ():
            self.received(message)

    # ---- what was missed

    def _since(self, since: Position) -> list[Message] | None:
        """What came behind `since`, if it is known here; None: the broker has to be asked."""
        if since == self.position:
            return []
        if since.epoch != self.position.epoch or since.offset > self.position.offset or not self._recent:
            return None
        first = self._recent[0].position.offset
        if since.offset < first - 1:
            return None
        return list(self._recent)[since.offset - first + 1 :]

    async def _fetch_since(self, since: Position) -> list[Message] | None:
        """The same from the broker; None: it is lost."""
        retention = self.topic.retention
        assert retention is not None
        for _ in range(_ATTEMPTS):
            history = await self._broker.history(self.name, retention, since)
            if self._held is not None or history.top.epoch != self.position.epoch:
                # What this channel knows is being put right, or has to be.
                await asyncio.wait([self.fill()])
            if not history.recovered:
                return None
            missed = self._joined_up(history)
            if missed is not None:
                return missed
        return None

    def _joined_up(self, history: "History") -> list[Message] | None:
        """What was asked for, up to where the channel stands; None: the two do not meet."""
        position = self.position
        if history.top.epoch != position.epoch or self._held is not None:
            return None
        if history.top.offset > position.offset:
            # The broker's own delivery of these is still on its way: taken from here, for all.
            for message in history.messages:
                if message.position.offset > position.offset:
                    self._advance(message)
            return history.messages
        rest = self._since(history.top)
        return None if rest is None else history.messages + rest

    def fill(self) -> "asyncio.Task[None]":
        """Fetches what is missing and delivers it, or tells that it is lost."""
        if self._filling is None:
            self._filling = asyncio.create_task(self._fill())
        return self._filling

    async def _fill(self) -> None:
        retention = self.topic.retention
        assert retention is not None
        if self._held is None:
            self._held = []
        try:
            history = await self._broker.history(self.name, retention, self.position)
            self._apply(history)
        except BrokerUnavailable:
            pass  # `resumed`, or the next check, tries again
        finally:
            self._filling = None
            self._release()

    def _apply(self, history: "History") -> None:
        if history.recovered:
            for message in history.messages:
                self._advance(message)
            return
        self._recent.clear()
        self._recent_bytes = 0
        self.position = history.top
        self.deliver(Gap(self.name, history.top))

    # ---- from time to time

    def interrupted(self) -> None:
        """The broker was away: messages may be missing, and records of presence."""
        if self._opening is None or not self._opening.done():
            return
        if self.position.epoch:
            self.fill()
        if self.presence is not None:
            self._ask_presence()

    async def check(self) -> None:
        """Asks the broker whether something was missed without a trace."""
        if not self._subscribers or self._opening is None or not self._opening.done():
            return
        if self.topic.history:
            if not self._proven:
                await asyncio.wait([self.fill()])
            self._proven = False

    async def refresh(self) -> None:
        """Asks the broker who is here."""
        if self.presence is not None and self._opening is not None and self._opening.done():
            await asyncio.wait([self._ask_presence()])

    def _ask_presence(self) -> "asyncio.Task[None]":
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> None:
        assert self.presence is not None
        self._early = []
        try:
            self._tell(self.presence.replace(await self._broker.members(self.name)))
        except BrokerUnavailable:
            pass  # `resumed`, or the next look, tries again
        finally:
            self._refreshing = None
            early, self._early = self._early, None
            for joined, member in early:
                self.presence_changed(joined, member)

    def presence_changed(self, joined: bool, member: Member) -> None:
        """A record was made or removed."""
        if self.presence is None:
            return
        if self._early is not None:
            self._early.append((joined, member))
        else:
            self._tell(self.presence.changed(joined, member))

    def node_gone(self, node: str) -> None:
        """A node's records are removed."""
        if self.presence is not None:
            self._tell(self.presence.forget(node))

    def _tell(self, events: list[Joined | Left]) -> None:
        for event in events:
            for subscriber, watches in list(self._subscribers.items()):
                if watches:
                    subscriber.deliver(event)
