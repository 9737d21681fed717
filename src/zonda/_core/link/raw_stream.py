"""`request.connection.stream`: the connection itself, for those who write past HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Connection(Protocol):
    """A connection, as far as its stream needs it."""

    @property
    def socket(self) -> Any: ...
    def write(self, data: bytes) -> None: ...
    def drained(self) -> "asyncio.Future[None]": ...
    def close(self) -> None: ...
    def closed(self) -> bool: ...


class HasClose(Protocol):
    """An exchange, as far as its stream needs it."""

    def set_close_callback(self, callback: Callable[[], None] | None) -> None: ...


class RawStream:
    """What of Tornado's `IOStream` there is on a connection that HTTP still runs on."""

    __slots__ = ("_connection", "_exchange")

    def __init__(self, exchange: HasClose, connection: Connection) -> None:
        self._exchange = exchange
        self._connection = connection

    @property
    def socket(self) -> Any:
        """The socket (asyncio's `TransportSocket`), or None once the connection is closed."""
        return self._connection.socket

    def write(self, data: bytes) -> "asyncio.Future[None]":
        """Sends bytes as they are; the future is done when more may be sent.  Raises `StreamClosedError`."""
        self._connection.write(data)
        return self._connection.drained()

    def close(self) -> None:
        """Closes the connection behind what was written."""
        self._connection.close()

    def closed(self) -> bool:
        return self._connection.closed()

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Called once if the client goes away before its answer is finished."""
        self._exchange.set_close_callback(callback)
