"""One connection of the server or the client on an asyncio transport, with back-pressure both ways.

The transports of asyncio and uvloop do the reading and writing; `Stream` adds what an engine above it needs:
writes gathered while a read is being worked on, a future for "the kernel took it", and bounds.
"""

import asyncio
import os
import socket
from typing import Any, BinaryIO, Final, cast

from zonda._core.base.limits import Limits
from zonda._core.base.native import mypyc_attr

from .errors import StreamClosedError
from .futures import done_future


@mypyc_attr(allow_interpreted_subclasses=True)
class Stream(asyncio.Protocol):
    """A transport and its state; protocol engines (`link/`) subclass it and define `data_received`."""

    __slots__ = (
        "_corked",
        "_drain_waiters",
        "_gathered",
        "_gathered_more",
        "_gathered_size",
        "_write_paused",
        "address",
        "error",
        "limits",
        "loop",
        "taken",
        "transport",
        "turn",
        "unread",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, taken: "asyncio.Future[None] | None" = None
    ) -> None:
        self.loop = loop
        self.limits = limits
        self.transport: asyncio.Transport | None = None
        #: As `socket.accept` gave it: (host, port, ...), or a path.
        self.address: Any = None
        #: Why the connection was lost, if there was more to it than an end.
        self.error: BaseException | None = None
        self._write_paused = False
        self._drain_waiters: list[asyncio.Future[None]] | None = None
        #: Done, for who has nothing to wait for.  It cannot change any more, so all may have the same.
        self.taken = taken or done_future(loop)
        #: Writes are gathered, until `uncork` or the end of the turn.
        self._corked = False
        #: What `write` may leave an answer to, and `data_received` what has come.
        self.turn: Turn | None = None
        #: What has come and is worked on at the end of the turn.
        self.unread: bytes | None = None
        #: What was gathered: one piece, as of most answers; those behind it, and then the bytes of all.
        self._gathered: bytes | None = None
        self._gathered_more: list[bytes] | None = None
        self._gathered_size = 0

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.address = transport.get_extra_info("peername")
        self.transport.set_write_buffer_limits(high=self.limits.write_high_water)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self.transport = None
        self._gathered = self._gathered_more = None
        self._write_paused = False
        waiters = self._drain_waiters
        if waiters:
            self._drain_waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(StreamClosedError(real_error=exc))
                    # Whoever writes without waiting does not want to hear of it.
                    waiter.exception()

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        waiters = self._drain_waiters
        if waiters:
            self._drain_waiters = None
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # ---- what an engine calls

    def write(self, data: bytes, later: bool = False) -> None:
        """Sends, or gathers while corked; `later`: at the end of the turn will do, if it pays to wait.

        Raises `StreamClosedError` once the connection is gone.
        """
        if later and not self._corked:
            turn = self.turn
            if turn is not None and turn.many:
                # `turn.gather(self)`, without the call.
                if len(turn.writers) >= turn.MOST:
                    turn.end(False)
                if not turn.due:
                    turn.due = True
                    self.loop.call_soon(turn.end)
                turn.writers.append(self)
                self._corked = True
        if self._corked:
            if self._gathered is None:
                self._gathered = data
            else:
                self._gather_behind(self._gathered, data)
            return
        transport = self.transport
        if transport is None or transport.is_closing():
            raise StreamClosedError(real_error=self.error)
        transport.write(data)
        if self._write_paused:
            self._check_unsent(transport)

    def _gather_behind(self, first: bytes, data: bytes) -> None:
        more = self._gathered_more
        if more is None:
            more = self._gathered_more = []
            self._gathered_size = len(first)
        more.append(data)
        self._gathered_size += len(data)
        if self._gathered_size > self.limits.write_high_water:
            self.uncork()

    def _check_unsent(self, transport: asyncio.Transport) -> None:
        if transport.get_write_buffer_size() > self.limits.write_buffer_bytes:
            self.error = BufferError(
                f"the peer does not read: more than {self.limits.write_buffer_bytes} bytes wait to be sent"
            )
            transport.abort()

    def send_file(self, file: BinaryIO, offset: int, count: int) -> int:
        """Sends at most `count` bytes of a regular file past `transport.write`; returns how many.

        The kernel takes them from its own memory (sendfile(2)).  0: it has no room, or something is still to
        be sent before, or it cannot be done with this file or connection (TLS): `write` them instead.
        Raises `StreamClosedError` once the connection is gone.
        """
        if self._gathered is not None:
            self.uncork()
        transport = self.transport
        if transport is None or transport.is_closing():
            raise StreamClosedError(real_error=self.error)
        number = self.descriptor()
        if number < 0 or transport.get_write_buffer_size():
            return 0
        try:
            return os.sendfile(number, file.fileno(), offset, count)
        except ConnectionError as error:
            self.error = error
            self.abort()
            raise StreamClosedError(real_error=error) from None
        except (OSError, AttributeError):
            # AttributeError: not every system has sendfile.
            return 0

    def cork(self) -> None:
        """From here to `uncork`, writes are gathered into one."""
        self._corked = True

    def uncork(self) -> None:
        """Sends what was gathered."""
        self._corked = False
        data, more = self._gathered, self._gathered_more
        if data is not None:
            self._gathered = self._gathered_more = None
            if not self.closed():
                self.write(data if more is None else b"".join([data, *more]))

    def drained(self) -> "asyncio.Future[None]":
        """A future that is done when a writer may go on: the kernel has room again."""
        closed = self.closed()
        if not closed and not self._write_paused:
            return self.taken
        future: asyncio.Future[None] = self.loop.create_future()
        if closed:
            future.set_exception(StreamClosedError(real_error=self.error))
            future.exception()
        else:
            if self._drain_waiters is None:
                self._drain_waiters = []
            self._drain_waiters.append(future)
        return future

    def unsent(self) -> int:
        """Bytes that were written and that the kernel has not taken, as far as it can be known."""
        if self.transport is None:
            return 0
        try:
            return self.transport.get_write_buffer_size()
        except AttributeError:
            # asyncio's TLS transport forgets what it still has to send once it is closing.
            return 0

    def closed(self) -> bool:
        transport = self.transport
        return transport is None or transport.is_closing()

    def close(self) -> None:
        """Closes behind what was written."""
        if self._gathered is not None:
            self.uncork()
        if self.transport is not None:
            self.transport.close()

    def leave(self) -> None:
        """Closes because the server or the client as a whole ends."""
        self.close()

    def abort(self) -> None:
        """Closes at once; what was written and not sent is dropped."""
        if self.transport is not None:
            self.transport.abort()

    @property
    def socket(self) -> socket.socket | None:
        """The socket under the transport (asyncio's `TransportSocket`: for looking, not for reading)."""
        if self.transport is None:
            return None
        return cast("socket.socket | None", self.transport.get_extra_info("socket"))

    def descriptor(self) -> int:
        """The number of the socket, for what may be sent past an open transport that has nothing to send.

        -1: nothing may (TLS, no socket, Windows, whose sockets are no files).
        """
        sock = self.socket
        return -1 if sock is None or self.ssl_object is not None or os.name != "posix" else sock.fileno()

    @property
    def ssl_object(self) -> Any:
        """The TLS side of the connection (`ssl.SSLObject`), or None in clear text."""
        return None if self.transport is None else self.transport.get_extra_info("ssl_object")


