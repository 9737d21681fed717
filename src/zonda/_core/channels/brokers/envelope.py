"""How a message travels through a server that knows nothing of us: one line, then the body as it is.

The line is words with single spaces: the origin's node id, a letter (`j` JSON, `b` bytes), and with a history
the epoch and the offset.  Words behind these belong to the broker.  None of them can hold a space.
"""

from zonda._core.channels.message import Message
from zonda._core.channels.position import NOWHERE, Position

#: The letters, by `binary`.
KINDS = ("j", "b")


def pack(origin: str, binary: bool, body: bytes) -> bytes:
    """A message without a history."""
    return b"%s %s\n%s" % (origin.encode(), KINDS[binary].encode(), body)


def unpack(topic: str, packed: bytes) -> Message | None:
    """The message; None if that is none of ours."""
    line, newline, body = packed.partition(b"\n")
    try:
        origin, kind, *rest = line.decode("ascii").split(" ")
        position = Position(rest[0], int(rest[1])) if rest else NOWHERE
    except (ValueError, IndexError):
        return None
    if not newline or kind not in KINDS:
        return None
    return Message(topic, body, kind == "b", position, origin)
