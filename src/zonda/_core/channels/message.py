"""What subscribers get: messages, gaps, and who comes and goes."""

import json
from dataclasses import dataclass
from typing import Any

from .errors import PayloadError
from .position import NOWHERE, Position

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_UNREAD: Any = object()


class Message:
    """One message of a topic.

    `body` is how it travels: JSON in UTF-8, or the published bytes where `binary`.  `position`: where it
    stands in the topic's history (`NOWHERE` without).  `origin`: the node that published it.  A message is
    shared by all subscribers of a process: what is made of it for one (a frame) is kept for the others in
    `forms`.
    """

    __slots__ = ("_data", "binary", "body", "forms", "origin", "position", "topic")

    def __init__(
        self, topic: str, body: bytes, binary: bool, position: Position = NOWHERE, origin: str = ""
    ) -> None:
        self.topic = topic
        self.body = body
        self.binary = binary
        self.position = position
        self.origin = origin
        #: By the name of a door: the message as that door sends it.
        self.forms: dict[str, Any] = {}
        self._data: Any = _UNREAD

    @property
    def data(self) -> Any:
        """What was published: a JSON value, or bytes."""
        if self._data is _UNREAD:
            self._data = self.body if self.binary else json.loads(self.body)
        return self._data

    def __repr__(self) -> str:
        return f"Message({self.topic!r}, {self.body[:60]!r}, {str(self.position)!r})"


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages are missing before what comes next.

    `recovered` False: history was lost or has moved on, and `position` is where the subscriber goes on.
    True: they were dropped because the subscriber was slow, and history holds them still, if the topic has
    one.
    """

    topic: str
    position: Position
    recovered: bool = False
    #: As messages have it, so that who only looks at `data` sees nothing.
    data: None = None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is subscribed: `client` is the id, `info` what the application says of it (JSON).

    `node`: the process it hangs on; one client may hang on several for a while, and counts once.
    """

    client: str
    info: Any = None
    node: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """A member has come (only where presence was asked for)."""

    topic: str
    member: Member
    data: None = None


@dataclass(frozen=True, slots=True)
class Left:
    """A member has gone."""

    topic: str
    member: Member
    data: None = None


Event = Message | Gap | Joined | Left


def encode(data: Any, largest: int) -> tuple[bytes, bool]:
    """The body of a message, and whether it is binary.  Raises `PayloadError` for more than `largest`
    bytes.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        body, binary = bytes(data), True
    else:
        try:
            body, binary = _ENCODE(data).encode(), False
        except (TypeError, ValueError, RecursionError) as error:
            raise PayloadError(f"what is published is a JSON value or bytes: {error}") from None
    if len(body) > largest:
        raise PayloadError(f"a message of {len(body)} bytes: {largest} are allowed")
    return body, binary
