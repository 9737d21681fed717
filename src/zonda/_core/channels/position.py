"""Positions in a topic's history, and cursors, which are positions in several topics at once.

Written `EPOCH:OFFSET`; a cursor is `TOPIC=EPOCH:OFFSET,TOPIC=`, the latter of a topic without history.
Names of topics and epochs hold neither `=` nor `,` nor `:` behind the epoch, so nothing has to be escaped.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .errors import CursorError
from .topic import check_name

_EPOCH = re.compile(r"[A-Za-z0-9_-]{1,32}")
#: Offsets fit into what JavaScript counts exactly.
_LARGEST_OFFSET = 2**53 - 1


class Position(NamedTuple):
    """Where a message stands: `offset` counts from 1 within `epoch`, which changes when history was lost.

    Of a topic without history every message stands at `NOWHERE`.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}" if self.epoch else ""

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The position that `str` wrote.  Raises `CursorError`."""
        epoch, colon, offset = text.partition(":")
        if not (
            colon
            and _EPOCH.fullmatch(epoch)
            and len(offset) <= 16
            and offset.isascii()
            and offset.isdigit()
            and int(offset) <= _LARGEST_OFFSET
        ):
            raise CursorError(f"{text[:80]!r} is no position: EPOCH:OFFSET is one, such as k3Xa:17")
        return cls(epoch, int(offset))


#: Where messages without history stand.
NOWHERE = Position("", 0)


def print_cursor(positions: Mapping[str, Position]) -> str:
    """One text for positions in several topics; nothing stands behind the `=` of one at `NOWHERE`."""
    return ",".join([f"{topic}={position}" for topic, position in positions.items()])


def parse_cursor(text: str, most: int) -> dict[str, Position]:
    """What `print_cursor` wrote: at most `most` topics.  Raises `CursorError`, `TopicError`."""
    if not text:
        return {}
    parts: Iterable[str] = text.split(",", most)
    positions = {}
    for number, part in enumerate(parts, 1):
        if number > most:
            raise CursorError(f"the cursor names more than {most} topics")
        topic, equals, position = part.partition("=")
        if not equals:
            raise CursorError(f"{part[:80]!r} in the cursor is not TOPIC=EPOCH:OFFSET")
        positions[check_name(topic)] = Position.parse(position) if position else NOWHERE
    return positions
