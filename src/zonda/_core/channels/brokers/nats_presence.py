"""Who is here, over NATS alone: every node keeps its own records and answers for them.

The server holds nothing that could be lost or be wrong.  Nodes say that they are alive; who wants to know the
members of a topic asks all, and waits for those that are alive.  All that concerns nodes goes over subjects
of one subscription, so that it is taken in its order: who was forgotten before a question does not answer it.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nats.aio.msg import Msg

from zonda._core.base.clock import monotonic
from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Receiver
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Member

from .envelope import pack_change
from .nats_link import PASSING, Link, Lost
from .nats_streams import Names

#: Seconds for a node's answer, if it is alive but slow: then what it last said counts.
_PATIENCE = 1.0
#: Seconds behind our start for the others to say that they are there.
_INTRODUCTION = 0.3
#: Bytes of one answer, about, if the server takes twice as much.
_ANSWER = 131072


class Presence:
    """Records of this node, and questions to the others."""

    def __init__(self, link: Link, names: Names, limits: Limits) -> None:
        self._link = link
        self._names = names
        self._limits = limits
        self._receiver: Receiver | None = None
        self._node = ""
        #: topic -> (node, client) -> its record; those that were made here.
        self._records: dict[str, dict[tuple[str, str], Member]] = {}
        #: When this node last said that it is alive; None: never, or it was forgotten since.
        self._beat: float | None = None
        self._forgotten = False
        #: Other nodes that take part, and when they were last heard of.
        self._alive: dict[str, float] = {}
        self._introduced = 0.0
        #: What nodes last answered, of topics that somebody of this process is subscribed to.
        self._remembered: dict[str, dict[str, list[Member]]] = {}

    async def start(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._node = receiver.node
        await self._link.subscribe(f"{self._names.prefix}.node.*", self._told)
        await self._say("hello", self._node)
        self._introduced = monotonic() + _INTRODUCTION

    def resumed(self) -> None:
        """The connection is there again; nobody was heard of meanwhile."""
        now = monotonic()
        self._alive = dict.fromkeys(self._alive, now)

    async def close(self) -> None:
        if self._beat is not None:
            # If it cannot be said, the others find out in time.
            with suppress(*PASSING, TimeoutError, BrokerUnavailable):
                async with asyncio.timeout(min(_PATIENCE, self._limits.broker_timeout)):
                    await self._say("gone", self._node)
                    await self._link.flush()

    async def _say(self, what: str, text: str, reply: str = "") -> None:
        await self._link.publish(f"{self._names.prefix}.node.{what}", text.encode(), reply)

    # ---- our records

    async def join(self, topic: str, member: Member) -> None:
        async def attempt() -> None:
            await self._say_alive()
            await self._link.publish(self._names.live(topic), pack_change(True, member))
            await self._link.flush()

        records = self._records.setdefault(topic, {})
        before = records.get((member.node, member.client))
        records[member.node, member.client] = member
        try:
            await self._link.in_time(attempt)
        except BaseException:
            self._remove(topic, member)
            if before is not None:
                self._records.setdefault(topic, {})[member.node, member.client] = before
            raise

    async def leave(self, topic: str, member: Member) -> None:
        if not self._remove(topic, member):
            return

        async def attempt() -> None:
            await self._link.publish(self._names.live(topic), pack_change(False, member))
            await self._link.flush()

        await self._link.in_time(attempt)

    def _remove(self, topic: str, member: Member) -> bool:
        records = self._records.get(topic, {})
        removed = records.pop((member.node, member.client), None) is not None
        if not records:
            self._records.pop(topic, None)
        return removed

    async def heartbeat(self) -> None:
        receiver = self._receiver
        assert receiver is not None
        now = monotonic()
        dead = self._forgotten or (
            self._beat is not None and now - self._beat > self._limits.presence_timeout
        )

        async def attempt() -> None:
            await self._say_alive()
            await self._link.flush()

        await self._link.in_time(attempt)
        for node, heard in list(self._alive.items()):
            if now - heard > self._limits.presence_timeout:
                self._forget(node)
                receiver.node_gone(node)
        if dead:
            # The others took us for dead, and told so.
            self._forgotten = False
            receiver.resumed()

    async def _say_alive(self) -> None:
        await self._say("alive", self._node)
        self._beat = monotonic()

    # ---- the others

    async def forget(self, node: str) -> None:
        async def attempt() -> None:
            await self._say("gone", node)
            await self._link.flush()

        self._forget(node)
        await self._link.in_time(attempt)

    def _forget(self, node: str) -> None:
        self._alive.pop(node, None)
        for answers in self._remembered.values():
            answers.pop(node, None)
        for topic, records in list(self._records.items()):
            for member in list(records.values()):
                if member.node == node:
                    self._remove(topic, member)

    def forget_topic(self, topic: str) -> None:
        """Nobody here is subscribed to it any more."""
        self._remembered.pop(topic, None)

    async def members(self, topic: str, remember: bool) -> list[Member]:
        """All records; `remember`: somebody of this process is subscribed, so this is asked again."""
        return await self._link.in_time(lambda: self._ask(topic, remember))

    async def _ask(self, topic: str, remember: bool) -> list[Member]:
        question = _Question()
        with self._link.asking(question.answered, question.fail) as reply:
            await self._say("who", topic, reply)
            # Our own answer comes over the server too: the question was heard.
            await question.until(lambda: self._node in question.complete)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await asyncio.sleep(max(0.0, self._introduced - monotonic()))
                    await question.until(lambda: self._alive.keys() <= question.complete)
        answers = {node: question.answers[node] for node in question.complete}
        for node, records in self._remembered.get(topic, {}).items():
            if node in self._alive:
                answers.setdefault(node, records)
        if remember:
            self._remembered[topic] = answers
        return [member for records in answers.values() for member in records]

    async def _told(self, message: Msg) -> None:
        receiver = self._receiver
        assert receiver is not None
        what = message.subject.rpartition(".")[2]
        text = message.data.decode(errors="replace")
        if what == "who":
            with suppress(*PASSING, BrokerUnavailable):  # whoever asked asks again
                await self._answer(text, message.reply)
        elif what == "gone":
            self._forget(text)
            if text == self._node:
                self._beat, self._forgotten = None, True
            receiver.node_gone(text)
        elif text != self._node:
            if what == "alive":
                self._alive[text] = monotonic()
            elif what == "hello" and self._counts:
                with suppress(*PASSING, BrokerUnavailable):
                    await self._say("alive", self._node)

    @property
    def _counts(self) -> bool:
        """Whether this node has said lately that it is alive."""
        return self._beat is not None and monotonic() - self._beat <= self._limits.presence_timeout

    async def _answer(self, topic: str, reply: str) -> None:
        if self._beat is None and not reply.startswith(self._link.inbox):
            return  # nobody waits for a node that does not take part
        records: list[list[Any]] = []
        size, most = 0, min(_ANSWER, self._link.max_payload // 2)
        for member in list(self._records.get(topic, {}).values()) if self._counts else ():
            records.append([member.node, member.client, member.info])
            size += len(member.client) + len(json.dumps(member.info))
            if size > most:
                await self._link.publish(reply, _answer(self._node, records, True))
                records, size = [], 0
        await self._link.publish(reply, _answer(self._node, records, False))


class _Question:
    """The answers to one question: a node may give several, and says which is its last."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Member]] = {}
        self.complete: set[str] = set()
        self._lost = False
        self._changed = asyncio.Event()

    def answered(self, message: Msg) -> None:
        try:
            node, records, more = json.loads(message.data)
            members = [Member(client, info, at) for at, client, info in records]
        except (ValueError, TypeError):
            return  # none of ours, or nobody listens: then our own does not come either
        self.answers.setdefault(node, []).extend(members)
        if not more:
            self.complete.add(node)
        self._changed.set()

    def fail(self) -> None:
        self._lost = True
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._lost:
                raise Lost("the connection is lost")
            self._changed.clear()
            await self._changed.wait()


def _answer(node: str, records: list[list[Any]], more: bool) -> bytes:
    return json.dumps([node, records, more]).encode()
