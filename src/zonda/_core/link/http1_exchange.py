"""One HTTP/1 request and its answer."""

import asyncio
from collections.abc import Awaitable, Iterator
from typing import Any, BinaryIO

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.base.native import trait
from zonda._core.net.detached import stream_of
from zonda._core.net.errors import StreamClosedError
from zonda._core.net.iostream_socket import IOStream
from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.http1.events import RequestHead
from zonda._core.wire.http1.response import LAST_CHUNK, content_length, print_chunk, print_head
from zonda._core.wire.startline import RequestStartLine, ResponseStartLine
from zonda.log import app_log

from .exchange import Exchange, Peer
from .raw_stream import RawStream

#: Bytes of a body given on before others on the loop have their turn.
_TURN_BYTES = 1 << 20


@trait
class Carrier:
    """What an exchange needs of its connection."""

    __slots__ = ()

    limits: Limits
    taken: "asyncio.Future[None]"

    def write(self, data: bytes, later: bool = False) -> None:
        raise NotImplementedError

    def send_file(self, file: BinaryIO, offset: int, count: int) -> int:
        raise NotImplementedError

    def drained(self) -> "asyncio.Future[None]":
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def closed(self) -> bool:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError

    def detach(self) -> tuple[Any, bytes]:
        raise NotImplementedError

    def exchange_done(self, exchange: "Http1Exchange") -> None:
        raise NotImplementedError

    def set_body_limit(self, size: int) -> None:
        raise NotImplementedError

    def set_body_timeout(self, timeout: float | None) -> None:
        raise NotImplementedError

    def refuse(self, error: ProtocolError) -> None:
        raise NotImplementedError


