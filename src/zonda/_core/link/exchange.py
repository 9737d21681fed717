"""One request and its answer, whatever protocol carries them: the word that crosses from link to web.

An `Exchange` is what Tornado calls the request's connection: `write_headers`, `write`, `finish` for users of
Tornado's interface, `respond` for an answer that is whole.  HTTP/1 has its own subclass, and what comes
later (HTTP/2, ASGI, WSGI) will have theirs; nobody above asks which.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.base.native import mypyc_attr
from zonda._core.net.stream import Turn
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.http1.events import RequestHead
from zonda._core.wire.http1.usual import Shared

from .delegates import HTTPConnection
from .raw_stream import RawStream

if TYPE_CHECKING:
    # Whom nobody detaches needs no streams of Tornado's, nor their loop.
    from zonda._core.net.iostream_socket import IOStream

#: Bytes of a file sent before others on the loop have their turn.
_TURN_BYTES = 1 << 20
#: Bytes read at once where the kernel does not send by itself: as many as make the writer wait.
_PIECE_BYTES = DEFAULT_LIMITS.write_high_water + 1


class Proxy(Protocol):
    """What a proxy in front of us is believed about the client."""

    def client(self, headers: HTTPHeaders, ip: str, protocol: str) -> tuple[str, str]:
        """The client's address and protocol, given what the connection itself shows."""


class Peer:
    """Who is at the other end of a connection, as the connection itself knows it."""

    __slots__ = ("address", "protocol", "proxy", "ssl_object")

    def __init__(self, address: Any, protocol: str, ssl_object: Any, proxy: Proxy | None) -> None:
        #: As `socket.accept` gave it: (host, port, ...) or, for a Unix socket, a string.
        self.address = address
        #: "http" or "https".
        self.protocol = protocol
        self.ssl_object = ssl_object
        self.proxy = proxy

    @property
    def is_unix(self) -> bool:
        return not isinstance(self.address, tuple)

    @property
    def ip(self) -> str:
        """The numeric address; "0.0.0.0" on a Unix socket."""
        return "0.0.0.0" if self.is_unix else str(self.address[0])

    def __str__(self) -> str:
        return "" if self.is_unix else self.ip


@mypyc_attr(allow_interpreted_subclasses=True)
class Exchange(HTTPConnection):
    """A request that has come, and its answer.

    The order of things: `serve(exchange)` is called once, when the head is there and every earlier
    request of the connection is answered.  If `complete`, the body is whole in `body`.  Otherwise
    whoever serves sets `on_body` to take the body piece by piece (an awaitable that it returns holds the next
    piece back), or leaves it None to have it gathered in `body`; and sets `on_end`, called when the body is
    complete.  `on_close` is called, once, if the client goes away before the answer is finished.
    `on_leave` is called, once, if the server is about to leave and waits for this answer; set while it
    leaves already, it is called a moment later.
    """

    head: RequestHead
    peer: Peer
    body: bytes = b""
    complete: bool
    on_body: Callable[[bytes], Awaitable[None] | None] | None = None
    on_end: Callable[[], None] | None = None
    on_close: Callable[[], None] | None = None
    on_leave: Callable[[], None] | None = None

    def respond(
        self, status: int, reason: str, fields: dict[str, str | list[str]], body: bytes
    ) -> "asyncio.Future[None]":
        """Sends a whole answer.  `fields` holds its Content-Length, where it has one.

        Returns a future that is done.
        """
        raise NotImplementedError

    def drained(self) -> "asyncio.Future[None]":
        """A future that is done when the kernel has room for more."""
        raise NotImplementedError

    def push(self, chunk: bytes) -> bool:
        """Sends a piece of the body, whose head was sent, for those who do not wait.

        False: the kernel takes no more for now (`drained()` tells when it does; the piece was taken), or the
        client is gone.
        """
        taken = self.write(chunk)
        return taken.done() and taken.exception() is None

    async def send_file(self, file: BinaryIO, offset: int, count: int) -> None:
        """Sends `count` bytes of a file as a piece of the body, whose head was sent, at the client's pace.

        `file` is a regular file, opened for bytes and unbuffered.  Fewer are sent if it ends before.
        Raises `StreamClosedError` once the client is gone, and `OSError` for what cannot be read.
        """
        turn = _TURN_BYTES
        while count:
            sent = self._send_from(file, offset, min(count, turn))
            if not sent:
                file.seek(offset)
                piece = file.read(min(count, _PIECE_BYTES))
                sent = len(piece)
                if not sent:
                    return
                self.write(piece)
            offset += sent
            count -= sent
            turn -= sent
            await self.drained()
            if turn <= 0:
                turn = _TURN_BYTES
                await asyncio.sleep(0)

    def _send_from(self, file: BinaryIO, offset: int, count: int) -> int:
        """Has the kernel send from a file, where it can and has room; returns how many bytes."""
        return 0

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Sets `on_close`."""
        self.on_close = callback

    def set_max_body_size(self, max_body_size: int) -> None:
        """Bounds the body of this request, in bytes, in place of `Limits.body_bytes`."""
        raise NotImplementedError

    def set_body_timeout(self, timeout: float) -> None:
        """Bounds the time to read the body of this request, in seconds, in place of `Limits.body_timeout`."""
        raise NotImplementedError

    @property
    def server_connection(self) -> Any:
        """What stands for the connection in Tornado's interfaces; None once the exchange is over."""
        raise NotImplementedError

    @property
    def stream(self) -> RawStream | None:
        """The connection underneath, to write past HTTP; None once the exchange is over."""
        raise NotImplementedError

    def refuse(self, error: ProtocolError) -> None:
        """The request turned out to be bad: one log line, the answer that is due, the connection's end."""
        raise NotImplementedError

    def abort(self) -> None:
        """Ends the connection at once."""
        raise NotImplementedError

    def detach(self) -> "IOStream":
        """Takes the connection out of HTTP: a stream, what was received behind the request first.

        Raises `StreamClosedError` if the client is gone.
        """
        raise NotImplementedError

    def upgrade(self) -> Any:
        """Takes the connection out of HTTP: returns its stream and what was received behind the request."""
        raise NotImplementedError


#: What answers: called with every `Exchange` once its head is there.
Serve = Callable[[Exchange], None]


@mypyc_attr(allow_interpreted_subclasses=True)
class Keeper:
    """What a connection needs of whoever accepted it.

    A class of this room, and no protocol: its connections look here with every request, and compiled code
    finds without a search what it has compiled.  Whoever subclasses it sets what is declared here.
    """

    limits: Limits
    serve: Serve
    decompress: bool
    keep_alive: bool
    #: The server is about to leave.
    draining: bool
    protocol: str
    #: Whose word on the client is taken, if anybody's.
    proxy: Proxy | None
    #: What the readers of its connections share; a future that is done; their turn.
    readers: Shared
    taken: "asyncio.Future[None] | None"
    turn: Turn
    #: When a connection that falls idle now is to be closed (`monotonic` seconds, a little late at most).
    #: None is allowed so that it stays one object, compiled too: it is handed on with every answer.
    idle_deadline: float | None

    def joined(self, connection: Any) -> None:
        """A connection is open."""
        raise NotImplementedError

    def left(self, connection: Any) -> None:
        """It is closed."""
        raise NotImplementedError
