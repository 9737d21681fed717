"""The opening handshake (RFC 6455 section 4), both sides."""

import base64
import hashlib
import os

from zonda._core.base.errors import ProtocolError
from zonda._core.wire.fields import is_token
from zonda._core.wire.http1.events import RequestHead, ResponseHead, field_values

#: Section 1.3: what no server adds to a key by accident.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

VERSION = "13"


def accept_value(key: str | bytes) -> str:
    """The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key."""
    raw = key.encode("latin-1") if isinstance(key, str) else key
    return base64.b64encode(hashlib.sha1(raw + _GUID).digest()).decode("ascii")


def new_key() -> str:
    """A Sec-WebSocket-Key: sixteen bytes that nobody can guess."""
    return base64.b64encode(os.urandom(16)).decode("ascii")


def is_key(key: str) -> bool:
    """Whether this is base64 of sixteen bytes, and nothing else (section 4.1, item 7)."""
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def tokens(values: list[str]) -> list[str]:
    """The members of a list field, in lower case."""
    return [token.strip(" \t") for token in ",".join(values).lower().split(",")]


def check_upgrade(head: RequestHead) -> None:
    """Checks that a request asks for a WebSocket at all.  Raises `ProtocolError` (400)."""
    if "websocket" not in tokens(field_values(head.block, head.lower, "upgrade")):
        raise ProtocolError('Can "Upgrade" only to "WebSocket".')
    if "upgrade" not in tokens(field_values(head.block, head.lower, "connection")):
        raise ProtocolError('"Connection" must be "Upgrade".')


def check_key(head: RequestHead) -> str:
    """Checks what section 4.2.1 demands besides, and returns the key.

    Raises `ProtocolError`: 426 for another version, else 400.
    """
    versions = field_values(head.block, head.lower, "sec-websocket-version")
    if versions != [VERSION]:
        raise ProtocolError(f"Sec-WebSocket-Version must be {VERSION}", 426)
    if head.version != "HTTP/1.1" or head.method != "GET":
        raise ProtocolError("a WebSocket begins with a GET in HTTP/1.1")
    if head.length or head.chunked:
        raise ProtocolError("a WebSocket handshake has no body")
    keys = field_values(head.block, head.lower, "sec-websocket-key")
    if len(keys) != 1 or not is_key(keys[0]):
        raise ProtocolError("one Sec-WebSocket-Key of 16 bytes in base64 is needed")
    return keys[0]


def offered_subprotocols(head: RequestHead) -> list[str]:
    """What Sec-WebSocket-Protocol offers, in the client's order.

    Raises `ProtocolError` for what is no token (section 4.1, item 10).
    """
    values = field_values(head.block, head.lower, "sec-websocket-protocol")
    if not values:
        return []
    names = [name.strip(" \t") for name in ",".join(values).split(",")]
    for name in names:
        if not is_token(name):
            raise ProtocolError("a subprotocol must be a token")
    return names


def check_answer(head: ResponseHead, key: str, offered: list[str]) -> str | None:
    """Checks a server's 101 (section 4.1) and returns the subprotocol it chose.

    Raises `ProtocolError`.
    """
    block, lower = head.block, head.lower
    if tokens(field_values(block, lower, "upgrade")) != ["websocket"]:
        raise ProtocolError("the server upgrades to something that is not WebSocket")
    if "upgrade" not in tokens(field_values(block, lower, "connection")):
        raise ProtocolError("the server's Connection field lacks Upgrade")
    if field_values(block, lower, "sec-websocket-accept") != [accept_value(key)]:
        raise ProtocolError("the server's Sec-WebSocket-Accept does not fit our key")
    chosen = field_values(block, lower, "sec-websocket-protocol")
    if not chosen:
        return None
    name = chosen[0]
    if len(chosen) > 1 or name not in offered:
        raise ProtocolError(f"the server chose a subprotocol that was not offered: {name[:100]!r}")
    return name
