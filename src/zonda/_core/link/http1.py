"""The server's side of HTTP/1: the reader plugged into a stream, and an exchange per request."""

import asyncio
from typing import Any

from zonda._core.base.errors import ProtocolError
from zonda._core.net.errors import StreamClosedError
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.http1.events import END, RequestHead
from zonda._core.wire.http1.request import Event
from zonda._core.wire.inflate import is_gzipped
from zonda.log import app_log

from .exchange import Keeper, Peer
from .http1_ends import NOTHING, Http1Ending
from .http1_exchange import Http1Exchange
from .inflate import InflatingExchange


class Http1Connection(Http1Ending):
    """One accepted connection.  Requests are answered one after the other, in the order they came.

    Events of the reader wait in `_events` while the request before them is being answered; nothing is
    read meanwhile past `Limits.read_ahead_bytes`.
    """

    __slots__ = ("_advancing",)

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(keeper, loop)
        self._advancing = False

    # ---- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.peer = Peer(self.address, self.keeper.protocol, self.ssl_object, self.keeper.proxy)
        self.keeper.joined(self)
        self.deadline = self.keeper.idle_deadline

    def data_received(self, data: bytes) -> None:
        """Takes what was read, now or at the end of the turn, which calls with nothing more."""
        reader = self._reader
        unread = self.unread
        if unread is not None:
            self.unread = None
            data = unread + data
        else:
            turn = self.turn
            if (
                turn is not None
                and turn.many
                and len(data) <= turn.SHORT
                and self.current is None
                and not self._events
                # Of a client that pipelines, one read is work for long.
                and reader.alone
            ):
                if len(turn.readers) >= turn.MOST:
                    turn.end()
                if not turn.due:
                    turn.due = True
                    self.loop.call_soon(turn.end)
                turn.readers.append(self)
                self.unread = data
                return
        if self._ending:
            return
        if self._events or self._body_held or reader.held:
            reader.push(data)
            if reader.waiting > self.limits.read_ahead_bytes:
                self._pause_reading()
            return
        new = reader.feed(data)
        if len(new) == 1 and self.current is None and not reader.more and not self._write_paused:
            head = new[0]
            if type(head) is RequestHead:
                # The usual case, one request and nothing else, needs no queue.
                self._advancing = True
                try:
                    self._begin(head)
                finally:
                    self._advancing = False
                if not reader.more:
                    return
                # An upgrade that was not taken: there is something behind it.
                new = []
        self._advance(new)

    def eof_received(self) -> bool:
        """The client sends nothing more; it may still read (RFC 9112 section 9.6)."""
        if self.unread is not None:
            self.data_received(b"")
        self._eof = True
        return not self._ending and self._behind_eof() and self.ssl_object is None

    def _behind_eof(self) -> bool:
        """Goes on with what has come whole; False if there is nothing to go on with."""
        exchange = self.current
        if exchange is None:
            return bool(self._events) or self._reader.more
        if exchange.complete:
            # It may be half-closed, or gone: the handler is told, and what it still answers is sent.
            exchange.tell_closed()
            self._set_deadline()
        elif not self._events and not self._body_held:
            self._reader.close()
            exchange.lost()
            return False
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.unread is not None:
            self.data_received(b"")
        super().connection_lost(exc)
        self._reader.close()
        self._events.clear()
        exchange = self.current
        if exchange is not None:
            self.current = None
            exchange.lost()
        self.keeper.left(self)

    # ---- the way of events

    def _advance(self, new: list[Event]) -> None:
        """Works on what has come until it runs out, or a request has to be waited for."""
        self._advancing = True
        self.cork()
        events = self._events
        if events is NOTHING:
            events = self._events = []
        events.extend(new)
        reader = self._reader
        room = self.limits.pipelined_requests
        try:
            while True:
                if events:
                    if type(events[0]) is RequestHead:
                        if not room:
                            # Others on the loop have their turn; what comes meanwhile is pushed.
                            self.loop.call_soon(self._go_on)
                            break
                        room -= 1
                    if not self._take(events):
                        break
                elif reader.more and not self._body_held and not self._blocked():
                    events.extend(reader.feed(b""))
                else:
                    break
        finally:
            self._advancing = False
            self.uncork()
        if self._reading_paused and not events and not self._body_held and not reader.held:
            self._resume_reading()
        if self._eof:
            if not events and not self._ending and not self._behind_eof():
                self.close()
        elif self.current is None and reader.in_head:
            self._in_next_head()

    def _go_on(self) -> None:
        if not self._ending and not self._advancing:
            self._advance([])

    def _blocked(self) -> bool:
        """What stands behind the current request has to wait for it."""
        exchange = self.current
        return exchange is not None and exchange.complete and not exchange.finished

    def _take(self, events: list[Event]) -> bool:
        """Works on the first event; False if it has to wait."""
        event = events[0]
        exchange = self.current
        if type(event) is bytes or event is END:
            events.pop(0)
            if exchange is not None:
                return self._take_body(exchange, event)
        elif type(event) is RequestHead:
            if exchange is not None or self._write_paused:
                # A client that does not read its answers gets no more of them.
                return False
            events.pop(0)
            self._begin(event)
        else:
            assert isinstance(event, ProtocolError)
            if exchange is not None and exchange.complete:
                return False
            events.pop(0)
            self.refuse(event)
        return True

    def _take_body(self, exchange: Http1Exchange, event: Event) -> bool:
        try:
            if event is END:
                exchange.end()
                return True
            assert isinstance(event, bytes)
            if exchange.on_body is None and exchange.head.chunked:
                self._check_chunks()
            waiting = exchange.take(event)
        except ProtocolError as error:
            self.refuse(error)
            return True
        if waiting is not None:
            self._hold_body(waiting)
            return False
        self._set_deadline()
        return True

    def _check_chunks(self) -> None:
        count = self._reader.chunks
        if count > self.limits.chunk_count:
            raise ProtocolError(f"too many chunks: {count}, {self.limits.chunk_count} are allowed", 413)

    def _begin(self, head: RequestHead) -> None:
        if not self.keeper.keep_alive and not (self.keeper.draining and self._events):
            head.keep_alive = False
        exchange: Http1Exchange
        if self.keeper.decompress and is_gzipped(head):
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
        elif exchange.head.expect_continue and not exchange.started and not self._reader.waiting:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _hold_body(self, waiting: "asyncio.Future[None]") -> None:
        self._body_held = True
        self._pause_reading()
        self._set_deadline()
        waiting.add_done_callback(self._release_body)

    def _release_body(self, waiting: "asyncio.Future[None]") -> None:
        self._body_held = False
        error = None if waiting.cancelled() else waiting.exception()
        if self.closed():
            if error is not None and not isinstance(error, StreamClosedError | ProtocolError):
                app_log.error("Uncaught exception", exc_info=error)
        elif isinstance(error, ProtocolError):
            self.refuse(error)
        elif isinstance(error, HTTPInputError):
            self.refuse(ProtocolError(str(error)))
        elif error is not None or waiting.cancelled():
            if error is not None:
                app_log.error("Uncaught exception", exc_info=error)
            self.abort()
        else:
            self._set_deadline()
            self._advance([])

    def exchange_done(self, exchange: Http1Exchange) -> None:
        """An answer is finished, and the request has been read to its end, or is the last: on to the next."""
        if self.current is exchange:
            self.current = None
        head = exchange.head
        if not exchange.keep_alive:
            self._end(unread=not exchange.complete)
            return
        if not self._write_paused:
            self.deadline = self.keeper.idle_deadline
        if head.upgrade:
            self._reader.resume()
        if not self._advancing:
            if self._events or self._reader.more:
                # What the handler does behind its answer comes before the next request.
                self.loop.call_soon(self._go_on)
            elif self._eof:
                self.close()
            else:
                if self._reader.in_head:
                    self._in_next_head()
                if self._reading_paused:
                    self._resume_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.closed() or self._ending:
            return
        self._set_deadline()
        if self.current is None and self._events and not self._advancing:
            self._advance([])

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
        # What is still to be done here must not touch what is now another's.
        self.transport = None
        self._reading_paused = False
        return transport, rest
