"""Receives the answer to one request: head, body, end, or why there is none."""

import asyncio
from collections.abc import Awaitable, Iterator
from io import BytesIO
from typing import Any

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.net.errors import UnsatisfiableReadError
from zonda._core.wire.headers import headers_from_block
from zonda._core.wire.http1.events import ResponseHead
from zonda._core.wire.inflate import Inflater, is_gzipped, mark_consumed
from zonda.log import app_log, gen_log, safe_text

from .errors import HTTPStreamClosedError
from .message import HTTPRequest
from .redirect import followed

#: Pieces of an inflated body after which the loop gets a turn: a few bytes may unpack to very many.
_PIECES_PER_TURN = 16


class Answer:
    """A `Receiver`: gathers a response, or passes it to the callbacks of the request."""

    def __init__(self, request: HTTPRequest, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._limits = limits
        #: Done at the end of the answer; fails with what the fetch is to fail with.
        self.done: asyncio.Future[None] = loop.create_future()
        #: Done when the server asks for the body (100), or answers without it.
        self.invited: asyncio.Future[None] | None = (
            loop.create_future() if request.expect_100_continue else None
        )
        self.head: ResponseHead | None = None
        #: Where this answer leads, if that is to be followed: its body is of no interest then.
        self.location: str | None = None
        self._pieces: list[bytes] = []
        self._inflater: Inflater | None = None

    def buffer(self) -> BytesIO:
        """The body that was gathered."""
        return BytesIO(self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces))

    @property
    def begun(self) -> bool:
        """Something of an answer has come."""
        return self.head is not None

    # ---- what the connection calls

    def head_received(self, head: ResponseHead) -> None:
        if 100 <= head.status < 200 and head.status != 101:
            if head.status == 100:
                self._invite()
            return
        request = self._request
        if request.decompress_response and head.has_body and is_gzipped(head):
            mark_consumed(head)
            self._inflater = Inflater(self._limits.chunk_size, self._limits.body_bytes)
        self.head = head
        self.location = followed(request, head)
        if request.header_callback is not None and self.location is None:
            self._tell_headers(request.header_callback, head)

    def _tell_headers(self, callback: Any, head: ResponseHead) -> None:
        lines = [f"{head.version} {head.status} {head.reason}\r\n"]
        headers = headers_from_block(head.block[2:])
        lines += [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        lines.append("\r\n")
        try:
            for line in lines:
                callback(line)
        except Exception:
            self._callback_failed()

    def body_received(self, data: bytes) -> "asyncio.Future[None] | None":
        if self.done.done():
            return None
        streams = self._request.streaming_callback is not None and self.location is None
        if self._inflater is None and not streams:
            self._pieces.append(data)
            return None
        pieces = _cut(data, self._limits.chunk_size) if self._inflater is None else self._inflater.feed(data)
        return self._pass_on(pieces)

    def _pass_on(self, pieces: Iterator[bytes]) -> "asyncio.Future[None] | None":
        """Passes pieces on until one has to wait, or the loop is due."""
        callback = self._callback()
        try:
            for number, piece in enumerate(pieces, 1):
                waiting = callback(piece)
                if waiting is not None or number == _PIECES_PER_TURN:
                    return asyncio.ensure_future(self._pass_on_later(waiting, pieces))
        except ProtocolError as error:
            self.failed(error)
        except Exception:
            self._callback_failed()
        return None

    async def _pass_on_later(self, waiting: Awaitable[None] | None, pieces: Iterator[bytes]) -> None:
        callback = self._callback()
        number = 0
        try:
            while True:
                if waiting is not None:
                    await waiting
                elif not number % _PIECES_PER_TURN:
                    await asyncio.sleep(0)
                if self.done.done():
                    return
                piece = next(pieces, None)
                if piece is None:
                    return
                number += 1
                waiting = callback(piece)
        except ProtocolError as error:
            self.failed(error)
        except (Exception, asyncio.CancelledError):
            self._callback_failed()

    def _callback(self) -> Any:
        callback = self._request.streaming_callback
        return self._pieces.append if callback is None or self.location is not None else callback

    def ended(self) -> None:
        self._invite()
        if self.done.done():
            return
        if self._inflater is not None:
            try:
                self._inflater.end()
            except ProtocolError as error:
                self.failed(error)
                return
        self.done.set_result(None)

    def failed(self, error: BaseException | None) -> None:
        self._invite()
        if self.done.done():
            return
        if isinstance(error, ProtocolError):
            self.done.set_exception(_explain(error))
        elif error is not None and not self.begun:
            self.done.set_exception(error)
        else:
            self.done.set_exception(
                HTTPStreamClosedError("Connection closed" if self.begun else "Stream closed")
            )

    # ---- ends

    def _invite(self) -> None:
        if self.invited is not None and not self.invited.done():
            self.invited.set_result(None)

    def _callback_failed(self) -> None:
        app_log.error("Uncaught exception", exc_info=True)
        if not self.done.done():
            self.done.set_exception(HTTPStreamClosedError("Connection closed"))


def _explain(error: ProtocolError) -> BaseException:
    reason = safe_text(error.reason)
    if error.status in (414, 431):
        gen_log.info("Unsatisfiable read, closing connection: %s", reason)
        return UnsatisfiableReadError(error.reason)
    gen_log.info("Malformed HTTP message from %s: %s", None, reason)
    return HTTPStreamClosedError(f"Connection closed: {reason}")


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))
