"""Sockets that listen, and the loop's side of accepting connections from them."""

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from typing import Any

from zonda.log import gen_log

from .loop import IOLoop

_DEFAULT_BACKLOG = 128

#: Connections taken in one turn of the loop: more wait for the next one, and other workers
#: that listen on the same socket get their share.
_ACCEPTS_PER_TURN = 32

#: Seconds without accepting when the process, or the machine, has no file descriptor or memory
#: left for another connection.
_ACCEPT_RETRY = 0.1

#: How often `bind_sockets(0)` looks for a port that is free on all addresses.
_PORT_ATTEMPTS = 8


def bind_sockets(
    port: int,
    address: str | None = None,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    backlog: int = _DEFAULT_BACKLOG,
    flags: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Listening sockets on `port` for every address that `address` stands for.

    `address` is an IP address or a host name; `None` or `""` means all interfaces.  `family`
    narrows it to `AF_INET` or `AF_INET6`.  Port 0 picks a free port, the same one on all the
    addresses.  `flags` are `AI_*` bits for `getaddrinfo` (default `AI_PASSIVE`).  `reuse_port`
    sets SO_REUSEPORT.  The sockets are non-blocking.
    Raises: `OSError` if an address cannot be bound; `ValueError` if SO_REUSEPORT is unknown here.
    Source: Tornado documentation, `tornado.netutil`.
    """
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("the platform doesn't support SO_REUSEPORT")
    if family == socket.AF_UNSPEC and not socket.has_ipv6:
        family = socket.AF_INET
    if flags is None:
        flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(address or None, port, family, socket.SOCK_STREAM, 0, flags)
    wanted = list(dict.fromkeys(found))
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        try:
            return _bind_all(wanted, port, address, backlog, reuse_port)
        except OSError as e:
            # A port that was free on the first address is taken on the second.
            if port != 0 or e.errno != errno.EADDRINUSE or attempt == _PORT_ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _bind_all(
    wanted: list[Any], port: int, address: str | None, backlog: int, reuse_port: bool
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, kind, proto, _, sockaddr in wanted:
            if (
                sys.platform == "darwin"
                and address == "localhost"
                and family == socket.AF_INET6
                and sockaddr[3]
            ):
                continue  # macOS names a link-local address as localhost, which cannot be bound
            try:
                sock = socket.socket(family, kind, proto)
            except OSError as e:
                if e.errno == errno.EAFNOSUPPORT:
                    continue
                raise
            sockets.append(sock)
            if os.name != "nt":  # on Windows it lets two programs share the port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                # IPv4 has a socket of its own; one for both would collide with it.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            host, bound_port = sockaddr[:2]
            if port == 0 and len(sockets) > 1:
                bound_port = sockets[0].getsockname()[1]
            sock.setblocking(False)
            try:
                sock.bind((host, bound_port, *sockaddr[2:]))
            except OSError as e:
                if e.errno == errno.EADDRNOTAVAIL and address == "localhost" and host == "::1":
                    # The hosts file knows ::1, the kernel has IPv6 switched off.
                    sockets.pop().close()
                    continue
                raise
            sock.listen(backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def bind_unix_socket(file: str, mode: int = 0o600, backlog: int = _DEFAULT_BACKLOG) -> socket.socket:
    """A listening Unix socket at the path `file`, with the permissions `mode`.

    A socket that stands there already is replaced.  A name that begins with NUL is in Linux's
    abstract namespace: nothing stands in the file system, and `mode` does not apply.
    Raises: `ValueError` if `file` exists and is no socket.
    Source: Tornado documentation, `tornado.netutil`.
    """
    abstract = file.startswith("\0")
    if not abstract:
        try:
            existing = os.stat(file)
        except FileNotFoundError:
            pass
        else:
            if not stat.S_ISSOCK(existing.st_mode):
                raise ValueError(f"File {file} exists and is not a socket")
            os.remove(file)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(file)
        if not abstract:
            os.chmod(file, mode)  # before listen(): until then nobody can connect
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def add_accept_handler(
    sock: socket.socket, callback: Callable[[socket.socket, Any], None]
) -> Callable[[], None]:
    """Calls `callback(connection, address)` for each connection accepted from `sock`.

    Returns a function that ends it; the socket stays open.  When the process runs out of file
    descriptors, accepting pauses for a moment and the loop goes on serving.
    Source: Tornado documentation, `tornado.netutil`.
    """
    acceptor = _Acceptor(sock, callback)
    acceptor.resume()
    return acceptor.stop


class _Acceptor:
    """Accepts from one socket; rests when there are no file descriptors, and says so once."""

    def __init__(self, sock: socket.socket, callback: Callable[[socket.socket, Any], None]) -> None:
        self._sock = sock
        self._callback = callback
        self._io_loop = IOLoop.current()
        self._stopped = False
        self._exhausted = False
        self._timer: Any = None

    def resume(self) -> None:
        self._timer = None
        if self._sock.fileno() != -1:  # it may have been closed while we rested
            self._io_loop.add_handler(self._sock, self._on_readable, IOLoop.READ)

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._io_loop.remove_timeout(self._timer)
            self._timer = None
        elif self._sock.fileno() != -1:
            self._io_loop.remove_handler(self._sock)

    def _on_readable(self, fd: Any, events: int) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            if self._stopped:
                return  # by a callback for an earlier connection
            try:
                connection, address = self._sock.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # it was gone before its turn came
            except OSError as e:
                self._rest(e)
                return
            self._exhausted = False
            self._callback(connection, address)

    def _rest(self, error: OSError) -> None:
        # The socket stays readable, so the loop would call us again at once, for ever.
        if not self._exhausted:
            self._exhausted = True
            gen_log.error("Cannot accept on %s, pausing: %s", self._sock, error)
        self._io_loop.remove_handler(self._sock)
        self._timer = self._io_loop.call_later(_ACCEPT_RETRY, self.resume)
