"""Who is here through this process: what the broker's records of this node have to be, and making them so."""

import asyncio

from .broker import Broker
from .message import Member

_Key = tuple[str, str]


class Attendance:
    """Counts, for each topic and client, who is here; records at the broker follow, one change at a time."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: (topic, client) -> one member for every time it is here; the newest one's info counts.
        self._wanted: dict[_Key, list[Member]] = {}
        self._recorded: dict[_Key, Member] = {}
        self._settling: dict[_Key, asyncio.Task[None]] = {}

    async def join(self, topic: str, member: Member) -> None:
        """It is here once more.  Raises `BrokerUnavailable`: it is recorded as soon as that can be done."""
        key = (topic, member.client)
        self._wanted.setdefault(key, []).append(member)
        await asyncio.shield(self._settle(key))

    def leave(self, topic: str, member: Member) -> None:
        """It is here once less; nothing if it was not."""
        key = (topic, member.client)
        wanted = self._wanted.get(key)
        if wanted is None or member not in wanted:
            return
        wanted.remove(member)
        if not wanted:
            del self._wanted[key]
        self._settle(key)

    def lost(self) -> None:
        """The broker may have forgotten everything: records are made again."""
        self._recorded.clear()
        self.settle()

    def settle(self) -> None:
        """What could not be recorded is tried again."""
        for key in self._wanted.keys() | self._recorded.keys():
            wanted = self._wanted.get(key)
            if (wanted[-1] if wanted else None) != self._recorded.get(key):
                self._settle(key)

    def stop(self) -> None:
        for task in self._settling.values():
            task.cancel()

    def _settle(self, key: _Key) -> "asyncio.Task[None]":
        task = self._settling.get(key)
        if task is None:
            task = self._settling[key] = asyncio.ensure_future(self._make_so(key))
            task.add_done_callback(_seen)
        return task

    async def _make_so(self, key: _Key) -> None:
        try:
            while self._wanted.get(key) or key in self._recorded:
                wanted = self._wanted.get(key)
                recorded = self._recorded.get(key)
                if wanted and wanted[-1] == recorded:
                    break
                if wanted:
                    member = wanted[-1]
                    await self._broker.join(key[0], member)
                    self._recorded[key] = member
                elif recorded is not None:
                    await self._broker.leave(key[0], recorded)
                    self._recorded.pop(key, None)
        finally:
            # Nothing waits behind the last look: whoever changes something from here on begins anew.
            del self._settling[key]


def _seen(task: "asyncio.Task[None]") -> None:
    """A failure is told to who waits for it; `settle` tries again."""
    if not task.cancelled():
        task.exception()
