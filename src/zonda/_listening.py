"""Where a server of ours listens: binding, and what it is called."""

import socket
import sys

from zonda.netutil import bind_sockets, bind_unix_socket


class CannotListen(OSError):
    """The address is taken, or not ours; the message says which and why."""


def bind(host: str, port: int, uds: str | None, *, places: int = 1) -> list[list[socket.socket]]:
    """For each of `places` its listening sockets: on the Unix socket `uds`, or on `host` and `port`.

    On Linux each has its own, over which the kernel spreads connections; elsewhere, and on a Unix socket, all
    have the same ones.  Raises `CannotListen`.
    """
    try:
        if uds is not None:
            return [[bind_unix_socket(uds)]] * places
        # With SO_REUSEPORT alone, another server that is there already would go unnoticed.
        sockets = bind_sockets(port, host)
        if places == 1 or sys.platform != "linux":
            return [sockets] * places
        port = sockets[0].getsockname()[1]
        for sock in sockets:
            sock.close()
        return [bind_sockets(port, host, reuse_port=True) for _ in range(places)]
    except (OSError, ValueError) as error:
        place = uds if uds is not None else f"{host or 'any address'}, port {port}"
        why = getattr(error, "strerror", None) or error
        raise CannotListen(f"cannot listen on {place}: {why}") from None


def addresses(sockets: list[socket.socket], uds: str | None) -> list[str]:
    """What to tell people of where it listens."""
    if uds is not None:
        return [f"unix:{uds}"]
    names = (sock.getsockname()[:2] for sock in sockets)
    return [f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}" for name, port in names]
