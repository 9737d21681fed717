"""What a client is told, as bytes: one JSON object each.  Source: docs/channels-protocol.md."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from .errors import ChannelError
from .message import Gap, Joined, Left, Member, Message
from .position import Position

#: In ASCII: a client may have sent us half of a surrogate pair, which UTF-8 cannot carry.
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

#: The codes of errors that clients know; any other is "unavailable".
_CODES = frozenset(
    {"bad-request", "bad-cursor", "bad-payload", "unknown-topic", "forbidden", "too-many", "unavailable"}
)

BYE = b'{"bye":true}'

#: The id of a command, to be told in its answer.
Id = int | float | str | None


def message(message: Message) -> bytes:
    """A message, for all who get it: its body goes in as it is, and it is printed once."""
    printed: bytes | None = message.forms.get("json")
    if printed is None:
        # Nothing in the name of a topic, or in a position, has to be escaped.
        position = f',"position":"{message.position}"' if message.position.epoch else ""
        if message.binary:
            text = f'"base64":"{base64.b64encode(message.body).decode()}"'
            printed = f'{{"topic":"{message.topic}",{text}{position}}}'.encode()
        else:
            head = f'{{"topic":"{message.topic}","data":'
            printed = b"".join((head.encode(), message.body, position.encode(), b"}"))
        message.forms["json"] = printed
    return printed


def event(event: Gap | Joined | Left) -> bytes:
    """What else may come on a topic."""
    if isinstance(event, Gap):
        told = {"topic": event.topic, "gap": True, **_position(event.position), "recovered": event.recovered}
        return _print(told)
    word = "joined" if isinstance(event, Joined) else "left"
    return _print({"topic": event.topic, word: _member(event.member)})


def subscribed(topic: str, position: Position, recovered: bool | None, id: Id) -> bytes:
    told: dict[str, Any] = {"subscribed": topic, **_position(position)}
    if recovered is not None:
        told["recovered"] = recovered
    return _print(told, id)


def unsubscribed(topic: str, id: Id) -> bytes:
    return _print({"unsubscribed": topic}, id)


def presence(topic: str, members: Iterable[Member], id: Id) -> bytes:
    return _print({"presence": topic, "members": [_member(member) for member in members]}, id)


def published(topic: str, position: Position, id: Id) -> bytes:
    return _print({"published": topic, **_position(position)}, id)


def pong(id: Id) -> bytes:
    return _print({"pong": True}, id)


def error(error: ChannelError, topic: str, id: Id) -> bytes:
    code = error.code if error.code in _CODES else "unavailable"
    told: dict[str, Any] = {"error": {"code": code, "message": str(error)}}
    if topic:
        told["topic"] = topic
    return _print(told, id)


def _position(position: Position) -> dict[str, str]:
    return {"position": str(position)} if position.epoch else {}


def _member(member: Member) -> dict[str, Any]:
    return {"client": member.client, "info": member.info}


def _print(told: dict[str, Any], id: Id = None) -> bytes:
    if id is not None:
        told["id"] = id
    return _ENCODE(told).encode()
