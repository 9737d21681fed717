"""A node's connection to the bus, and what it has asked and has no answer to yet."""

import asyncio
from typing import Any, Protocol

from zonda._core.base.clock import monotonic
from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable, PayloadError
from zonda._core.net.peer_user import is_own_user

from . import unixbus_wire as wire
from .unixbus_hello import Hello

#: Written and not taken by the kernel; past it a publisher waits.
_HIGH_WATER = 1048576
#: Collected in one turn of the loop; past it they are written at once.
_TOGETHER = 65536


class Owner(Protocol):
    """Whose connection it is."""

    def taken(self, frame: wire.Frame) -> None: ...

    def lost(self, link: "Link") -> None: ...


class Link(asyncio.Protocol):
    """One connection.  What is sent in one turn of the loop is written in one go."""

    transport: asyncio.Transport | None = None

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._timeout = limits.broker_timeout
        self._reader = wire.Reader(max(limits.broker_buffer_bytes, Hello("", limits).largest_frame))
        self._out: list[bytes] = []
        self._out_bytes = 0
        self.paused = False
        #: Done when the bus takes more, or the connection is lost.
        self._drained: asyncio.Future[None] | None = None
        #: Done when the bus has answered the greeting, or the connection is lost.
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        #: Why it has ended.
        self.why = "the bus closed it"

    @property
    def closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        if not is_own_user(transport.get_extra_info("socket")):
            self._give_up("it is another user's")

    def connection_lost(self, error: Exception | None) -> None:
        self._out = []
        self.resume_writing()
        _finish(self.greeted)
        self._ended.set_result(None)
        if error is not None:
            self.why = str(error)
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (frame := self._reader.next_frame()) is not None:
                if frame.number == wire.GREETING:
                    _finish(self.greeted)
                else:
                    self._owner.taken(frame)
        except (ValueError, TypeError) as error:
            self._give_up(f"it does not speak the bus's language: {error}")

    def _give_up(self, why: str) -> None:
        self.why = why
        self.abort()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def open(self, path: str) -> None:
        """Raises `OSError`."""
        await self._loop.create_unix_connection(lambda: self, path)

    async def close(self) -> None:
        """Ends it when what was sent is written."""
        self._flush()
        if self.transport is not None:
            self.transport.close()
            await asyncio.wait([self._ended], timeout=self._timeout)
            self.transport.abort()
            await asyncio.wait([self._ended])

    # ---- out

    def send(self, frame: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._out_bytes > _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        out, self._out = self._out, []
        self._out_bytes = 0
        if out and self.transport is not None and not self.transport.is_closing():
            self.transport.writelines(out)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    async def drained(self) -> None:
        """Waits until the bus takes more, or the connection is lost."""
        if self._drained is None:
            self._drained = self._loop.create_future()
        await asyncio.wait([self._drained])


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class Request:
    """Something that the bus has to answer; kept until then, to be sent again on another connection."""

    __slots__ = ("answered", "deadline", "frame", "number", "parts")

    def __init__(
        self, number: int, frame: bytes, deadline: float, answered: "asyncio.Future[wire.Frame]"
    ) -> None:
        self.number = number
        self.frame = frame
        self.deadline = deadline
        self.answered = answered
        #: What came before the answer and belongs to it.
        self.parts: list[Any] = []


class Requests:
    """Those without an answer, in the order in which they were made, which is that of their deadlines."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._largest = Hello("", limits).largest_frame
        self._waiting: dict[int, Request] = {}
        self._bytes = 0
        self._number = 0
        self._alarm: asyncio.TimerHandle | None = None

    def new(self, kind: int, words: tuple[wire.Word, ...], body: bytes, flags: int) -> Request:
        """Raises `PayloadError`, and `BrokerUnavailable` where too much waits already."""
        self._number = self._number % (wire.GREETING - 1) + 1
        frame = wire.print_frame(kind, words, body, flags, self._number)
        if len(frame) > self._largest:
            raise PayloadError(f"{len(frame)} bytes for the bus: {self._largest} are allowed")
        if self._bytes + len(frame) > self._limits.broker_buffer_bytes:
            raise BrokerUnavailable(
                f"{self._bytes} bytes wait for the bus: {self._limits.broker_buffer_bytes} are allowed"
            )
        loop = asyncio.get_running_loop()
        deadline = monotonic() + self._limits.broker_timeout
        request = Request(self._number, frame, deadline, loop.create_future())
        self._waiting[self._number] = request
        self._bytes += len(frame)
        if self._alarm is None:
            self._alarm = loop.call_later(self._limits.broker_timeout, self._expire)
        return request

    def forget(self, request: Request) -> None:
        """It is answered, or nobody waits for it."""
        if self._waiting.pop(request.number, None) is not None:
            self._bytes -= len(request.frame)

    def add(self, number: int, part: Any) -> None:
        request = self._waiting.get(number)
        if request is not None:
            request.parts.append(part)

    def answer(self, number: int, frame: wire.Frame) -> None:
        request = self._waiting.get(number)
        if request is not None and not request.answered.done():
            request.answered.set_result(frame)

    def send_all(self, link: Link) -> None:
        """Asks again, on a new connection."""
        for request in self._waiting.values():
            if not request.answered.done():
                request.parts = []
                link.send(request.frame)

    def fail(self, why: str) -> None:
        """Nobody will answer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for request in self._waiting.values():
            if not request.answered.done():
                request.answered.set_exception(BrokerUnavailable(why))

    def _expire(self) -> None:
        self._alarm = None
        now = monotonic()
        for request in self._waiting.values():
            if request.deadline > now:
                self._alarm = asyncio.get_running_loop().call_later(request.deadline - now, self._expire)
                return
            if not request.answered.done():
                request.answered.set_exception(
                    BrokerUnavailable(f"no answer from the bus within {self._limits.broker_timeout} seconds")
                )
