"""Histories, as streams of JetStream: one for each topic, so that a message's number in it is its offset.

A stream for several topics would count them together.  Its subject ends with its epoch: a publish that
believes in an epoch that is gone reaches nobody, and a message tells its epoch.  What is stored is
republished by the server to the topic's subject with its number: subscribers need no consumer of JetStream.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from nats.aio.msg import Msg

from zonda._core.base.clock import wall
from zonda._core.base.limits import Limits
from zonda._core.channels.broker import History, Published
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.message import Message
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

from .envelope import unpack
from .nats_link import Link, Lost, Unanswered

_API = "$JS.API"
#: Messages of a history that are asked for at once.
_TOGETHER = 256
#: JetStream's numbers of errors: no such stream; there is one, made otherwise; not enabled (server, account).
_NO_STREAM, _OTHER_STREAM, _NOT_ENABLED = 10059, 10058, (10076, 10039)
_LONGEST_ID = 128


class Names:
    """Subjects and streams.  Of a topic's name, what may not stand in either is written `=XX`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def live(self, topic: str) -> str:
        """Where subscribers listen."""
        return f"{self.prefix}.live.{token(topic)}"

    def kept(self, topic: str, epoch: str) -> str:
        """Where the topic's stream listens."""
        return f"{self.prefix}.keep.{token(topic)}.{epoch}"

    def once(self, topic: str = "") -> str:
        """Where the stream listens that knows keys of topics without history."""
        return f"{self.prefix}.once.{token(topic) if topic else '*'}"

    def stream(self, topic: str) -> str:
        name = token(topic)
        # A stream is a folder of the server's, whose names are bounded; `==` stands in no other.
        if len(name) > 200:
            name = f"=={sha256(name.encode()).hexdigest()}"
        return f"{self.prefix}-{name}"

    @property
    def once_stream(self) -> str:
        return f"{self.prefix}-=once"

    def position(self, headers: Mapping[str, str]) -> Position:
        """Where a message of a topic's stream stands, by what the server says of it; `NOWHERE` for others."""
        subject, number = headers.get("Nats-Subject", ""), headers.get("Nats-Sequence", "")
        if not subject.startswith(f"{self.prefix}.keep.") or not number.isdecimal():
            return NOWHERE
        return Position(subject.rpartition(".")[2], int(number))


def token(topic: str) -> str:
    return quote(topic, safe="").replace(".", "%2E").replace("~", "%7E").replace("%", "=")


