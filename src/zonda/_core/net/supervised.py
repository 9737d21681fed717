"""This process as one of several: its id, and what its supervisor tells it.

A supervisor (`_core/server/workers.py`) gives each worker one end of a socket pair (environment:
`ZONDA_CONTROL_FD`), an id (`ZONDA_NODE`), its listening sockets (`ZONDA_LISTEN_FDS`) and those of a neighbour
(`ZONDA_SPARE_FDS`).  On the line goes one JSON object a line.  Up: `{"ready": true}`, `{"leaving": true}` (it
drains, and a successor is due), `{"changed": PATH}` (a source file; all workers are to be replaced).  Down:
`{"gone": NODE}`, `{"cover": true}` (the neighbour is dead: accept for it, until `false`), `{"leave": true}`
(drain), `{"leave": "now"}`.  Without a supervisor everything here is harmless.
"""

import os
import re
import secrets
import socket
from collections.abc import Callable

from zonda.log import app_log

from .control import ControlLine

CONTROL_FD = "ZONDA_CONTROL_FD"
NODE = "ZONDA_NODE"
LISTEN_FDS = "ZONDA_LISTEN_FDS"
SPARE_FDS = "ZONDA_SPARE_FDS"

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

#: The id of this process, and the process it was made for: a fork needs another.
_own: tuple[int, str] | None = None
_gone_callbacks: dict[object, Callable[[str], None]] = {}
#: The line to the supervisor, once it is joined.
_line: ControlLine | None = None
_is_worker = False


def node_id() -> str:
    """The id of this process, unlike that of any other: 1 to 64 characters of `A-Za-z0-9_.-`.

    What the supervisor gave it, or else made of the host's name, the process's number and a random part.
    """
    global _own
    pid = os.getpid()
    if _own is None or _own[0] != pid:
        # Taken out of the environment: a program that this process starts is another node.
        given = os.environ.pop(NODE, "") if _own is None else ""
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


def is_supervised() -> bool:
    """Whether a supervisor has started this process, and has not been joined yet."""
    return CONTROL_FD in os.environ


def inherited_sockets(name: str) -> list[socket.socket]:
    """What the supervisor handed down under this name (`LISTEN_FDS`, `SPARE_FDS`), once; else none."""
    return [_inherited(fd) for fd in os.environ.pop(name, "").split(",") if fd]


async def join() -> bool:
    """Takes the line to the supervisor; False where there is none.

    Raises `ValueError` if the environment names no socket.
    """
    global _line, _is_worker
    node_id()
    fd = os.environ.pop(CONTROL_FD, "")
    if fd:
        _line = await ControlLine.open(_inherited(fd))
        _is_worker = True
    return _line is not None


def tell(**message: object) -> bool:
    """Says something to the supervisor that was joined; False where there never was one."""
    if _line is not None:
        _line.send(message)
    return _is_worker


async def hear(on_leave: Callable[[bool], None], on_cover: Callable[[bool], None] | None = None) -> None:
    """Listens to the supervisor that was joined, and returns when it is gone.

    `on_leave(at_once)` is called when this process is told to leave, and when the supervisor is gone;
    `on_cover` when it is to accept for its neighbour, or no more.
    """
    global _line
    assert _line is not None
    try:
        async for message in _line.messages():
            if "gone" in message:
                _tell_gone(str(message["gone"]))
            elif "leave" in message:
                on_leave(message["leave"] == "now")
            elif "cover" in message and on_cover is not None:
                on_cover(bool(message["cover"]))
    finally:
        _line.close()
        _line = None
    on_leave(False)


def _tell_gone(node: str) -> None:
    for callback in list(_gone_callbacks.values()):
        try:
            callback(node)
        except Exception:
            app_log.error("Uncaught exception in a callback of on_node_gone", exc_info=True)


def _inherited(fd: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=int(fd))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"a variable of the environment names {fd!r}, which is no socket ({error}); "
            f"{CONTROL_FD}, {LISTEN_FDS} and {SPARE_FDS} are for zonda's supervisor to set"
        ) from None
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock
