"""Topics in memory: histories, idempotency keys, records of presence.

Never waits and tells nobody: who uses it does, from what it returns.  Nothing is gone through to publish;
what has expired is dropped as time goes on, also of topics that nobody asks for any more.
"""

import heapq
import secrets
import string
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice

from zonda._core.base.clock import monotonic
from zonda._core.base.limits import Limits
from zonda._core.channels.broker import History, Published
from zonda._core.channels.message import Member, Message
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

_ALPHABET = string.ascii_letters + string.digits
_EPOCH_LENGTH = 8


class Memory:
    """What a broker knows.  `limits` may be replaced at any time; the bounds count from then on."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = monotonic) -> None:
        self.limits = limits
        self._clock = clock
        #: The topic used last is the last one.
        self._logs: OrderedDict[str, _Log] = OrderedDict()
        #: A heap: when the oldest message of a log expires, a number to tell equals apart, the log.
        self._expiring: list[tuple[float, int, _Log]] = []
        self._number = 0
        #: (topic, key) -> until when it is known, and where its message stands; in the order of their use.
        self._keys: OrderedDict[tuple[str, str], tuple[float, Position]] = OrderedDict()
        #: topic -> (client, node) -> its record; the topic used last is the last one.
        self._records: OrderedDict[str, dict[tuple[str, str], Member]] = OrderedDict()
        #: node -> (topic, client) of each of its records
        self._nodes: dict[str, set[tuple[str, str]]] = {}

    # ---- messages

    def publish(
        self, topic: str, body: bytes, binary: bool, origin: str, retention: Retention | None, key: str | None
    ) -> tuple[Published, Message | None]:
        """What became of it, and the message to hand on: None where the key was known."""
        now = self._clock()
        if key is not None:
            known = self._find_key(topic, key, now)
            if known is not None:
                return Published(known, True), None
        if retention is None:
            message = Message(topic, body, binary, NOWHERE, origin)
        else:
            self._expire(now)
            log = self._log(topic)
            message = Message(topic, body, binary, Position(log.epoch, log.top + 1), origin)
            log.append(message, now + retention.ttl, retention.size, self.limits.history_bytes)
            if not log.expiring:
                self._expect(log)
        if key is not None:
            self._keys[topic, key] = (now + self.limits.idempotency_ttl, message.position)
            self._keys.move_to_end((topic, key))
            if len(self._keys) > self.limits.idempotency_keys:
                self._keys.popitem(last=False)
        return Published(message.position), message

    def history(self, topic: str, since: Position | None, most: int | None = None) -> History:
        """As `Broker.history`: what earlier publishes had kept."""
        now = self._clock()
        self._expire(now)
        log = self._log(topic)
        log.expire(now)
        top = Position(log.epoch, log.top)
        kept = len(log.messages)
        if since is None:
            return History(log.newest(kept if most is None else most), top)
        missed = log.top - since.offset
        if since.epoch != log.epoch or not 0 <= missed <= kept:
            return History([], top, False)
        return History(log.newest(missed), top)

    def _log(self, topic: str) -> "_Log":
        log = self._logs.get(topic)
        if log is not None:
            self._logs.move_to_end(topic)
            return log
        log = self._logs[topic] = _Log()
        if len(self._logs) > self.limits.channel_topics_kept:
            self._logs.popitem(last=False)[1].clear()
        return log

    def _find_key(self, topic: str, key: str, now: float) -> Position | None:
        while self._keys:
            oldest = next(iter(self._keys))
            if self._keys[oldest][0] > now:
                break
            del self._keys[oldest]
        # Deadlines are not in their order where the limits were replaced.
        until, position = self._keys.get((topic, key), (0.0, NOWHERE))
        return position if until > now else None

    # ---- what expires

    def _expect(self, log: "_Log") -> None:
        if len(self._expiring) > 2 * self.limits.channel_topics_kept:
            # Most of these topics are forgotten.
            self._expiring = [entry for entry in self._expiring if entry[2].messages]
            heapq.heapify(self._expiring)
        self._number += 1
        log.expiring = True
        heapq.heappush(self._expiring, (log.deadlines[0], self._number, log))

    def _expire(self, now: float) -> None:
        while self._expiring and self._expiring[0][0] <= now:
            log = heapq.heappop(self._expiring)[2]
            log.expire(now)
            log.expiring = False
            if log.messages:
                self._expect(log)

    # ---- presence

    def join(self, topic: str, member: Member) -> list[tuple[str, Member]]:
        """Makes a record, or replaces it; records that had to be forgotten for it (with their topics)."""
        records = self._records.setdefault(topic, {})
        self._records.move_to_end(topic)
        records[member.client, member.node] = member
        self._nodes.setdefault(member.node, set()).add((topic, member.client))
        if len(self._records) <= self.limits.channel_topics_kept:
            return []
        oldest = next(iter(self._records))
        forgotten = [(oldest, gone) for gone in self._records[oldest].values()]
        for _, gone in forgotten:
            self.leave(oldest, gone.client, gone.node)
        return forgotten

    def leave(self, topic: str, client: str, node: str) -> Member | None:
        """Removes a record and returns it; None: there was none."""
        records = self._records.get(topic)
        member = records.pop((client, node), None) if records else None
        if records is None or member is None:
            return None
        if not records:
            del self._records[topic]
        topics = self._nodes[node]
        topics.discard((topic, client))
        if not topics:
            del self._nodes[node]
        return member

    def members(self, topic: str) -> list[Member]:
        records = self._records.get(topic)
        if records is None:
            return []
        self._records.move_to_end(topic)
        return list(records.values())

    def forget_node(self, node: str) -> None:
        """Removes all of a node's records."""
        for topic, client in list(self._nodes.get(node, ())):
            self.leave(topic, client, node)


class _Log:
    """The history of one topic: the newest messages, whose offsets have no hole."""

    __slots__ = ("bytes", "deadlines", "epoch", "expiring", "messages", "top")

    def __init__(self) -> None:
        self.epoch = "".join([secrets.choice(_ALPHABET) for _ in range(_EPOCH_LENGTH)])
        #: Offset of the newest message ever.
        self.top = 0
        self.messages: deque[Message] = deque()
        #: When each of them expires.
        self.deadlines: deque[float] = deque()
        self.bytes = 0
        #: It is on the heap of those with something to expire.
        self.expiring = False

    def append(self, message: Message, deadline: float, size: int, most_bytes: int) -> None:
        self.top += 1
        self.messages.append(message)
        self.deadlines.append(deadline)
        self.bytes += len(message.body)
        # The newest stays, whatever its size: whoever published it was promised that.
        while len(self.messages) > size or (self.bytes > most_bytes and len(self.messages) > 1):
            self._drop()

    def newest(self, count: int) -> list[Message]:
        """At most so many, the oldest first; from behind, so that a few of many cost little."""
        found = list(islice(reversed(self.messages), count))
        found.reverse()
        return found

    def expire(self, now: float) -> None:
        while self.deadlines and self.deadlines[0] <= now:
            self._drop()

    def clear(self) -> None:
        self.messages.clear()
        self.deadlines.clear()
        self.bytes = 0

    def _drop(self) -> None:
        self.bytes -= len(self.messages.popleft().body)
        self.deadlines.popleft()