class Http1Exchange(Exchange):
    """The HTTP/1 answer is framed here: Content-Length, chunks, or the end of the connection."""

    #: The answer's head was sent.
    started = False
    #: The answer is sent to its end.
    finished = False
    #: How the answer's body is framed, from `write_headers` on.
    _bodiless = False
    _chunked = False
    _remaining: int | None = None
    #: This answer was cut here, being longer or shorter than its Content-Length.
    _cut = False
    #: The request's body while it is gathered.
    _pieces: bytearray | None = None

    def __init__(self, connection: Carrier | None, head: RequestHead, peer: Peer) -> None:
        self.connection: Carrier | None = connection
        self.head = head
        self.peer = peer
        self.complete = not head.chunked and not head.length
        self.keep_alive = head.keep_alive

    # ---- the request's body

    def take(self, data: bytes) -> "asyncio.Future[None] | None":
        """A piece of the body; a future if the next has to wait."""
        if self.finished:
            return None
        if self.on_body is None:
            self._gather(data)
            return None
        size = self._limits.chunk_size
        if len(data) <= size:
            waiting = self.on_body(data)
            return None if waiting is None else asyncio.ensure_future(waiting)
        return self._hand_on(_slices(data, size))

    def _hand_on(self, pieces: Iterator[bytes]) -> "asyncio.Future[None] | None":
        """Gives the pieces on while nobody has to wait, and the loop is not kept from others."""
        given = 0
        for piece in pieces:
            waiting = self._give(piece)
            given += len(piece)
            if waiting is not None or given >= _TURN_BYTES:
                return asyncio.ensure_future(self._hand_on_later(waiting, pieces))
        return None

    async def _hand_on_later(self, waiting: Awaitable[None] | None, pieces: Iterator[bytes]) -> None:
        given = 0
        while True:
            if waiting is not None:
                await waiting
            elif given >= _TURN_BYTES or not given:
                await asyncio.sleep(0)
                given = 0
            piece = next(pieces, None)
            if piece is None or self.connection is None:
                return
            waiting = self._give(piece)
            given += len(piece)

    def _give(self, piece: bytes) -> Awaitable[None] | None:
        if self.finished or self.connection is None:
            return None
        if self.on_body is not None:
            return self.on_body(piece)
        self._gather(piece)
        return None

    def _gather(self, data: bytes) -> None:
        # One buffer: a list of the pieces would cost a multiple of them, if they are tiny.
        if self._pieces is None:
            self._pieces = bytearray(data)
        else:
            self._pieces += data

    def end(self) -> None:
        """The body is complete."""
        self.complete = True
        connection = self.connection
        if connection is None:
            return
        connection.set_body_timeout(None)
        if self._pieces is not None:
            self.body = bytes(self._pieces)
            self._pieces = None
        if self.on_end is not None:
            self.on_end()

    # ---- the answer

    def respond(
        self, status: int, reason: str, fields: dict[str, str | list[str]], body: bytes
    ) -> "asyncio.Future[None]":
        connection = self.connection
        if connection is None:
            raise StreamClosedError()
        head = self.head
        told = ""
        if not self.complete:
            # Nobody wants the rest of the body: where it ends is not waited for.
            self.keep_alive = False
        if not self.keep_alive or "Connection" in fields or head.version == "HTTP/1.0":
            told = self._connection_field(fields)
        if "Transfer-Encoding" in fields:
            fields = _without_coding(fields)
        printed = print_head(status, reason, fields, told)
        self.started = self.finished = True
        answer = printed if head.method == "HEAD" or status in (204, 304) else printed + body
        connection.write(answer, later=True)
        self.connection = self.on_body = self.on_close = self.on_end = self.on_leave = None
        connection.exchange_done(self)
        return connection.taken

    def _connection_field(self, fields: dict[str, str | list[str]]) -> str:
        """What to say of the connection's future, unless the application has said it."""
        if "Connection" in fields:
            if "close" in str(fields["Connection"]).lower():
                self.keep_alive = False
            return ""
        if not self.keep_alive:
            # HTTP/1.0 means it without saying so.
            return "close" if self.head.version == "HTTP/1.1" else ""
        return "" if self.head.version == "HTTP/1.1" else "Keep-Alive"

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        """Sends the answer's head and perhaps the first piece of its body.

        Returns a future that is done when more may be written.  Raises `HTTPOutputError` for a
        Content-Length that is no number, `ValueError` for CR, LF or NUL in a field.
        """
        assert isinstance(start_line, ResponseStartLine)
        connection = self.connection
        if connection is None or connection.closed():
            return self._closed_future()
        status = start_line.code
        fields = headers._map
        if "\n" in "".join(fields):
            raise ValueError("LF in the name of a response header")
        self._remaining = content_length(fields)
        informational = 100 <= status < 200
        self._bodiless = self.head.method == "HEAD" or status in (204, 304) or informational
        unsized = not self._bodiless and self._remaining is None
        self._chunked = unsized and self.head.version == "HTTP/1.1"
        if "Transfer-Encoding" in fields:
            fields = _without_coding(fields)
        if self._chunked:
            fields = {**fields, "Transfer-Encoding": "chunked"}
        elif unsized:
            # HTTP/1.0: the end of the connection is the end of the answer.
            self.keep_alive = False
        head = print_head(
            status, start_line.reason, fields, "" if informational else self._connection_field(fields)
        )
        self.started = self.started or not informational
        connection.write(head + self._frame(chunk) if chunk else head)
        return connection.drained()

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """Sends a piece of the body; returns a future that is done when more may be written.

        Raises `HTTPOutputError` for more bytes than Content-Length announced.
        """
        connection = self.connection
        if connection is None or connection.closed():
            return self._closed_future()
        if not self.started:
            # Tornado's oldest interface: the application prints the answer's head itself.
            self.started = True
            self.keep_alive = False
        connection.write(self._frame(chunk))
        return connection.drained()

    def _frame(self, chunk: bytes) -> bytes:
        if self._remaining is not None:
            self._remaining -= len(chunk)
            if self._remaining < 0 and not self._bodiless:
                raise self._misframed("Tried to write more data than Content-Length")
        if self._bodiless:
            return b""
        return print_chunk(chunk) if self._chunked and chunk else chunk

    def _send_from(self, file: BinaryIO, offset: int, count: int) -> int:
        connection = self.connection
        remaining = self._remaining
        if connection is None or remaining is None or remaining < count or self._bodiless:
            # Of chunks, and of what is too much, `write` takes care.
            return 0
        sent = connection.send_file(file, offset, count)
        self._remaining = remaining - sent
        return sent

    def finish(self) -> None:
        """The answer is complete.  Raises `HTTPOutputError` for fewer bytes than were announced."""
        connection = self.connection
        if connection is None or self.finished:
            return
        if not self.started:
            self.abort()
            raise HTTPOutputError("an answer was finished before its head was written")
        # Of a connection that was lost a moment ago, we may not have been told yet.
        lost = connection.closed() and not self._cut
        if self._remaining and not self._bodiless and not lost:
            raise self._misframed(f"Tried to write {self._remaining} bytes less than Content-Length")
        if self._chunked and not lost:
            connection.write(LAST_CHUNK)
        self.finished = True
        if not self.complete:
            self.keep_alive = False
        self._done()

    def _misframed(self, message: str) -> HTTPOutputError:
        """The client can tell by the end of the connection that the answer is no whole one."""
        self._cut = True
        self.abort()
        return HTTPOutputError(message)

    def _done(self) -> None:
        connection = self.connection
        self._release()
        if connection is not None:
            connection.exchange_done(self)

    def refuse(self, error: ProtocolError) -> None:
        if self.connection is not None:
            self.connection.refuse(error)

    def abort(self) -> None:
        if self.connection is not None:
            self.connection.abort()

    def drained(self) -> "asyncio.Future[None]":
        return self._closed_future() if self.connection is None else self.connection.drained()

    def _closed_future(self) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(StreamClosedError())
        future.exception()
        return future

    # ---- ends

    def tell_closed(self) -> None:
        """The client went away, or will send nothing more: `on_close`, once."""
        callback = self.on_close
        self.on_close = None
        if callback is not None and not self.finished:
            try:
                callback()
            except Exception:
                app_log.error("Uncaught exception in a close callback", exc_info=True)

    def tell_leaving(self) -> None:
        """The server waits for this answer to be able to leave: `on_leave`, once."""
        callback = self.on_leave
        self.on_leave = None
        if callback is not None:
            try:
                callback()
            except Exception:
                app_log.error("Uncaught exception in on_leave", exc_info=True)

    def lost(self) -> None:
        """The connection is gone."""
        self.connection = None
        self.tell_closed()
        self._release()

    def _release(self) -> None:
        # Handlers live as long as somebody holds them; nothing here may.
        self.connection = None
        self.on_body = self.on_end = self.on_close = self.on_leave = None

    @property
    def server_connection(self) -> Any:
        return self.connection

    @property
    def stream(self) -> RawStream | None:
        # Its `socket` cannot stand in a trait: mypyc (2.4) gives up on properties there.
        connection: Any = self.connection
        return None if connection is None else RawStream(self, connection)

    @property
    def _limits(self) -> Limits:
        assert self.connection is not None
        return self.connection.limits

    def set_max_body_size(self, max_body_size: int) -> None:
        if self.connection is not None:
            self.connection.set_body_limit(max_body_size)

    def set_body_timeout(self, timeout: float) -> None:
        if self.connection is not None:
            self.connection.set_body_timeout(timeout)

    def detach(self) -> IOStream:
        transport, unread = self.upgrade()
        return stream_of(transport, unread, asyncio.get_running_loop())

    def upgrade(self) -> tuple[Any, bytes]:
        connection = self.connection
        if connection is None:
            raise StreamClosedError()
        self._release()
        self.finished = True
        return connection.detach()


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def _without_coding(fields: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    # How the answer is framed is said here alone: what the application says would not be so.
    return {name: value for name, value in fields.items() if name != "Transfer-Encoding"}
