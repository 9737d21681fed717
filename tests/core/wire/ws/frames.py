"""Frames written by hand, for the tests of this room."""

from zonda._core.base.limits import Limits
from zonda._core.wire.ws.events import Close, Control, Failure
from zonda._core.wire.ws.reader import FrameReader

KEY = b"\x37\xfa\x21\x3d"


def frame(first: int, payload: bytes = b"", *, masked: bool = True, length: bytes | None = None) -> bytes:
    size = len(payload)
    if length is None:
        if size < 126:
            length = bytes([size])
        elif size < 0x10000:
            length = b"\x7e" + size.to_bytes(2, "big")
        else:
            length = b"\x7f" + size.to_bytes(8, "big")
    if not masked:
        return bytes([first]) + length + payload
    length = bytes([length[0] | 0x80]) + length[1:]
    return bytes([first]) + length + KEY + bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))


def reader(masked: bool = True, size: int = 1 << 20, **limits: int) -> FrameReader:
    return FrameReader(Limits(**limits), masked, size)


def plain(event: object) -> object:
    """An event as something that compares."""
    if isinstance(event, Control):
        return ("control", event.opcode, event.payload)
    if isinstance(event, Close):
        return ("close", event.code, event.reason)
    if isinstance(event, Failure):
        return ("failure", event.code)
    return event


def read_all(reader: FrameReader, data: bytes) -> list[object]:
    events = [plain(event) for event in reader.feed(data)]
    while reader.more:
        events += [plain(event) for event in reader.feed(b"")]
    return events


def cuts(data: bytes) -> list[list[bytes]]:
    """The same bytes: whole, byte by byte, and in two pieces at every place (of long ones at some)."""
    step = max(1, len(data) // 50)
    halves = [[data[:at], data[at:]] for at in range(1, len(data), step)]
    return [[data], [data[at : at + 1] for at in range(len(data))], *halves]
