"""The answer to a request that came over an `IOStream`: the server's exchange on another carrier."""

import asyncio
from typing import Any, BinaryIO

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.net.errors import StreamClosedError
from zonda._core.net.futures import done_future
from zonda._core.net.iostream_socket import IOStream
from zonda._core.wire.http1.events import RequestHead

from .exchange import Peer
from .http1_exchange import Carrier, Http1Exchange


class _StreamCarrier(Carrier):
    """What an exchange needs of its connection, on an `IOStream`."""

    def __init__(self, stream: IOStream, limits: Limits) -> None:
        self.limits = limits
        self._stream = stream
        loop = asyncio.get_running_loop()
        #: Done when the answer is sent, or cannot be any more.
        self.ended: asyncio.Future[None] = loop.create_future()
        #: What `respond` gives back.
        self.taken = done_future(loop)
        self._written = self.taken

    def write(self, data: bytes, later: bool = False) -> None:
        self._written = self._stream.write(data)
        # Whoever does not wait does not want to hear of it.
        self._written.add_done_callback(lambda future: future.cancelled() or future.exception())

    def send_file(self, file: BinaryIO, offset: int, count: int) -> int:
        """Does not: an `IOStream` has a buffer of its own."""
        return 0

    def drained(self) -> "asyncio.Future[None]":
        return self._written

    def closed(self) -> bool:
        return self._stream.closed()

    def close(self) -> None:
        self._stream.close()

    def abort(self) -> None:
        self._stream.close()

    @property
    def socket(self) -> Any:
        return self._stream.socket

    def detach(self) -> tuple[Any, bytes]:
        raise NotImplementedError("detach the HTTP1Connection, not the answer")

    def exchange_done(self, exchange: Http1Exchange) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def set_body_limit(self, size: int) -> None:
        """The size of a body is the business of `HTTP1Connection`."""

    def set_body_timeout(self, timeout: float | None) -> None:
        """The time to read a body is the business of `HTTP1Connection`."""

    def refuse(self, error: ProtocolError) -> None:
        self._stream.close()


class StreamAnswer(Http1Exchange):
    """One answer.  The request's body is read elsewhere."""

    def __init__(self, stream: IOStream, head: RequestHead, limits: Limits, no_keep_alive: bool) -> None:
        self._carrier = _StreamCarrier(stream, limits)
        address = None if stream.closed() else stream.socket.getpeername()
        super().__init__(self._carrier, head, Peer(address, "http", None, None))
        self.complete = True
        if no_keep_alive:
            self.keep_alive = False

    def invite(self) -> None:
        """Asks for the body, if the client waits to be asked (RFC 9110 section 10.1.1)."""
        if self.head.expect_continue and not self.started and not self._carrier.closed():
            self._carrier.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def lost(self) -> None:
        super().lost()
        self._carrier.exchange_done(self)

    async def sent(self) -> None:
        """Waits for the end of the answer.  Raises `StreamClosedError` if the client went away before."""
        await self._carrier.ended
        if not self.finished:
            raise StreamClosedError()