class Turn:
    """What several streams read and write in one turn of the loop, worked on and sent at its end.

    A write wakes its reader, on another core often, and what we work on next is no longer in the caches: to
    read of many, then work, then write to all is half the processor time of doing so one by one.  A loop that
    is stopped in the same turn, and never runs again, does neither.
    """

    __slots__ = ("due", "many", "readers", "writers")

    #: Streams of a turn; then it ends for them, so that the first need not wait for all.
    MOST: Final = 64
    #: Bytes of a read that may wait; what is longer is worth a look of its own.
    SHORT: Final = 4096

    def __init__(self) -> None:
        #: Whether it pays: several streams are likely to have something to read in the same turn.
        self.many = False
        #: The loop is going to call `end`.
        self.due = False
        #: Those that have something `unread`.
        self.readers: list[Stream] = []
        #: Those that are corked.
        self.writers: list[Stream] = []

    def count(self, connections: int) -> None:
        """So many are open now."""
        self.many = connections >= 8

    def gather(self, stream: Stream) -> None:
        """From here to the end of the turn, writes of `stream` are gathered."""
        if len(self.writers) >= self.MOST:
            self.end(False)
        if not self.due:
            self.due = True
            stream.loop.call_soon(self.end)
        self.writers.append(stream)
        stream._corked = True

    def end(self, serve: bool = True) -> None:
        """Works on what was read, then sends what was written.

        Not to `serve` is for who is in the middle of an answer, whose context others must not see; the end
        itself is still to come.
        """
        if serve:
            readers, self.readers = self.readers, []
            at = 0
            while at < len(readers):
                stream = readers[at]
                at += 1
                if stream.unread is None:
                    continue
                try:
                    stream.data_received(b"")
                except Exception as error:
                    # As the loop does with what comes out of `data_received`.
                    told: dict[str, Any] = {
                        "message": "Fatal error: protocol.data_received() call failed.",
                        "exception": error,
                        "transport": stream.transport,
                        "protocol": stream,
                    }
                    stream.loop.call_exception_handler(told)
                    stream.abort()
                except BaseException:
                    # The loop ends, and may run again.
                    self.readers = readers[at:] + self.readers
                    stream.loop.call_soon(self.end)
                    raise
            self.due = False
        writers, self.writers = self.writers, []
        for stream in writers:
            # `uncork`, without its calls.
            stream._corked = False
            data, more, transport = stream._gathered, stream._gathered_more, stream.transport
            if data is None or transport is None or transport.is_closing():
                continue
            stream._gathered = stream._gathered_more = None
            transport.write(data if more is None else b"".join([data, *more]))
            if stream._write_paused:
                stream._check_unsent(transport)
