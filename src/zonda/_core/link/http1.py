"""The server's side of HTTP/1: the reader plugged into a stream, and an exchange per request."""

import asyncio
from collections import deque
from typing import Any

from zonda._core.base.clock import monotonic
from zonda._core.base.errors import ProtocolError
from zonda._core.net.stream import Stream
from zonda._core.wire.http1.events import END, RequestHead
from zonda._core.wire.http1.request import Event, RequestReader
from zonda._core.wire.http1.response import print_head
from zonda.log import gen_log, safe_text

from .exchange import Keeper, Peer
from .http1_exchange import Http1Exchange
from .inflate import InflatingExchange, wants_inflating

#: How long a connection that we refused is kept to let the client read why (RFC 9112 section 9.6).
_LINGER = 2.0


class Http1Connection(Stream):
    """One accepted connection.  Requests are answered one after the other, in the order they came.

    Events of the reader wait in `_events` while the request before them is being answered; nothing is
    read meanwhile past `Limits.read_ahead_bytes`.
    """

    __slots__ = (
        "_advancing",
        "_body_deadline",
        "_body_held",
        "_eof",
        "_events",
        "_in_head",
        "_lingering",
        "_reader",
        "_reading_paused",
        "_unsent",
        "current",
        "deadline",
        "keeper",
        "peer",
    )

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, keeper.limits)
        self.keeper = keeper
        self.peer = Peer(None, keeper.protocol, None, keeper.proxy)
        #: The request being answered, or whose body is still coming.
        self.current: Http1Exchange | None = None
        #: When the listener's timer has to look at this connection; None = never.
        self.deadline: float | None = None
        self._reader = RequestReader(keeper.limits)
        self._events: deque[Event] = deque()
        self._advancing = False
        self._reading_paused = False
        self._body_held = False
        self._body_deadline: float | None = None
        self._unsent = 0
        self._eof = False
        self._in_head = False
        self._lingering = False

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.peer = Peer(self.address, self.keeper.protocol, self.ssl_object, self.keeper.proxy)
        self.keeper.joined(self)
        self.deadline = self.keeper.idle_deadline

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        reader = self._reader
        if self._events or self._body_held:
            reader.push(data)
            if reader.waiting > self.limits.read_ahead_bytes:
                self._pause_reading()
            return
        new = reader.feed(data)
        if len(new) == 1 and self.current is None and not reader.more:
            head = new[0]
            if type(head) is RequestHead:
                # The usual case, one request and nothing else, needs no queue.
                self._advancing = True
                self._begin(head)
                self._advancing = False
                return
        self._advance(new)

    def eof_received(self) -> bool:
        """The client sends nothing more; it may still read (RFC 9112 section 9.6)."""
        self._eof = True
        exchange = self.current
        if self._lingering or exchange is None:
            return False
        if not exchange.complete:
            self._reader.close()
            exchange.lost()
            return False
        # It may be half-closed, or gone: the handler is told, and what it still answers is sent.
        exchange.tell_closed()
        self.deadline = monotonic() + self.limits.stall_timeout
        return self.ssl_object is None

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.keeper.left(self)
        self._reader.close()
        self._events.clear()
        exchange = self.current
        if exchange is not None:
            self.current = None
            exchange.lost()

    # ---- the way of events

    def _advance(self, new: list[Event]) -> None:
        """Works on what has come until it runs out, or a request has to be waited for."""
        self._advancing = True
        self.cork()
        events = self._events
        events.extend(new)
        reader = self._reader
        try:
            while True:
                if events:
                    if not self._take(events):
                        break
                elif reader.more and not self._body_held and not self._blocked():
                    events.extend(reader.feed(b""))
                else:
                    break
        finally:
            self._advancing = False
            self.uncork()
        if self._reading_paused and not events and not self._body_held:
            self._resume_reading()
        if self.current is None and reader.in_head:
            self._in_next_head()

    def _blocked(self) -> bool:
        """What stands behind the current request has to wait for it."""
        exchange = self.current
        return exchange is not None and exchange.complete and not exchange.finished

    def _take(self, events: deque[Event]) -> bool:
        """Works on the first event; False if it has to wait."""
        event = events[0]
        exchange = self.current
        if type(event) is bytes or event is END:
            events.popleft()
            if exchange is not None:
                return self._take_body(exchange, event)
        elif type(event) is RequestHead:
            if exchange is not None:
                return False
            events.popleft()
            self._begin(event)
        else:
            assert isinstance(event, ProtocolError)
            if exchange is not None and exchange.complete:
                return False
            events.popleft()
            self.refuse(event)
        return True

    def _take_body(self, exchange: Http1Exchange, event: Event) -> bool:
        try:
            if event is END:
                exchange.end()
                return True
            assert isinstance(event, bytes)
            waiting = exchange.take(event)
        except ProtocolError as error:
            self.refuse(error)
            return True
        if waiting is not None:
            self._hold_body(waiting)
            return False
        if self._body_deadline is None:
            self.deadline = monotonic() + self.limits.stall_timeout
        return True

    def _begin(self, head: RequestHead) -> None:
        if not self.keeper.keep_alive:
            head.keep_alive = False
        exchange: Http1Exchange
        if self.keeper.decompress and wants_inflating(head):
            exchange = InflatingExchange(self, head, self.peer)
        else:
            exchange = Http1Exchange(self, head, self.peer)
        self.current = exchange
        self.deadline = None
        self._in_head = False
        if not exchange.complete:
            self._begin_body(exchange)
            return
        self.keeper.serve(exchange)

    def _begin_body(self, exchange: Http1Exchange) -> None:
        self.set_body_timeout(self.limits.body_timeout)
        self.keeper.serve(exchange)
        if self.closed() or exchange.finished:
            return
        error = self._reader.check_length()
        if error is not None:
            self.refuse(error)
        elif exchange.head.expect_continue and not self._reader.waiting:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _hold_body(self, waiting: "asyncio.Future[None]") -> None:
        self._body_held = True
        self._pause_reading()
        waiting.add_done_callback(self._release_body)

    def _release_body(self, waiting: "asyncio.Future[None]") -> None:
        self._body_held = False
        if not self.closed():
            self._advance([])

    def exchange_done(self, exchange: Http1Exchange) -> None:
        """An answer is finished, and the request has been read to its end: on to the next."""
        if self.current is exchange:
            self.current = None
        head = exchange.head
        if self._eof or not exchange.keep_alive:
            self._reader.close()
            self._events.clear()
            self.close()
            return
        self.deadline = self.keeper.idle_deadline
        if head.upgrade:
            self._reader.resume()
        if not self._advancing:
            if self._events or self._reader.more:
                self._advance([])
            else:
                if self._reader.in_head:
                    self._in_next_head()
                if self._reading_paused:
                    self._resume_reading()

    def _in_next_head(self) -> None:
        """Part of a head has come: from its first byte on, the rest has to come in time."""
        if not self._in_head:
            self._in_head = True
            self.deadline = monotonic() + self.limits.head_timeout

    # ---- errors and times

    def refuse(self, error: ProtocolError) -> None:
        """Answers a request that cannot be read: one line in the log, one answer, nothing after it."""
        exchange = self.current
        self.current = None
        self._events.clear()
        self._reader.close()
        gen_log.info("Malformed HTTP message from %s: %s", self.peer, safe_text(error.reason))
        if exchange is not None:
            answered = exchange.started
            exchange.lost()
            if answered:
                self.close()
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
        self._lingering = True
        self.deadline = monotonic() + _LINGER
        self.uncork()
        if self.transport is not None:
            if self._reading_paused:
                self._resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()

    def expire(self, now: float) -> None:
        """The listener's timer found the deadline passed."""
        self.deadline = None
        exchange = self.current
        transport = self.transport
        if transport is not None and (self._write_paused or transport.is_closing()) and not self._lingering:
            if transport.get_write_buffer_size() < self._unsent:
                self._watch_writing()
                return
            gen_log.info("Timeout writing to %s: the client does not read", self.peer)
            self.abort()
        elif self._lingering or self._eof:
            self.abort()
        elif exchange is not None and not exchange.complete:
            gen_log.info("Timeout reading body from %s", self.peer)
            self.current = None
            started = exchange.started
            exchange.lost()
            self._reader.close()
            self._events.clear()
            if started:
                self.close()
            else:
                self._answer_error(408, "Timeout reading body")
        elif exchange is None and self._reader.in_head:
            gen_log.info("Timeout reading headers from %s", self.peer)
            self._reader.close()
            self._answer_error(408, "Timeout reading headers")
        elif exchange is None:
            self.close()

    def set_body_timeout(self, timeout: float | None) -> None:
        """Bounds the time until the body is whole; None: only a stall ends it."""
        exchange = self.current
        reading = exchange is not None and not exchange.complete
        self._body_deadline = None if timeout is None else monotonic() + timeout
        if self._body_deadline is not None:
            self.deadline = self._body_deadline
        else:
            self.deadline = monotonic() + self.limits.stall_timeout if reading else None

    @property
    def body_limit(self) -> int:
        """Bytes that the body being read may have."""
        return self._reader.body_limit

    @body_limit.setter
    def body_limit(self, size: int) -> None:
        self._reader.body_limit = size

    # ---- a client that does not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.closed():
            return
        if self.current is None:
            self.deadline = self.keeper.idle_deadline
        elif self.current.complete:
            self.deadline = None

    def _watch_writing(self) -> None:
        if self.transport is not None:
            self._unsent = self.transport.get_write_buffer_size()
            self.deadline = monotonic() + self.limits.stall_timeout

    def close(self) -> None:
        super().close()
        if self.transport is not None:
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

    def detach(self) -> tuple[Any, bytes]:
        """Ends HTTP on this connection: the transport, and what was received and not read."""
        transport = self.transport
        self.uncork()
        self._pause_reading()
        rest = self._reader.take_rest()
        self._events.clear()
        self.current = None
        self.deadline = None
        self.keeper.left(self)
        return transport, rest
