"""A WebSocket on a stream, the server's side or the client's: `wire/ws` plugged into a transport."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from zonda._core.base.limits import Limits
from zonda._core.base.native import mypyc_attr
from zonda._core.net.yieldable import convert_yielded
from zonda._core.wire.ws import state as states
from zonda._core.wire.ws.close import GOING_AWAY, INTERNAL_ERROR, NORMAL, print_close
from zonda._core.wire.ws.deflate import Compressor
from zonda._core.wire.ws.events import CLOSE, PING, PONG, Close, Control, Event, Failure
from zonda._core.wire.ws.handshake import accept_value
from zonda._core.wire.ws.pinging import Pinger
from zonda._core.wire.ws.printer import print_frame
from zonda._core.wire.ws.reader import FrameReader
from zonda.log import app_log, gen_log

from .alarms import Alarm, Alarms
from .websocket_receiver import Membership, Receiver, WebSocketClosedError
from .websocket_sender import WebSocketSender

_OPEN = states.OPEN


@mypyc_attr(allow_interpreted_subclasses=True)
class WebSocketConnection(WebSocketSender):
    """One WebSocket.  Tornado calls it `WebSocketProtocol13` and shows it as `handler.ws_connection`."""

    # Besides, there is a __dict__: what a program hangs on a connection costs only that connection.
    __slots__ = (
        "__dict__",
        "_alarm",
        "_alarms",
        "_busy",
        "_context",
        "_deadline",
        "_eof",
        "_events",
        "_keeper",
        "_latest_ping",
        "_pinger",
        "_pong",
        "_reader",
        "_reading_paused",
        "_scheduled",
        "close_code",
        "close_reason",
        "receiver",
        "selected_subprotocol",
    )

    #: For whoever keeps connections: no request is being answered, and no deadline is theirs to watch.
    current = None
    deadline: float | None = None

    def __init__(
        self,
        receiver: Receiver,
        reader: FrameReader,
        *,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        alarms: Alarms,
        is_server: bool,
        compressor: Compressor | None = None,
        keeper: Membership | None = None,
        subprotocol: str | None = None,
        taken: "asyncio.Future[None] | None" = None,
    ) -> None:
        super().__init__(loop, limits, is_server, compressor, taken)
        self.receiver: Receiver | None = receiver
        #: What the peer's Close frame said.
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.selected_subprotocol = subprotocol
        self._reader = reader
        self._keeper = keeper
        self.turn = None if keeper is None else keeper.turn
        self._alarms = alarms
        self._alarm: Alarm | None = None
        #: By when the peer has to go, or to take what we send.
        self._deadline: float | None = None
        self._pinger: Pinger | None = None
        #: What handlers set in the context is there for the next message.
        self._context: Context = copy_context()
        self._events: deque[Event] | None = None
        #: Something that a receiver has returned is waited for.
        self._busy = False
        #: The rest of what has come is read in the next turn of the loop.
        self._scheduled = False
        self._reading_paused = False
        self._eof = False
        #: A Pong that the kernel has not taken yet, and the payload of the latest Ping since.
        self._pong: asyncio.Future[None] | None = None
        self._latest_ping: bytes | None = None

    def begin(self, transport: Any, head: bytes, rest: bytes, opened: Callable[[], Any] | None) -> None:
        """Takes over a transport whose reading is paused: sends `head`, calls `opened`, then reads `rest`."""
        self.transport = transport
        self.address = transport.get_extra_info("peername")
        self._descriptor = self.descriptor()
        self._write_paused = transport.get_write_buffer_size() > self.limits.write_high_water
        transport.set_protocol(self)
        if head:
            self.write(head)
        if self._keeper is not None:
            self._keeper.joined(self)
        if rest:
            self._reader.push(rest)
        if opened is not None:
            self._call(opened)
        if not self._busy and self._reader.more:
            self._go_on()
        if not self._reading_paused and not self.closed():
            transport.resume_reading()

    # ---- what the loop calls

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if self._busy or self._scheduled:
            reader.push(data)
            if reader.waiting > self.limits.read_ahead_bytes and not self._reading_paused:
                self._reading_paused = True
                assert self.transport is not None
                self.transport.pause_reading()
            return
        events = reader.feed(data)
        if len(events) == 1 and not reader.more:
            event = events[0]
            if type(event) is str or type(event) is bytes:
                # The usual case, one message and nothing else, needs no queue.
                receiver, turn = self.receiver, self.turn
                if receiver is None:
                    return
                if turn is not None and turn.many:
                    turn.gather(self)
                try:
                    waiting = self._context.run(receiver.on_message, event)
                except (Exception, asyncio.CancelledError) as error:
                    self._receiver_failed(error)
                    return
                if waiting is not None:
                    self._wait(waiting)
                return
        if events or reader.more:
            self._advance(events)

    def eof_received(self) -> bool:
        self._eof = True
        return (self._busy or self._scheduled) and self.ssl_object is None

    def connection_lost(self, exc: BaseException | None) -> None:
        waiters, self._drain_waiters = self._drain_waiters, None
        super().connection_lost(exc)
        self.state = states.CLOSED
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_exception(WebSocketClosedError())
                # Whoever writes without waiting does not want to hear of it.
                waiter.exception()
        self._reader.close()
        self._events = None
        self._pinger = self._pong = self._compressor = None
        if self._alarm is not None:
            self._alarms.cancel(self._alarm)
            self._alarm = None
        if self._keeper is not None:
            self._keeper.left(self)
        receiver = self.receiver
        self.receiver = None
        if receiver is not None:
            try:
                self._context.run(receiver.on_ws_connection_close, self.close_code, self.close_reason)
            except Exception:
                app_log.error("Uncaught exception in on_close", exc_info=True)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.state == _OPEN:
            self._set_deadline(self.limits.stall_timeout)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.state == _OPEN:
            self._deadline = None

    # ---- the way of events

    def _advance(self, events: list[Event]) -> None:
        """Works on events until they run out, or have to wait."""
        queue = self._events
        if queue is None:
            queue = deque(events)
        else:
            queue.extend(events)
        self.cork()
        try:
            while queue and not self._busy:
                self._take(queue.popleft())
        finally:
            self.uncork()
        self._events = queue or None
        if not self._busy:
            self._settle()

    def _settle(self) -> None:
        """Nothing has to be waited for: on with what has come, or with reading."""
        if self.state == states.CLOSED:
            return
        if self._events or self._reader.more:
            self._scheduled = True
            self.loop.call_soon(self._next_turn)
        elif self._eof:
            if self.transport is not None:
                self.transport.close()
        elif self._reading_paused:
            self._reading_paused = False
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def _next_turn(self) -> None:
        self._scheduled = False
        if not self._busy:
            self._go_on()

    def _go_on(self) -> None:
        if self.transport is not None:
            self._advance([] if self._events else self._reader.feed(b""))

    def _take(self, event: Event) -> None:
        if type(event) is str or type(event) is bytes:
            if self.receiver is not None:
                self._call(self.receiver.on_message, event)
        elif type(event) is Control:
            self._handle_message(event.opcode, event.payload)
        elif type(event) is Close:
            self._close_seen(event)
        else:
            assert type(event) is Failure
            self.fail(event.code, event.reason)

    def _call(self, callback: Callable[..., Any], *args: Any) -> None:
        """Calls the receiver, and waits for what it returns."""
        try:
            waiting = self._context.run(callback, *args)
        except (Exception, asyncio.CancelledError) as error:
            self._receiver_failed(error)
            return
        if waiting is not None:
            self._wait(waiting)

    def _wait(self, waiting: Any) -> None:
        try:
            future: Any = self._context.run(convert_yielded, waiting)
        except Exception as error:
            self._receiver_failed(error)
            return
        if not future.done():
            self._busy = True
            future.add_done_callback(self._waited)
        elif future is not self.taken:
            self._check(future)

    def _waited(self, future: Any) -> None:
        self._busy = False
        self._check(future)
        if not self._scheduled:
            self._settle()

    def _check(self, future: Any) -> None:
        if future.cancelled():
            self._receiver_failed(asyncio.CancelledError())
        elif future.exception() is not None:
            self._receiver_failed(future.exception())

    def _receiver_failed(self, error: BaseException) -> None:
        receiver = self.receiver
        if receiver is None:
            if not isinstance(error, asyncio.CancelledError | WebSocketClosedError):
                app_log.error("Uncaught exception behind a closed WebSocket", exc_info=error)
            return
        try:
            receiver.log_exception(type(error), error, error.__traceback__)
        except Exception:
            app_log.error("Error in exception logger", exc_info=True)
        self.fail(INTERNAL_ERROR, "")

    # ---- control frames

    def _handle_message(self, opcode: int, data: bytes) -> None:
        receiver = self.receiver
        if receiver is None:
            return
        if opcode == PING:
            self._answer(data)
            self._call(receiver.on_ping, data)
        else:
            if self._pinger is not None:
                self._pinger.answered()
            self._call(receiver.on_pong, data)

    def _answer(self, data: bytes) -> None:
        """Answers a Ping; while an answer waits to be sent, only the latest is answered (section 5.5.3)."""
        if self._pong is not None:
            self._latest_ping = data
        elif self.state == _OPEN and not self.closed():
            pong = self._send_control(PONG, data)
            if not pong.done():
                self._pong = pong
                pong.add_done_callback(self._pong_taken)

    def _pong_taken(self, pong: "asyncio.Future[None]") -> None:
        data, self._latest_ping = self._latest_ping, None
        self._pong = None
        if data is not None:
            self._answer(data)

    def start_pinging(self, interval: float, timeout: float) -> None:
        """Pings every `interval` seconds; closes when no Pong comes within `timeout` (0: never)."""
        now = self.loop.time()
        self._pinger = Pinger(interval, timeout, now)
        self._alarm = self._alarms.set(self, self._pinger.wakes_at, self._alarm)

    def wake(self, now: float) -> None:
        """The alarm has rung: a ping is due, or somebody is late."""
        self._alarm = None
        deadline = self._deadline
        if deadline is not None and now >= deadline:
            self._too_late()
            return
        pinger = self._pinger if self.state == _OPEN else None
        if pinger is not None and not self.closed():
            if self._busy or self._scheduled:
                pinger.excuse(now)
            if pinger.expired(now):
                self.close(NORMAL, "ping timed out")
                return
            if pinger.due(now):
                self._send_control(PING, b"")
            deadline = pinger.wakes_at if deadline is None else min(deadline, pinger.wakes_at)
        if deadline is not None:
            self._alarm = self._alarms.set(self, deadline, self._alarm)

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        self._alarm = self._alarms.set(self, self._deadline, self._alarm)

    def _too_late(self) -> None:
        if self.state == _OPEN:
            gen_log.info("Timeout writing to %s: a WebSocket that is not read", self.peer)
        self.abort()

    # ---- the end

    def expire(self, now: float) -> None:
        """Nothing: it has alarms of its own."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begins the closing handshake; what is not closed in time is cut off.

        Raises `ValueError` for a code that must not be sent, and for a reason of more than 123 bytes.
        """
        if self.state not in (_OPEN, states.CLOSE_SEEN):
            return
        payload = print_close(code, reason)
        if self.closed():
            return
        self.state = states.close_sent(self.state)
        self.write(print_frame(CLOSE, payload, not self._is_server))
        if self.state == states.CLOSED:
            self._finish()
        else:
            self._set_deadline(self.limits.websocket_close_timeout)

    def leave(self) -> None:
        self.close(GOING_AWAY)

    def retire(self, now: float) -> None:
        """The server is to leave: whoever is at the other end may come again at once."""
        self.leave()

    def _close_seen(self, event: Close) -> None:
        self.close_code = event.code
        self.close_reason = event.reason
        self.state = states.close_seen(self.state)
        if self.state == states.CLOSE_SEEN:
            self.close(event.code)
        else:
            self._finish()

    def _finish(self) -> None:
        """Both sides have closed: the server ends the connection, the client waits for it (section 7.1.1)."""
        self.uncork()
        self._set_deadline(self.limits.websocket_close_timeout)
        if self._is_server and self.transport is not None:
            self.transport.close()

    def fail(self, code: int, reason: str) -> None:
        """Ends a connection that cannot go on: tells why, and reads nothing more (section 7.1.7)."""
        self._reader.close()
        self._events = None
        told = self.state == _OPEN
        self.state = states.failed(self.state)
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if told:
            self.write(print_frame(CLOSE, print_close(code, reason), not self._is_server))
        self.uncork()
        self._set_deadline(self.limits.websocket_close_timeout)
        if transport.can_write_eof():
            # To close while bytes of theirs are unread would reset the connection, and lose what we said.
            transport.write_eof()
        else:
            transport.close()

    # ---- Tornado's words for it

    @property
    def client_terminated(self) -> bool:
        """The peer has closed, or is gone."""
        return self.state not in (_OPEN, states.CLOSE_SENT)

    @property
    def server_terminated(self) -> bool:
        """We have closed."""
        return self.state not in (_OPEN, states.CLOSE_SEEN)

    @property
    def handler(self) -> Receiver | None:
        return self.receiver

    @property
    def stream(self) -> "WebSocketConnection":
        return self

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.state != _OPEN or self.closed()

    @staticmethod
    def compute_accept_value(key: str | bytes) -> str:
        """What answers a Sec-WebSocket-Key (section 4.2.2)."""
        return accept_value(key)

    @staticmethod
    def ping_sleep_time(*, last_ping_time: float, interval: float, now: float) -> float:
        """Seconds until the next ping is due."""
        return max(0.0, last_ping_time + interval - now)
