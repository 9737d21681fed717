"""The half of a WebSocket that sends: messages, frames that many get, pings."""

import asyncio
import os
import socket
from typing import Any

from zonda._core.base.limits import Limits
from zonda._core.base.native import mypyc_attr
from zonda._core.net.stream import Stream
from zonda._core.wire.ws import state as states
from zonda._core.wire.ws.deflate import Compressor
from zonda._core.wire.ws.events import BINARY, PING, TEXT
from zonda._core.wire.ws.printer import PreparedMessage, print_frame, print_message
from zonda.escape import json_encode
from zonda.log import gen_log, safe_text

from .websocket_receiver import WebSocketClosedError

_OPEN = states.OPEN


@mypyc_attr(allow_interpreted_subclasses=True)
class WebSocketSender(Stream):
    """What a WebSocket sends while it is open; `WebSocketConnection` reads, and opens and closes."""

    __slots__ = ("_compressor", "_descriptor", "_is_server", "state")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        is_server: bool,
        compressor: Compressor | None,
        taken: "asyncio.Future[None] | None",
    ) -> None:
        super().__init__(loop, limits, taken)
        self.state = _OPEN
        self._is_server = is_server
        self._compressor = compressor
        #: For what goes out past the transport.
        self._descriptor = -1

    def write_message(self, message: Any, binary: bool = False) -> "asyncio.Future[None]":
        """Sends a message (str, bytes-like or dict); the future is done when more may be sent.

        Raises `WebSocketClosedError`; `TypeError` for what is no message, `ValueError` for bytes that are to
        go as text and are not UTF-8.
        """
        if self.state != _OPEN:
            raise WebSocketClosedError()
        if type(message) is str:
            payload = message.encode()
        else:
            payload = _payload(message, binary)
        if self._compressor is not None:
            compressed = self._compressor.compress(payload)
            frame = print_frame(BINARY if binary else TEXT, compressed, not self._is_server, rsv1=True)
        elif self._is_server:
            frame = print_message(payload, binary)
        else:
            frame = print_frame(BINARY if binary else TEXT, payload, True)
        return self._send(frame)

    def write_prepared(self, message: PreparedMessage) -> "asyncio.Future[None]":
        """Sends a message that goes to many connections of the server; as `write_message`."""
        if self.state != _OPEN:
            raise WebSocketClosedError()
        compressor = self._compressor
        if compressor is None:
            return self._send(message.plain())
        compressor.forget()
        return self._send(message.deflated(compressor.settings))

    def send_frame(self, frame: bytes) -> bool:
        """Sends a finished frame, of a message to many: in this one call, without a future.

        False: the kernel takes no more for now (`drained()` tells when it does; the frame was taken), or the
        connection is closed.
        """
        transport = self.transport
        if transport is None or self.state != _OPEN or transport.is_closing():
            return False
        if self._corked:
            self.write(frame)
        elif self._descriptor < 0 or transport.get_write_buffer_size():
            transport.write(frame)
        else:
            # What a transport does beside this is 5 % of a message to 5,000: nothing of it is in the caches.
            try:
                sent = os.write(self._descriptor, frame)
            except OSError:
                sent = 0  # no room, or gone: the transport finds out
            if sent < len(frame):
                transport.write(frame[sent:])
        return not self._write_paused

    def write_ping(self, data: bytes) -> "asyncio.Future[None]":
        """Sends a Ping, whose payload has 125 bytes at most (section 5.5)."""
        if self.state != _OPEN:
            raise WebSocketClosedError()
        if len(data) > 125:
            raise ValueError(f"a ping of {len(data)} bytes: 125 are allowed")
        return self._send_control(PING, data)

    def _send_control(self, opcode: int, data: bytes) -> "asyncio.Future[None]":
        # Any: `_write_frame` is looked up each time, compiled or not, since Tornado's users replace it.
        looked_up: Any = self
        sent: asyncio.Future[None] = looked_up._write_frame(True, opcode, data)
        return sent

    def _write_frame(self, fin: bool, opcode: int, data: bytes) -> "asyncio.Future[None]":
        return self._send(print_frame(opcode, data, not self._is_server, fin=fin))

    def _send(self, frame: bytes) -> "asyncio.Future[None]":
        transport = self.transport
        if transport is None or transport.is_closing():
            raise WebSocketClosedError()
        if self._write_paused:
            waiting = transport.get_write_buffer_size()
            if waiting > self.limits.websocket_write_bytes:
                gen_log.info("Closed a WebSocket of %s: %d bytes wait to be read", self.peer, waiting)
                self.abort()
                raise WebSocketClosedError()
        self.write(frame)
        return self.drained() if self._write_paused else self.taken

    def set_nodelay(self, x: bool) -> None:
        """Whether small messages go out at once (Nagle's algorithm is off)."""
        sock = self.socket
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(x))

    @property
    def peer(self) -> str:
        """Who is at the other end, for log lines."""
        return safe_text(str(self.address[0] if isinstance(self.address, tuple) else self.address))

    @property
    def compresses(self) -> bool:
        """Whether it was agreed that our messages may be compressed."""
        return self._compressor is not None


def _payload(message: Any, binary: bool) -> bytes:
    if isinstance(message, str):
        return message.encode()
    if isinstance(message, dict):
        return json_encode(message).encode()
    if not isinstance(message, bytes | bytearray | memoryview):
        raise TypeError(f"a WebSocket message is str, bytes or dict, not {type(message).__name__}")
    payload = bytes(message)
    if not binary:
        payload.decode()
    return payload
