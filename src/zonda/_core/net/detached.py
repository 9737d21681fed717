"""Makes an `IOStream` of a connection that an asyncio transport has carried so far."""

import asyncio
import os
import socket
from typing import cast

from .iostream_socket import IOStream


def stream_of(transport: asyncio.Transport, unread: bytes, loop: asyncio.AbstractEventLoop) -> IOStream:
    """The rest of a connection as a stream; it begins with what was `unread`.  The transport is used up.

    The state of TLS cannot leave its transport: there the stream is one end of a pair of sockets, and the
    other end is relayed.
    """
    if transport.get_extra_info("ssl_object") is None:
        # The transport owns its socket: the stream gets a descriptor of its own, and the transport may go.
        own = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        transport.abort()
    else:
        own, ours = socket.socketpair()
        _relay(transport, ours, loop)
    own.setblocking(False)
    stream = IOStream(own)
    stream._feed(unread)
    return stream


class _End(asyncio.Protocol):
    """One end of a relay: what comes here goes to the other end, at the pace of the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None
        #: Holds the task that connects the ends until it is done.
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the class.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        other = self._other_transport()
        if other is not None:
            other.write(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        other = self._other_transport()
        self.transport = None
        self.other = None
        if other is not None:
            # Behind what was written.
            other.close()

    def pause_writing(self) -> None:
        other = self._other_transport()
        if other is not None:
            other.pause_reading()

    def resume_writing(self) -> None:
        other = self._other_transport()
        if other is not None and not other.is_closing():
            other.resume_reading()

    def _other_transport(self) -> asyncio.Transport | None:
        return None if self.other is None else self.other.transport


def _relay(transport: asyncio.Transport, ours: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    """Copies between a transport whose reading is paused and a socket, both ways, until one ends."""
    near, far = _End(), _End()
    near.transport = transport
    near.other, far.other = far, near
    transport.set_protocol(near)

    async def connect() -> None:
        if ours.family == socket.AF_UNIX:
            await loop.create_unix_connection(lambda: far, sock=ours)
        else:
            await loop.create_connection(lambda: far, sock=ours)
        if not transport.is_closing():
            transport.resume_reading()
        near.connecting = None

    near.connecting = loop.create_task(connect())
