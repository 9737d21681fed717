"""Opens a connection to an origin: name, addresses, TLS."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from zonda._core.base.limits import Limits
from zonda._core.link.http1_client import Http1ClientConnection
from zonda._core.net.resolve import Resolver, is_valid_ip
from zonda._core.net.tcpclient import Connector, format_addr
from zonda.log import gen_log

from .message import HTTPRequest
from .tls import context_of
from .url import Target


class Origin(NamedTuple):
    """Where connections go, and how: those of one origin are interchangeable."""

    host: str
    port: int
    #: None in clear text.
    tls: ssl.SSLContext | None
    family: socket.AddressFamily
    #: Our own end's address; None = the kernel chooses.
    source: str | None


def origin_of(request: HTTPRequest, target: Target) -> Origin:
    """Raises `ValueError` for a `network_interface` that is no address; what making a TLS context raises."""
    source = request.network_interface
    if source is not None and not is_valid_ip(source):
        raise ValueError(f"Unrecognized IPv4 or IPv6 address for network_interface, got {source!r}")
    family = socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC
    tls = context_of(request) if target.scheme == "https" else None
    return Origin(target.host, target.port, tls, family, source)


async def open_connection(
    origin: Origin, resolver: Resolver, limits: Limits, phase: Callable[[str], None]
) -> Http1ClientConnection:
    """A new connection.  `phase` is told what is being waited for; how long is the caller's business.

    Raises: `OSError` (`ssl.SSLError`) if the name is not known, nothing answers or TLS fails.
    """
    loop = asyncio.get_running_loop()
    phase(f"while resolving {origin.host}")
    addresses = await resolver.resolve(origin.host, origin.port, origin.family)
    if not addresses:
        raise OSError(f"no address found for {origin.host}")
    phase("while connecting to " + ", ".join(format_addr(address) for _, address in addresses))
    address, sock = await _connect(addresses, origin.source)
    host = None
    if origin.tls is not None:
        phase(f"during TLS handshake with {format_addr(address)}")
        # An IPv6 zone is known on this machine alone.
        host = origin.host.partition("%")[0]
    connection = Http1ClientConnection(loop, limits)
    try:
        await loop.create_connection(lambda: connection, sock=sock, ssl=origin.tls, server_hostname=host)
    except ssl.SSLError as error:
        gen_log.warning("SSL Error connecting to %s: %s", format_addr(address), error)
        raise
    finally:
        if connection.transport is None:
            sock.close()
    return connection


class _Attempt:
    """A socket on its way to an address."""

    def __init__(self, sock: socket.socket, address: Any) -> None:
        self.sock = sock
        self.task = asyncio.get_running_loop().create_task(self._connect(address))

    async def _connect(self, address: Any) -> None:
        try:
            await asyncio.get_running_loop().sock_connect(self.sock, address)
        except OSError as error:
            if error.errno is None:
                raise
            # The loops each have words of their own.
            raise OSError(error.errno, os.strerror(error.errno), format_addr(address)) from None

    def close(self) -> None:
        if self.task.done():
            self.sock.close()
        else:
            # Not before the loop has let go of it: the number of a closed socket may be another's.
            self.task.add_done_callback(lambda task: self.sock.close())
            self.task.cancel()


async def _connect(addresses: list[tuple[int, Any]], source: str | None) -> tuple[Any, socket.socket]:
    """Connects to the first address that answers; returns it, and the socket."""

    def begin(family: int, address: Any) -> tuple[Any, Any]:
        sock = socket.socket(family)
        try:
            sock.setblocking(False)
            if source is not None:
                sock.bind((source, 0))
        except BaseException:
            sock.close()
            raise
        attempt = _Attempt(sock, address)
        return attempt, attempt.task

    connecting = Connector(addresses, begin).start()
    try:
        _, address, attempt = await connecting
    except asyncio.CancelledError:
        # It may have succeeded in the same turn of the loop; then nobody else knows the socket.
        if not connecting.cancelled() and connecting.exception() is None:
            connecting.result()[2].close()
        raise
    won: Any = attempt
    return address, won.sock
