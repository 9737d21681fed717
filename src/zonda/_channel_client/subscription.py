"""A topic as an asynchronous iterator, over a connection that comes and goes."""

import asyncio
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Protocol, Self

from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Event, Gap, Joined, Left, Member, Message, encode
from zonda._core.channels.position import NOWHERE, Position

#: What an event without a body counts.
_SMALL = 100


class Owner(Protocol):
    """Who keeps a subscription up."""

    def unsubscribe(self, subscription: "ChannelSubscription") -> None: ...


class ChannelSubscription:
    """What `ChannelClient.subscribe` returns: `async for event in subscription`.

    Gives `Message`, `Gap` (messages are missing here), and `Joined` and `Left` where presence was asked for.
    Leaving the loop, or an `async with` block, ends it.  The loop raises `ChannelError` if the server refuses
    the topic, and ends when the client is closed.
    """

    def __init__(
        self, owner: Owner, topic: str, since: Position | None, presence: bool, limits: Limits
    ) -> None:
        self.topic = topic
        #: The newest position that the loop was given: `since`, for another time.
        self.position = since or NOWHERE
        #: Whether all behind the position that was asked for has come; None: none was, or it has not begun.
        self.recovered: bool | None = None
        self.presence = presence
        #: The newest that has come, given or not: where to go on from.
        self.received = self.position
        #: The command that asked for it last.
        self.id = 0
        #: What comes is this one's, not that of an earlier subscription to the same topic.
        self.live = False
        self._members: dict[str, Member] | None = None
        self._owner = owner
        self._most = limits.channel_client_bytes
        self._largest = limits.websocket_message_bytes
        self._patience = limits.channel_client_timeout
        self._waiting: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._ended = False
        self._error: Exception | None = None
        self._begun = asyncio.Event()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def members(self) -> list[Member] | None:
        """Who is here, as far as is known; None before that is known, or where it was not asked for."""
        return None if self._members is None else list(self._members.values())

    async def __aenter__(self) -> Self:
        """Waits until the server has said where it begins.

        Raises what it refuses the topic with, and `BrokerUnavailable` after `Limits.channel_client_timeout`.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._begun.wait()
        except TimeoutError:
            self.close()
            raise BrokerUnavailable(
                f"topic {self.topic} could not be subscribed to within {self._patience:g} seconds"
            ) from None
        if self._error is not None:
            raise self._error
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        # A generator: leaving the loop early closes it, and so the subscription.
        try:
            while True:
                while self._waiting:
                    event, size = self._waiting.popleft()
                    self._bytes -= size
                    if not self.full:
                        self._room.set()
                    self.position = getattr(event, "position", None) or self.position
                    yield event
                if self._error is not None:
                    raise self._error
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
        finally:
            self.close()

    def close(self) -> None:
        """Ends it: what was not given yet is dropped."""
        self._waiting.clear()
        self._bytes = 0
        self.end()
        self._owner.unsubscribe(self)

    # ---- what the client calls

    @property
    def full(self) -> bool:
        """As much waits to be taken as may."""
        return self._bytes >= self._most and not self._ended

    async def room(self) -> None:
        """Waits until it is not full."""
        await self._room.wait()

    def end(self, error: Exception | None = None) -> None:
        """Nothing comes any more; the loop raises `error` behind what waits."""
        self._error = self._error or error
        self._ended = True
        self._begun.set()
        self._changed.set()
        self._room.set()

    def take(self, told: dict[str, Any]) -> None:
        """Something about this topic.  Raises `ValueError` or `KeyError` for what no server may say."""
        if "subscribed" in told:
            if told.get("id", self.id) == self.id:
                self._begin(_position(told), told.get("recovered"))
        elif not self.live:
            return
        elif "presence" in told:
            self._see([_member(member) for member in told["members"]])
        elif "joined" in told:
            self._joined(_member(told["joined"]))
        elif "left" in told:
            self._left(_member(told["left"]))
        elif told.get("gap"):
            self.received = _position(told) or self.received
            self._put(Gap(self.topic, _position(told), bool(told.get("recovered"))), _SMALL)
        elif "data" in told or "base64" in told:
            self._take_message(told)

    def _begin(self, position: Position, recovered: bool | None) -> None:
        self.live = True
        self._begun.set()
        self.recovered = recovered
        # Where it is true what was missed comes now, and moves the position.
        if not recovered:
            self.received = position
            if not self._waiting:
                self.position = position
        if recovered is False:
            self._put(Gap(self.topic, position), _SMALL)

    def _take_message(self, told: dict[str, Any]) -> None:
        position = _position(told)
        if position.epoch:
            seen = self.received
            if position.epoch == seen.epoch and position.offset <= seen.offset:
                return
            self.received = position
        data = b64decode(told["base64"], validate=True) if "base64" in told else told["data"]
        body, binary = encode(data, self._largest)
        self._put(Message(self.topic, body, binary, position), len(body) + _SMALL)

    def _see(self, members: list[Member]) -> None:
        """These are here now.  Against what was known before, who came and went meanwhile is told."""
        here = {member.client: member for member in members}
        before = self._members
        if before is None:
            self._members = here
            return
        for client in [client for client in before if client not in here]:
            self._left(before[client])
        for member in members:
            self._joined(member)

    def _joined(self, member: Member) -> None:
        known = self._members = self._members or {}
        if member.client not in known:
            known[member.client] = member
            self._put(Joined(self.topic, member), _SMALL)

    def _left(self, member: Member) -> None:
        known = self._members = self._members or {}
        known.pop(member.client, None)
        self._put(Left(self.topic, member), _SMALL)

    def _put(self, event: Event, size: int) -> None:
        if self._ended:
            return
        self._waiting.append((event, size))
        self._bytes += size
        if self.full:
            self._room.clear()
        self._changed.set()


def _position(told: dict[str, Any]) -> Position:
    text = told.get("position")
    return Position.parse(text) if text else NOWHERE


def _member(told: dict[str, Any]) -> Member:
    return Member(told["client"], told.get("info"))
