"""This process as one of several: its id, and what its supervisor tells it.

A supervisor gives each worker one end of a socket pair (environment: `ZONDA_CONTROL_FD`) and an id
(`ZONDA_NODE`).  On the socket goes one JSON object a line: `{"ready": true}` up, `{"gone": "NODE"}` down.
Without a supervisor everything here is harmless.
"""

import os
import re
import secrets
import socket
from collections.abc import Callable

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

#: The id of this process, and the process it was made for: a fork needs another.
_own: tuple[int, str] | None = None
_gone_callbacks: dict[object, Callable[[str], None]] = {}


def node_id() -> str:
    """The id of this process, unlike that of any other: 1 to 64 characters of `A-Za-z0-9_.-`.

    What the supervisor gave it, or else made of the host's name, the process's number and a random part.
    """
    global _own
    pid = os.getpid()
    if _own is None or _own[0] != pid:
        given = os.environ.get("ZONDA_NODE", "") if _own is None else ""
        if not _ID.fullmatch(given):
            host = re.sub(r"[^A-Za-z0-9_.-]", "", socket.gethostname())[:30]
            given = f"{host or 'host'}-{pid}-{secrets.token_hex(4)}"
        _own = (pid, given)
    return _own[1]


def on_node_gone(callback: Callable[[str], None]) -> Callable[[], None]:
    """Calls `callback` with the id of each worker of the same supervisor that is gone, on the loop.

    Returns a function that takes it back.
    """
    key = object()
    _gone_callbacks[key] = callback

    def forget() -> None:
        _gone_callbacks.pop(key, None)

    return forget
