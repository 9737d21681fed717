"""Hands a connection over from HTTP to whatever the application speaks next."""

import os
import socket
from typing import Any

from zonda._core.net.iostream_socket import IOStream


def detach(exchange: Any) -> IOStream:
    """An `IOStream` on the connection of an exchange, with what was received behind the request.

    Raises `RuntimeError` under TLS, whose state cannot leave its transport.
    """
    if exchange.peer.ssl_object is not None:
        raise RuntimeError("detach() works on connections in clear text only, and this one is TLS")
    transport, rest = exchange.upgrade()
    # The transport owns its socket: the stream gets a descriptor of its own, and the transport may go.
    own = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    own.setblocking(False)
    transport.abort()
    stream = IOStream(own)
    stream._feed(rest)
    return stream