class Streams:
    """Publishes to histories and reads them."""

    def __init__(self, link: Link, names: Names, limits: Limits, replicas: int) -> None:
        self._link = link
        self._names = names
        self._limits = limits
        self._replicas = replicas
        #: topic -> its epoch, and what its stream is known to keep.
        self._known: dict[str, tuple[str, Retention]] = {}
        self._ensuring: dict[str, asyncio.Task[tuple[str, dict[str, int]]]] = {}
        self._once = False

    async def available(self) -> bool:
        """Whether the server has JetStream.  Raises `BrokerUnavailable`."""

        async def attempt() -> bool:
            try:
                error = json.loads((await self._link.request(f"{_API}.INFO")).data).get("error", {})
            except Unanswered:
                return False
            return error.get("err_code") not in _NOT_ENABLED

        return await self._link.in_time(attempt)

    async def close(self) -> None:
        for task in list(self._ensuring.values()):
            task.cancel()
            await asyncio.wait([task])

    # ---- publishing

    async def publish(self, topic: str, packed: bytes, retention: Retention, key: str) -> Published:
        async def attempt() -> Published:
            epoch = await self._ensure(topic, retention)
            try:
                answer = await self._store(self._names.kept(topic, epoch), packed, key)
            except Unanswered:
                # The stream is gone, or its server is; the next try finds out.
                self._known.pop(topic, None)
                raise
            return Published(Position(epoch, answer["seq"]), bool(answer.get("duplicate")))

        return await self._link.in_time(attempt)

    async def publish_once(self, topic: str, packed: bytes, key: str) -> Published:
        """Without a history, but not again under the same key; not tried again."""

        async def attempt() -> Published:
            if not self._once:
                await self._ensure_once()
                self._once = True
            try:
                answer = await self._store(self._names.once(topic), packed, f"{topic}={key}")
            except Unanswered:
                self._once = False
                raise
            return Published(NOWHERE, bool(answer.get("duplicate")))

        return await self._link.in_time(attempt, again=False)

    async def _store(self, subject: str, packed: bytes, key: str) -> dict[str, Any]:
        answer = await self._link.request(subject, packed, {"Nats-Msg-Id": _header(key)})
        return self._read(answer)

    # ---- streams

    async def _ask(self, what: str, stream: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
        payload = b"" if config is None else json.dumps(config).encode()
        return self._read(await self._link.request(f"{_API}.STREAM.{what}.{stream}", payload))

    def _read(self, message: Msg) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(message.data)
        error = answer.get("error")
        if error is not None:
            code, text = error.get("err_code"), f"JetStream says {error.get('description')!r}"
            if code in (_NO_STREAM, _OTHER_STREAM):
                raise _StreamError(text)
            if error.get("code") == 503 and code not in _NOT_ENABLED:
                raise Lost(text)  # it has no leader for the moment
            raise BrokerUnavailable(f"{self._link.name}: {text}")
        return answer

    async def _ensure(self, topic: str, retention: Retention) -> str:
        """The epoch of a topic whose stream keeps at least that much; many who ask at once ask once."""
        known = self._known.get(topic)
        if known is not None and known[1] == retention:
            return known[0]
        task = self._ensuring.get(topic)
        if task is None:
            task = self._ensuring[topic] = asyncio.create_task(self._made(topic, retention))
            task.add_done_callback(lambda _: self._ensuring.pop(topic, None))
            # Whoever asked may have given up.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return (await asyncio.shield(task))[0]

    async def _made(self, topic: str, retention: Retention) -> tuple[str, dict[str, int]]:
        """The epoch of a topic's stream, and its state; it is made, or made to keep that much."""
        stream = self._names.stream(topic)
        wanted = self._kept(retention)
        try:
            found = await self._ask("INFO", stream)
        except _StreamError:
            epoch = secrets.token_urlsafe(9)
            subject = self._names.kept(topic, epoch)
            try:
                await self._ask(
                    "CREATE",
                    stream,
                    _config(stream, subject, self._names.live(topic), self._replicas) | wanted,
                )
            except _StreamError as error:
                raise Lost(str(error)) from None  # another process was first
            # Of two processes at the same moment, NATS 2.9 now and then tells both that theirs was made.
            found = await self._ask("INFO", stream)
        config = found["config"]
        if any(config[name] != value for name, value in wanted.items()):
            found = await self._ask("UPDATE", stream, config | wanted)
        epoch = config["subjects"][0].rpartition(".")[2]
        if len(self._known) >= self._limits.channel_topics_kept:
            self._known.clear()
        self._known[topic] = epoch, retention
        return epoch, found["state"]

    def _kept(self, retention: Retention) -> dict[str, int]:
        # JetStream knows keys for at most as long as it keeps messages; older ones are left out here.
        seconds = max(retention.ttl, self._limits.idempotency_ttl)
        return {
            "max_msgs": retention.size,
            "max_age": _nanoseconds(seconds),
            "duplicate_window": _nanoseconds(self._limits.idempotency_ttl),
        }

    async def _ensure_once(self) -> None:
        """A stream that keeps nothing but keys; its messages are republished to where subscribers listen."""
        stream, subject = self._names.once_stream, self._names.once()
        config = _config(stream, subject, f"{self._names.prefix}.live.{{{{wildcard(1)}}}}", self._replicas)
        window = {"max_msgs": 1, "duplicate_window": _nanoseconds(self._limits.idempotency_ttl)}
        try:
            await self._ask("CREATE", stream, config | window)
        except _StreamError:
            await self._ask("UPDATE", stream, config | window)

    # ---- reading

    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None
    ) -> History:
        return await self._link.in_time(lambda: self._history(topic, retention, since, most))

    async def _history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None
    ) -> History:
        epoch, state = await self._made(topic, retention)
        last = state["last_seq"]
        top = Position(epoch, last)
        count = min(state["messages"], retention.size)
        if since is not None:
            behind = last - since.offset
            if since.epoch != epoch or not 0 <= behind <= count:
                return History([], top, False)
            count = behind
        elif most is not None:
            count = min(count, most)
        oldest = wall() - retention.ttl
        found: list[Message] = []
        numbers = range(last - count + 1, last + 1)
        missing = 0
        for begin in range(0, count, _TOGETHER):
            asked = numbers[begin : begin + _TOGETHER]
            for number, answer in zip(asked, await self._get(topic, asked), strict=True):
                message, at = self._stored(topic, Position(epoch, number), answer)
                if message is not None and at > oldest:
                    found.append(message)
                elif since is not None and message is not None:
                    return History([], top, False)
                elif found or since is not None:
                    raise Lost(f"message {number} of {topic} cannot be read")
                elif message is None:
                    missing = number
        if missing:
            # It went meanwhile; or the server that was asked, one of several, does not have it yet.
            now = await self._ask("INFO", self._names.stream(topic))
            if now["state"]["first_seq"] <= missing:
                raise Lost(f"message {missing} of {topic} cannot be read")
        return History(found, top)

    async def _get(self, topic: str, numbers: range) -> list[Msg]:
        subject = f"{_API}.DIRECT.GET.{self._names.stream(topic)}"
        return await asyncio.gather(
            *(self._link.request(subject, b'{"seq":%d}' % number) for number in numbers)
        )

    def _stored(self, topic: str, position: Position, answer: Msg) -> tuple[Message | None, float]:
        """What a message of a stream is, and when it came (seconds); None if it is not there."""
        headers = answer.headers or {}
        if self._names.position(headers) != position:
            return None, 0.0
        at = datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp()
        return unpack(topic, answer.data, position), at


class _StreamError(Exception):
    """There is no such stream, or another one of that name."""


def _config(stream: str, subject: str, republished: str, replicas: int) -> dict[str, Any]:
    return {
        "name": stream,
        "subjects": [subject],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "num_replicas": replicas,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msg_size": -1,
        "allow_direct": True,
        "deny_delete": True,
        "republish": {"src": subject, "dest": republished},
    }


def _nanoseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000)) * 1_000_000


def _header(key: str) -> str:
    """A key as one word of ASCII."""
    word = quote(key, safe="")
    return word if len(word) <= _LONGEST_ID else f"=={sha256(key.encode()).hexdigest()}"
