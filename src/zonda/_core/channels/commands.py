"""What a client may say: one JSON object a command, checked before anything is done with it.

Source: docs/channels-protocol.md.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from .errors import BadRequest, PayloadError
from .position import Position
from .topic import check_name

Verb = Literal["subscribe", "unsubscribe", "publish", "presence", "ping"]

#: Each command and what may stand beside it.  `presence` is one, and an option of `subscribe`.
_KEYS: dict[Verb, frozenset[str]] = {
    "subscribe": frozenset({"subscribe", "since", "presence", "id"}),
    "unsubscribe": frozenset({"unsubscribe", "id"}),
    "publish": frozenset({"publish", "data", "base64", "key", "id"}),
    "presence": frozenset({"presence", "id"}),
    "ping": frozenset({"ping", "id"}),
}
_CLIENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(r"[!-~]{1,100}")
_LONGEST_ID = 64
#: What JavaScript counts exactly.
_LARGEST_ID = 2**53 - 1
#: Of what a client sent, this much goes into an error.
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Command:
    """One command; what it does not have is None or False."""

    verb: Verb
    topic: str = ""
    id: int | float | str | None = None
    since: Position | None = None
    presence: bool = False
    data: Any = None
    key: str | None = None


def load(text: str | bytes) -> dict[str, Any]:
    """The JSON object that `text` is.  Raises `BadRequest`."""
    try:
        given = json.loads(text if isinstance(text, str) else text.decode(), parse_constant=_no_constant)
    except RecursionError:
        raise BadRequest("the JSON is nested too deep") from None
    except ValueError as error:
        raise BadRequest(f"this is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadRequest(f"a command is a JSON object, not {_kind(given)}")
    return given


def id_of(given: dict[str, Any]) -> int | float | str | None:
    """The id of a command, for the answer; None if it has none that may be one."""
    found = given.get("id")
    if isinstance(found, str):
        return found if len(found) <= _LONGEST_ID else None
    if isinstance(found, int | float) and not isinstance(found, bool):
        return found if abs(found) <= _LARGEST_ID else None
    return None


def topic_of(given: dict[str, Any]) -> str:
    """The topic that a command is about, for an error; "" if it names none."""
    for verb in _KEYS:
        found = given.get(verb)
        if isinstance(found, str):
            return found[:_SHOWN]
    return ""


def parse(given: dict[str, Any]) -> Command:
    """The command that an object is.

    Raises `BadRequest`, `TopicError` for what is no name of a topic, `CursorError`, `PayloadError`.
    """
    verb = next((verb for verb in _KEYS if verb in given), None)
    if verb is None:
        raise BadRequest(f"a command has one of the keys {', '.join(_KEYS)}; seen: {_shown(given)}")
    if not given.keys() <= _KEYS[verb]:
        raise BadRequest(
            f"{verb} knows no key {_shown(given.keys() - _KEYS[verb])}; allowed: {_shown(_KEYS[verb])}"
        )
    id = id_of(given)
    if id is None and "id" in given:
        raise BadRequest(
            f"an id is a number up to 2**53 or a text of up to {_LONGEST_ID} characters;"
            f" seen: {json.dumps(given['id'])[:_SHOWN]}"
        )
    if verb == "ping":
        return Command(verb, id=id)
    topic = check_name(_text(given, verb))
    if verb == "subscribe":
        since = Position.parse(_text(given, "since")) if given.get("since") is not None else None
        presence = given.get("presence", False)
        if not isinstance(presence, bool):
            raise BadRequest(f"presence of a subscription is true or false, not {_kind(presence)}")
        return Command(verb, topic, id, since, presence)
    if verb == "publish":
        return Command(verb, topic, id, data=_payload(given), key=_key(given))
    return Command(verb, topic, id)


def check_client(client: str) -> str:
    """The id that a client gave itself.  Raises `BadRequest`."""
    if not _CLIENT.fullmatch(client):
        raise BadRequest(f"{client[:_SHOWN]!r} is no client: 1 to 64 of A-Z a-z 0-9 _ - are")
    return client


def _payload(given: dict[str, Any]) -> Any:
    if ("data" in given) == ("base64" in given):
        raise BadRequest("publish has either data or base64")
    if "data" in given:
        return given["data"]
    try:
        return base64.b64decode(_text(given, "base64"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PayloadError(f"base64 cannot be decoded: {error}") from None


def _key(given: dict[str, Any]) -> str | None:
    if given.get("key") is None:
        return None
    key = _text(given, "key")
    if not _KEY.fullmatch(key):
        raise BadRequest(f"{key[:_SHOWN]!r} is no key: 1 to 100 characters of ASCII without spaces are")
    return key


def _text(given: dict[str, Any], key: str) -> str:
    found = given[key]
    if not isinstance(found, str):
        raise BadRequest(f"{key} is a text, not {_kind(found)}")
    return found


def _kind(value: Any) -> str:
    """What JSON calls it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return "a number"
    names: dict[type, str] = {str: "a text", list: "an array", dict: "an object"}
    return names[type(value)]


def _shown(keys: Any) -> str:
    return ", ".join(sorted(keys))[:_SHOWN] or "none"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not in JSON")
