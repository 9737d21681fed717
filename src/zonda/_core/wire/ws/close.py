"""Close codes and the payload of Close frames (RFC 6455 sections 5.5.1 and 7.4)."""

from .events import Close, Failure

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
INVALID_PAYLOAD = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009
MANDATORY_EXTENSION = 1010
INTERNAL_ERROR = 1011

#: Registered codes that may stand in a frame; 1004, 1005, 1006 and 1015 may not (section 7.4.1).
_REGISTERED = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})

#: A control frame's payload has 125 bytes at most, two of which are the code.
_REASON_BYTES = 123


def may_be_sent(code: int) -> bool:
    """Whether an endpoint may put this code into a frame, we or the peer."""
    return code in _REGISTERED or 3000 <= code <= 4999


def print_close(code: int | None, reason: str | None) -> bytes:
    """The payload of a Close frame; a reason without a code goes with 1000.

    Raises `ValueError` for a code that must not be sent, and for a reason of more than 123 bytes.
    """
    if code is None:
        if not reason:
            return b""
        code = NORMAL
    if not may_be_sent(code):
        raise ValueError(f"WebSocket close code {code}: 1000-1003, 1007-1014 and 3000-4999 are allowed")
    text = (reason or "").encode()
    if len(text) > _REASON_BYTES:
        raise ValueError(f"WebSocket close reason of {len(text)} bytes: {_REASON_BYTES} are allowed")
    return code.to_bytes(2, "big") + text


def read_close(payload: bytes) -> Close | Failure:
    """What a Close frame says."""
    if not payload:
        return Close(None, None)
    if len(payload) == 1:
        return Failure(PROTOCOL_ERROR, "a Close frame of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not may_be_sent(code):
        return Failure(PROTOCOL_ERROR, f"close code {code} must not be sent")
    try:
        return Close(code, payload[2:].decode() or None)
    except UnicodeDecodeError:
        return Failure(INVALID_PAYLOAD, "a close reason that is not UTF-8")
