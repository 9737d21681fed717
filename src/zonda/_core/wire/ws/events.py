"""What a reader of frames gives.

A message is its payload alone: `str` for text, `bytes` for binary.  Everything else is one of these.
"""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Control:
    """A Ping or a Pong."""

    __slots__ = ("opcode", "payload")

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.opcode = opcode
        self.payload = payload


class Close:
    """The peer's Close frame; `code` and `reason` are None where it gives none."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int | None, reason: str | None) -> None:
        self.code = code
        self.reason = reason


class Failure:
    """The peer broke the protocol or a limit: the code and the reason that it is to be told."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


Event = str | bytes | Control | Close | Failure
