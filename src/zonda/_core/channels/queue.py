"""What waits for a subscriber that does not take it as fast as it comes: bounded, with a policy by topic."""

from collections import deque

from .message import Event, Gap, Message
from .position import NOWHERE
from .topic import Topic

#: What an event without a body counts.
_SMALL = 100


class _Lane:
    """What waits of one topic, and the gap that stands before it."""

    __slots__ = ("events", "gap", "owed", "size", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.events: deque[Event] = deque()
        #: So many of them, the oldest, are what was missed: `size` does not count them.
        self.owed = 0
        self.size = 0
        self.gap: Gap | None = None

    def pop(self) -> Event:
        """Takes the oldest."""
        event = self.events.popleft()
        if self.owed:
            self.owed -= 1
        else:
            self.size -= _size(event)
        return event

    def drop(self) -> None:
        """The oldest goes, and the gap grows over it."""
        event = self.pop()
        gap = self.gap
        recovered = gap is None or gap.recovered
        position = NOWHERE if gap is None else gap.position
        if isinstance(event, Message | Gap):
            position = event.position
            recovered = recovered and (isinstance(event, Message) or event.recovered)
        self.gap = Gap(event.topic, position, recovered and bool(position.epoch))


class Lanes:
    """Events of several topics: in their order within each, the topics by turns.

    Bound and policy are those of the topic (`Topic.queue_bytes`, `Topic.slow`); one event larger than the
    bound may wait alone.
    """

    __slots__ = ("_lanes", "_order")

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._order: deque[_Lane] = deque()

    def __bool__(self) -> bool:
        return bool(self._order)

    def put(self, event: Event, topic: Topic) -> bool:
        """Puts an event behind the others of its topic; False if it has no room and the policy is "close"."""
        lane = self._lane(event.topic, topic)
        size = _size(event)
        if lane.events:
            if topic.slow == "latest" and isinstance(event, Message):
                while lane.events:
                    lane.drop()
            elif lane.size and lane.size + size > topic.queue_bytes:
                if topic.slow == "close":
                    return False
                while lane.events and lane.size + size > topic.queue_bytes:
                    lane.drop()
        lane.events.append(event)
        lane.size += size
        return True

    def push(self, event: Event, topic: Topic) -> None:
        """Puts an event there whatever its room, before any that is `put`: for what was missed.

        The history bounds that, and it takes no room from what comes live: who catches up is not slow.
        """
        lane = self._lane(event.topic, topic)
        lane.events.append(event)
        lane.owed += 1

    def _lane(self, name: str, topic: Topic) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(topic)
            self._order.append(lane)
        return lane

    def take(self) -> Event:
        """The next event; raises `IndexError` where there is none."""
        lane = self._order[0]
        gap = lane.gap
        if gap is not None:
            lane.gap = None
            return gap
        self._order.popleft()
        event = lane.pop()
        if lane.events:
            self._order.append(lane)
        else:
            del self._lanes[event.topic]
        return event

    def discard(self, topic: str) -> None:
        """Forgets what waits of a topic."""
        lane = self._lanes.pop(topic, None)
        if lane is not None:
            self._order.remove(lane)

    def clear(self) -> None:
        self._lanes.clear()
        self._order.clear()


def _size(event: Event) -> int:
    return len(event.body) + _SMALL if isinstance(event, Message) else _SMALL
