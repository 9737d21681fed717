"""The client's side of HTTP/1: the reader of responses plugged into a stream."""

import asyncio
from collections import deque
from typing import Protocol

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.net.stream import Stream
from zonda._core.wire.http1.events import END, ResponseHead
from zonda._core.wire.http1.response_reader import Event, ResponseReader


class Receiver(Protocol):
    """Who gets the answer to one request.  After `ended` or `failed` nothing more comes."""

    def head_received(self, head: ResponseHead) -> None:
        """A head; an interim one (1xx) is followed by others."""

    def body_received(self, data: bytes) -> "asyncio.Future[None] | None":
        """A piece of the body; a future if the next has to wait for it."""

    def ended(self) -> None:
        """The answer is complete."""

    def failed(self, error: BaseException | None) -> None:
        """There will be no more of it: `ProtocolError`, what closed the connection, or None for an end."""


class Http1ClientConnection(Stream):
    """One connection to a server.  One request at a time: `begin`, then what `write` sends."""

    __slots__ = (
        "_advancing",
        "_body_held",
        "_events",
        "_reader",
        "idle_since",
        "keep_alive",
        "receiver",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        super().__init__(loop, limits)
        #: Who waits for an answer; None between requests.
        self.receiver: Receiver | None = None
        #: When the last one ended, on the loop's clock.
        self.idle_since = 0.0
        self._reader = ResponseReader(limits)
        self._events: deque[Event] = deque()
        self._body_held = False
        self._advancing = False
        #: Another request may follow the one under way.
        self.keep_alive = True

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the last one ended well, nothing came behind it."""
        transport = self.transport
        return (
            self.receiver is None
            and self.keep_alive
            and self._reader.idle
            and transport is not None
            and not transport.is_closing()
        )

    def begin(self, receiver: Receiver, method: str, upgradable: bool = False) -> None:
        """A request follows; `receiver` gets its answer."""
        self.receiver = receiver
        self._reader.expect(method, upgradable)

    def release(self) -> None:
        """Nobody waits for the answer any more: the connection is of no more use."""
        self.receiver = None
        self._events.clear()
        self._reader.close()
        self.abort()

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """Ends HTTP here, behind a 101: the transport, and what was received and not read."""
        assert self.transport is not None
        self.receiver = None
        self.transport.pause_reading()
        return self.transport, self._reader.take_rest()

    # ---- what the loop calls

    def data_received(self, data: bytes) -> None:
        if self.receiver is None:
            # Bytes that nobody asked for: whose answer would they be?
            self._reader.close()
            self.close()
        elif self._body_held or self._advancing:
            self._reader.push(data)
        else:
            self._advance(self._reader.feed(data))

    def eof_received(self) -> bool:
        self.keep_alive = False
        if self.receiver is not None and not self._body_held:
            self._end_of_input()
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self.keep_alive = False
        if self.receiver is not None and not self._body_held:
            self._end_of_input()

    # ---- the way of events

    def _advance(self, events: list[Event]) -> None:
        queue = self._events
        queue.extend(events)
        self._advancing = True
        try:
            while self.receiver is not None and not self._body_held:
                if queue:
                    self._take(queue.popleft(), self.receiver)
                elif self._reader.more:
                    queue.extend(self._reader.feed(b""))
                else:
                    break
        finally:
            self._advancing = False

    def _take(self, event: Event, receiver: Receiver) -> None:
        if type(event) is bytes:
            waiting = receiver.body_received(event)
            if waiting is not None:
                self._hold_body(waiting)
        elif event is END:
            self._end(receiver)
        elif type(event) is ResponseHead:
            receiver.head_received(event)
            if self.receiver is None:
                return
            if event.status == 101 or (event.status >= 200 and not event.has_body):
                self.keep_alive = self.keep_alive and event.keep_alive and not event.upgrade
                self._end(receiver)
            elif event.status >= 200:
                self.keep_alive = self.keep_alive and event.keep_alive
                error = self._reader.check_length()
                if error is not None:
                    self._fail(error)
        else:
            assert isinstance(event, ProtocolError)
            self._fail(event)

    def _end(self, receiver: Receiver) -> None:
        self.receiver = None
        receiver.ended()

    def _fail(self, error: BaseException | None) -> None:
        receiver = self.receiver
        self.release()
        if receiver is not None:
            receiver.failed(error)

    def _end_of_input(self) -> None:
        """The server has closed: the end of a body, or too early."""
        if self._reader.more or self._events:
            self._advance([])
        if self.receiver is None or self._body_held:
            return
        if self._reader.eof() == [END]:
            self._end(self.receiver)
        else:
            self._fail(self.error)

    def _hold_body(self, waiting: "asyncio.Future[None]") -> None:
        self._body_held = True
        if self.transport is not None:
            self.transport.pause_reading()
        waiting.add_done_callback(self._release_body)

    def _release_body(self, waiting: "asyncio.Future[None]") -> None:
        self._body_held = False
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.resume_reading()
        if self.receiver is None:
            return
        if waiting.cancelled() or waiting.exception() is not None:
            self._fail(asyncio.CancelledError() if waiting.cancelled() else waiting.exception())
            return
        self._advance([])
        if transport is None or (not self.keep_alive and transport.is_closing()):
            self._end_of_input()
