"""Topics: their names, and what is declared of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from .errors import TopicError

#: What a slow subscriber meets at its bound: see `Topic.slow`.
Policy = Literal["close", "drop-oldest", "latest"]
#: How far a message has to reach: see `Topic.reach`.
Reach = Literal["process", "machine", "machines"]

LONGEST_NAME = 200

# No wildcards of a broker's (`*`, `>`), nothing that ends a name in a cursor (`=`, `,`), no spaces.
_NAME = re.compile(r"[A-Za-z0-9_.:/@+~-]{1,200}")
_PATTERN = re.compile(r"[A-Za-z0-9_.:/@+~*-]{1,200}")


@lru_cache(4096)
def check_name(name: str) -> str:
    """The name, if it is one of a topic.  Raises `TopicError`."""
    if not _NAME.fullmatch(name):
        raise TopicError(
            f"{name[:80]!r} is no name of a topic:"
            f" 1 to {LONGEST_NAME} letters and digits of ASCII and _.:/@+~- are"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of a topic is kept: the newest `size` messages, none older than `ttl` seconds."""

    size: int
    ttl: float


@dataclass(frozen=True, slots=True)
class Topic:
    """What is declared of a topic, or of all whose names match.

    `pattern`: a name; `*` in it stands for any characters, also none.  Names come before patterns, patterns
    in the order in which they were declared. `history`: number of messages kept (0: none; at most once, no
    positions), `ttl`: seconds they are kept. `presence`: who is subscribed can be asked for, and joins and
    leaves are told. `slow`: what a subscriber meets that does not take messages as fast as they come, once
    `queue_bytes` of them wait: "close" ends it (with history it recovers when it comes back), "drop-oldest"
    drops the oldest ones and tells with a gap, "latest" keeps the newest message alone and tells with a
    gap. `reach`: how far messages have to go: "process", "machine" (all workers), "machines".  `durable`:
    history has to outlive the broker's process.  A hub whose broker does not promise that much refuses the
    topic.
    """

    pattern: str
    history: int = 0
    ttl: float = 300.0
    presence: bool = False
    slow: Policy = "close"
    queue_bytes: int = 1048576
    reach: Reach = "process"
    durable: bool = False

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.pattern):
            raise TopicError(
                f"{self.pattern[:80]!r} is no name or pattern of topics:"
                f" 1 to {LONGEST_NAME} letters and digits of ASCII and _.:/@+~-* are"
            )
        if self.history < 0 or self.ttl <= 0 or self.queue_bytes <= 0:
            raise TopicError(
                f"topic {self.pattern}: history is 0 or more, ttl and queue_bytes are more than 0"
            )
        if self.slow not in ("close", "drop-oldest", "latest"):
            raise TopicError(f"topic {self.pattern}: slow is close, drop-oldest or latest, not {self.slow!r}")
        if self.reach not in ("process", "machine", "machines"):
            raise TopicError(
                f"topic {self.pattern}: reach is process, machine or machines, not {self.reach!r}"
            )
        if self.durable and not self.history:
            raise TopicError(f"topic {self.pattern}: durable asks for a history, and history is 0")

    @property
    def retention(self) -> Retention | None:
        """What a broker has to keep; None: nothing."""
        return Retention(size=self.history, ttl=self.ttl) if self.history else None


class Topics:
    """The declared topics of a hub; finds the one that a name belongs to."""

    #: Names whose topic is remembered; patterns are gone through for others.
    _REMEMBERED = 4096

    def __init__(self, declared: Iterable[Topic]) -> None:
        self.declared = tuple(declared)
        self._names = {topic.pattern: topic for topic in self.declared if "*" not in topic.pattern}
        self._patterns = [topic for topic in self.declared if "*" in topic.pattern]
        self._found: dict[str, Topic] = {}

    def find(self, name: str) -> Topic:
        """The topic that `name` belongs to.  Raises `TopicError`."""
        found = self._names.get(name) or self._found.get(name)
        if found is None:
            check_name(name)
            for topic in self._patterns:
                if _matches(topic.pattern, name):
                    found = topic
                    break
            else:
                raise TopicError(
                    f"no topic {name!r} is declared; declared are: "
                    + (", ".join(topic.pattern for topic in self.declared[:10]) or "none")
                )
            if len(self._found) >= self._REMEMBERED:
                self._found.clear()
            self._found[name] = found
        return found


def _matches(pattern: str, name: str) -> bool:
    # Piece by piece, each at its first place: no expression that goes back on a peer's input.
    first, *middle, last = pattern.split("*")
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
