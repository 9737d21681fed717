"""How a node introduces itself to the bus."""

import json
from dataclasses import replace
from typing import NamedTuple

from zonda._core.base.limits import DEFAULT_LIMITS, Limits

from .unixbus_wire import HEAD_BYTES, MOST_WORDS, VERSION, WireError

#: The bounds of an application that the bus has to keep.
_FIELDS = (
    "channel_message_bytes",
    "channel_topics_kept",
    "history_bytes",
    "broker_buffer_bytes",
    "presence_timeout",
    "idempotency_ttl",
    "idempotency_keys",
)


class Hello(NamedTuple):
    """Who a node is, and the bounds of its application."""

    node: str
    limits: Limits

    def __bytes__(self) -> bytes:
        limits = {field: getattr(self.limits, field) for field in _FIELDS}
        return json.dumps({"version": VERSION, "node": self.node, "limits": limits}).encode()

    @classmethod
    def parse(cls, body: bytes) -> "Hello":
        """What `bytes` wrote.  Raises `WireError`."""
        try:
            hello = json.loads(body)
            version, node, limits = hello["version"], hello["node"], hello["limits"]
            values = {field: limits[field] for field in _FIELDS}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise WireError(f"no hello: {error!r}") from None
        if version != VERSION:
            raise WireError(f"version {version!r:.20} of the bus's language: this bus speaks {VERSION}")
        if not (isinstance(node, str) and node):
            raise WireError(f"{node!r:.80} is no id of a node")
        for field, value in values.items():
            if not (isinstance(value, int | float) and value > 0):
                raise WireError(f"{field} is {value!r:.20}, not a number above 0")
        return cls(node, replace(DEFAULT_LIMITS, **values))

    @property
    def largest_frame(self) -> int:
        """Bytes of a frame to the bus."""
        return HEAD_BYTES + MOST_WORDS + self.limits.channel_message_bytes
