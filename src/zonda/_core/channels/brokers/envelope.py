"""How a message, and a change of presence, travel through a server that knows nothing of us.

A message: one line, then the body as it is.  The line is words with single spaces: the origin's node id, a
letter (`j` JSON, `b` bytes), and, where the broker counts itself, epoch and offset; words behind these belong
to the broker.  None of them can hold a space.  A change: `+` or `-`, then JSON: `[node, client, info]`.
"""

import json

from zonda._core.channels.message import Member, Message
from zonda._core.channels.position import NOWHERE, Position

#: The letters, by `binary`.
KINDS = ("j", "b")


def pack(origin: str, binary: bool, body: bytes) -> bytes:
    """A message without a position."""
    return b"%s %s\n%s" % (origin.encode(), KINDS[binary].encode(), body)


def unpack(topic: str, packed: bytes, position: Position = NOWHERE) -> Message | None:
    """The message, at `position` if its line tells none; None if that is none of ours."""
    line, newline, body = packed.partition(b"\n")
    try:
        origin, kind, *rest = line.decode("ascii").split(" ")
        if rest:
            position = Position(rest[0], int(rest[1]))
    except (ValueError, IndexError):
        return None
    if not newline or kind not in KINDS:
        return None
    return Message(topic, body, kind == "b", position, origin)


def pack_change(joined: bool, member: Member) -> bytes:
    return b"%s%s" % (
        b"+" if joined else b"-",
        json.dumps([member.node, member.client, member.info]).encode(),
    )


def unpack_change(packed: bytes) -> tuple[bool, Member] | None:
    """Whether somebody joined, and who; None if that is no change of presence."""
    sign = packed[:1]
    if sign != b"+" and sign != b"-":
        return None
    try:
        node, client, info = json.loads(packed[1:])
    except (ValueError, TypeError):
        return None
    if not isinstance(node, str) or not isinstance(client, str):
        return None
    return sign == b"+", Member(client, info, node)
