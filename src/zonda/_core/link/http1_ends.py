"""How a connection of the server ends: behind an error, behind its last answer, or when its time is over."""

import asyncio
from typing import Final

from zonda._core.base.clock import monotonic
from zonda._core.base.errors import ProtocolError
from zonda._core.net.stream import Stream
from zonda._core.wire.http1.request import Event, RequestReader
from zonda._core.wire.http1.response import print_head
from zonda.log import gen_log, safe_text

from .exchange import Keeper, Peer
from .http1_exchange import Carrier, Http1Exchange

#: How long a connection that we refused is kept to let the client read why (RFC 9112 section 9.6).
_LINGER = 2.0
#: The events of connections that never had any wait; nobody writes into it.
NOTHING: Final[list[Event]] = []


class Http1Ending(Stream, Carrier):
    """The state of an accepted connection, and what brings it to its end; `Http1Connection` is the rest."""

    __slots__ = (
        "_body_deadline",
        "_body_held",
        "_ending",
        "_eof",
        "_events",
        "_in_head",
        "_reader",
        "_reading_paused",
        "_unsent",
        "current",
        "deadline",
        "keeper",
        "peer",
    )

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, keeper.limits, keeper.taken)
        self.turn = keeper.turn
        self.keeper = keeper
        self.peer = Peer(None, keeper.protocol, None, keeper.proxy)
        #: The request being answered, or whose body is still coming.
        self.current: Http1Exchange | None = None
        #: When the listener's timer has to look at this connection; None = never.
        self.deadline: float | None = None
        self._reader = RequestReader(keeper.limits, keeper.readers)
        #: Few at a time, since the reader stops behind some; an empty deque would take 760 bytes.
        self._events = NOTHING
        self._reading_paused = False
        self._body_held = False
        self._body_deadline: float | None = None
        self._unsent = 0
        self._eof = False
        self._in_head = False
        #: Nothing is read or answered any more; the deadline is that of the connection's end.
        self._ending = False

    # ---- errors and times

    def refuse(self, error: ProtocolError) -> None:
        """Answers a request that cannot be read: one line in the log, one answer, nothing after it."""
        exchange = self.current
        self.current = None
        self._events.clear()
        self._reader.close()
        what = "Unsatisfiable read" if error.status in (414, 431) else "Malformed HTTP message"
        gen_log.info("%s from %s: %s", what, self.peer, safe_text(error.reason))
        if exchange is not None:
            answered = exchange.started
            exchange.lost()
            if answered:
                if not self.closed():
                    self._linger()
                return
        if not self.closed():
            self._answer_error(error.status, error.reason)

    def _answer_error(self, status: int, reason: str) -> None:
        body = (safe_text(reason) + "\n").encode()
        fields: dict[str, str | list[str]] = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
        }
        self.write(print_head(status, "", fields, "close") + body)
        self._linger()

    def _linger(self) -> None:
        # Closing while bytes of the client's are unread would reset the connection, and the answer with it.
        self.uncork()
        transport = self.transport
        if transport is None or not transport.can_write_eof():
            self.close()
            return
        self._ending = True
        self._watch_writing()
        if self._reading_paused:
            self._resume_reading()
        transport.write_eof()

    def expire(self, now: float) -> None:
        """The listener's timer found the deadline passed."""
        if self.unread is not None:
            return
        self.deadline = None
        exchange = self.current
        if self.transport is None:
            return
        if self._ending or self._write_paused:
            size = self.unsent()
            if size < self._unsent:
                self._watch_writing()
                return
            if size:
                gen_log.info("Timeout writing to %s: the client does not read", self.peer)
            self.abort()
        elif self._eof:
            self.abort()
        elif exchange is not None and not exchange.complete:
            gen_log.info("Timeout reading body from %s", self.peer)
            self.current = None
            started = exchange.started
            exchange.lost()
            self._reader.close()
            self._events.clear()
            if started:
                self._linger()
            else:
                self._answer_error(408, "Timeout reading body")
        elif exchange is None and self._reader.in_head:
            gen_log.info("Timeout reading headers from %s", self.peer)
            self._reader.close()
            self._answer_error(408, "Timeout reading headers")
        elif exchange is None:
            self.close()

    def retire(self, now: float) -> None:
        """The server is to leave, and asks again and again: what was begun ends, and nothing is broken off.

        A connection that is closed the moment it falls idle may cross a request that is under way to it.
        So its next request is answered as the last; who sends none for `Limits.drain_grace` is closed.
        """
        exchange = self.current
        if exchange is not None:
            if not (exchange.started or self._events or self._reader.more):
                exchange.keep_alive = False
            exchange.tell_leaving()
        elif (
            self._events
            or self.unread is not None
            or self._in_head
            or self._ending
            or self._write_paused
            or self.deadline is None
        ):
            return
        elif now >= self.deadline - self.limits.idle_timeout + self.limits.drain_grace:
            self.leave()

    def set_body_timeout(self, timeout: float | None) -> None:
        """Bounds the time until the body is whole; None: only a stall ends it."""
        self._body_deadline = None if timeout is None else monotonic() + timeout
        self._set_deadline()

    def _set_deadline(self) -> None:
        """By when something has to happen, in the state that we are in now."""
        if self._ending or self._write_paused:
            return
        exchange = self.current
        if exchange is None:
            self.deadline = self.keeper.idle_deadline
        elif exchange.complete:
            # The handler has all the time it wants, unless the client may have gone.
            self.deadline = monotonic() + self.limits.stall_timeout if self._eof else None
        elif self._body_deadline is not None:
            self.deadline = self._body_deadline
        else:
            self.deadline = None if self._body_held else monotonic() + self.limits.stall_timeout

    def set_body_limit(self, size: int) -> None:
        """Bounds the body being read, in bytes."""
        self._reader.body_limit = size

    def _end(self, unread: bool) -> None:
        """The last answer is given; `unread`: to a request whose body is still to come."""
        reader = self._reader
        reader.close()
        if (self._events or reader.dropped or unread) and not self._eof:
            self._events.clear()
            self._linger()
        else:
            self._events.clear()
            self.close()

    def _in_next_head(self) -> None:
        """Part of a head has come: from its first byte on, the rest has to come in time."""
        if not self._in_head:
            self._in_head = True
            self.deadline = monotonic() + self.limits.head_timeout

    # ---- a client that does not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def _watch_writing(self) -> None:
        """The client has to take some of what is written in time; and once it has all, it has to go."""
        if self.transport is not None:
            self._unsent = self.unsent()
            self.deadline = monotonic() + (self.limits.stall_timeout if self._unsent else _LINGER)

    def abort(self) -> None:
        # What has come and was not looked at must not be acted upon any more.
        self._ending = True
        self._events.clear()
        self._reader.close()
        super().abort()

    def close(self) -> None:
        super().close()
        self._ending = True
        self._watch_writing()

    # ---- reading

    def _pause_reading(self) -> None:
        if not self._reading_paused and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
