"""Who is at the other end of a Unix socket."""

import os
import socket
import struct
from typing import Any

#: struct ucred: pid, uid, gid (unix(7)).
_CREDENTIALS = struct.Struct("3i")


def is_own_user(sock: Any) -> bool:
    """Whether the peer runs as our own user; True where the system has no way to tell (SO_PEERCRED is
    Linux's), and the rights of the socket's folder have to do.

    `sock`: a connected Unix socket, or what a transport gives as its "socket".
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, user, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return bool(user == os.geteuid())
