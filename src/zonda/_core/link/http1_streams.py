"""`HTTP1Connection`: Tornado's interface to HTTP/1 over an `IOStream`, for those who bring their own stream.

Neither zonda's server nor its client goes through here; the readers and printers are the same.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.net.errors import StreamClosedError
from zonda._core.net.iostream_socket import IOStream
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.headers import HTTPHeaders, headers_from_block
from zonda._core.wire.http1.events import END, Head, RequestHead, ResponseHead
from zonda._core.wire.http1.request import RequestReader
from zonda._core.wire.http1.request_printer import BodyPrinter, print_request
from zonda._core.wire.http1.response_reader import ResponseReader
from zonda._core.wire.inflate import Inflater, is_gzipped, mark_consumed
from zonda._core.wire.startline import RequestStartLine, ResponseStartLine
from zonda.log import app_log, gen_log, safe_text

from .delegates import HTTPConnection, HTTPMessageDelegate
from .http1_stream_answer import StreamAnswer

#: Bytes of a chunked body that are looked at before what they hold is counted, and the count of chunks
#: after which the loop gets a turn: a flood of tiny chunks must not hold it.
_CHUNKED_SLICE = 2048
_CHUNKS_PER_TURN = 256


class HTTP1ConnectionParameters:
    """Settings of `HTTP1Connection` and `HTTP1ServerConnection`.

    `no_keep_alive` closes after one message.  `chunk_size`, `max_header_size` (default 65536 both) and
    `max_body_size` (default: the stream's `max_buffer_size`) are bytes; `header_timeout` and
    `body_timeout` seconds, none by default.  `decompress` undoes `Content-Encoding: gzip`.
    Source: Tornado documentation, `tornado.http1connection`.
    """

    def __init__(
        self,
        no_keep_alive: bool = False,
        chunk_size: int | None = None,
        max_header_size: int | None = None,
        header_timeout: float | None = None,
        max_body_size: int | None = None,
        body_timeout: float | None = None,
        decompress: bool = False,
    ) -> None:
        self.no_keep_alive = no_keep_alive
        self.chunk_size = chunk_size or DEFAULT_LIMITS.chunk_size
        self.max_header_size = max_header_size or DEFAULT_LIMITS.head_bytes
        self.header_timeout = header_timeout
        self.max_body_size = max_body_size
        self.body_timeout = body_timeout
        self.decompress = decompress

    def limits(self, stream: IOStream) -> Limits:
        """The same as the readers want it."""
        return replace(
            DEFAULT_LIMITS,
            head_bytes=self.max_header_size,
            line_bytes=self.max_header_size,
            chunk_size=self.chunk_size,
            body_bytes=self.max_body_size or stream.max_buffer_size,
            pipelined_requests=1,
        )


class HTTP1Connection(HTTPConnection):
    """One message each way over an `IOStream`: a client's request and its answer, or the reverse.

    `is_client` says which side we are.  `context` is what log lines call the peer.
    Source: Tornado documentation, `tornado.http1connection`.
    """

    def __init__(
        self,
        stream: IOStream,
        is_client: bool,
        params: HTTP1ConnectionParameters | None = None,
        context: object = None,
    ) -> None:
        self.is_client = is_client
        #: None once it was detached.
        self.stream: Any = stream
        self.params = params or HTTP1ConnectionParameters()
        self.context = context
        self.no_keep_alive = self.params.no_keep_alive
        self._limits = self.params.limits(stream)
        self._body_limit = self._limits.body_bytes
        self._body_timeout = self.params.body_timeout
        self._reader: RequestReader | ResponseReader = (
            ResponseReader(self._limits) if is_client else RequestReader(self._limits)
        )
        #: Bytes that came with others and were not given to the reader yet.
        self._unfed = b""
        #: A request that was written; its method decides how the answer is read.
        self._method = "GET"
        self._printer: BodyPrinter | None = None
        self._answer: StreamAnswer | None = None
        self._task: asyncio.Task[bool] | None = None
        self._inflater: Inflater | None = None

    # ---- reading

    def read_response(self, delegate: HTTPMessageDelegate) -> Awaitable[bool]:
        """Reads one message (of either kind, in spite of the name) and tells `delegate` of it.

        The result is True if the connection can carry another, False if it was closed or detached.
        What the peer does wrong is logged, as is what the delegate raises; neither is raised here.
        """
        self._task = asyncio.ensure_future(self._read_message(delegate))
        return self._task

    async def _read_message(self, delegate: HTTPMessageDelegate) -> bool:
        finished = False
        try:
            head = await self._read_head(delegate)
            if head is None or self.stream is None:
                return False
            if not await self._read_body(head, delegate):
                return False
            if self.is_client or self._answer is None or not self._answer.finished:
                delegate.finish()
            finished = True
            return await self._after_message(head)
        except ProtocolError as error:
            self._refuse(error)
        except HTTPInputError as error:
            self._refuse(ProtocolError(str(error)))
        except StreamClosedError:
            self.close()
        except Exception:
            app_log.error("Uncaught exception", exc_info=True)
            self.close()
        finally:
            if not finished:
                self._tell_closed(delegate)
            self._give_back()
        return False

    async def _read_head(self, delegate: HTTPMessageDelegate) -> Head | None:
        if isinstance(self._reader, ResponseReader):
            self._reader.expect(self._method)
        try:
            async with asyncio.timeout(self.params.header_timeout):
                while True:
                    head = await self._next_head()
                    if not isinstance(head, ResponseHead) or head.status >= 200 or head.status == 101:
                        break
                    await _awaited(delegate.headers_received(*_shown(head)))
        except TimeoutError:
            self.close()
            return None
        if self.params.decompress and is_gzipped(head):
            mark_consumed(head)
            self._inflater = Inflater(self._limits.chunk_size, self._body_limit)
        if isinstance(head, RequestHead):
            self._answer = StreamAnswer(self.stream, head, self._limits, self.no_keep_alive)
            self.stream.set_close_callback(self._answer.lost)
        await _awaited(delegate.headers_received(*_shown(head)))
        return head

    async def _next_head(self) -> Head:
        while True:
            for event in await self._receive():
                if isinstance(event, ProtocolError):
                    raise event
                assert isinstance(event, Head)
                # What stands behind it is given to the reader in slices.
                self._unfed = self._reader.unread() + self._unfed
                return event

    async def _receive(self) -> list[Any]:
        """Events of the next bytes.  Raises `StreamClosedError` if there will be none."""
        reader = self._reader
        if reader.more:
            return list(reader.feed(b""))
        if not self._unfed:
            try:
                self._unfed = await self.stream.read_bytes(self.params.chunk_size, partial=True)
            except StreamClosedError:
                if isinstance(reader, ResponseReader) and reader.eof() == [END]:
                    return [END]
                raise
        if reader.head is None or not reader.head.chunked:
            data, self._unfed = self._unfed, b""
            return list(reader.feed(data))
        data, self._unfed = self._unfed[:_CHUNKED_SLICE], self._unfed[_CHUNKED_SLICE:]
        chunks = reader.chunks
        events = list(reader.feed(data))
        if reader.chunks - chunks > _CHUNKS_PER_TURN:
            await asyncio.sleep(0)
        return events

    async def _read_body(self, head: Head, delegate: HTTPMessageDelegate) -> bool:
        reader = self._reader
        if reader.head is None:
            return True
        reader.body_limit = self._body_limit
        error = reader.check_length()
        if error is not None:
            raise error
        if self._answer is not None and not self._unfed:
            self._answer.invite()
        try:
            async with asyncio.timeout(self._body_timeout):
                await self._read_pieces(delegate)
        except TimeoutError:
            gen_log.info("Timeout reading body from %s", self.context)
            self.close()
            return False
        return self.stream is not None

    async def _read_pieces(self, delegate: HTTPMessageDelegate) -> None:
        pieces: list[bytes] = []
        size = 0
        ended = False
        while not ended and self.stream is not None:
            for event in await self._receive():
                if isinstance(event, bytes):
                    pieces.append(event)
                    size += len(event)
                elif event is END:
                    ended = True
                else:
                    raise event
            if pieces and (
                ended or size >= self._limits.chunk_size or not (self._unfed or self._reader.more)
            ):
                await self._hand_on(b"".join(pieces), delegate)
                pieces.clear()
                size = 0
        if self._inflater is not None:
            self._inflater.end()

    async def _hand_on(self, data: bytes, delegate: HTTPMessageDelegate) -> None:
        step = self._limits.chunk_size
        if self._inflater is not None:
            for piece in self._inflater.feed(data):
                await _awaited(delegate.data_received(piece))
            return
        for at in range(0, len(data), step):
            await _awaited(delegate.data_received(data[at : at + step]))

    async def _after_message(self, head: Head) -> bool:
        answer = self._answer
        if answer is not None and self.stream is not None:
            await answer.sent()
            if not answer.keep_alive:
                self.close()
        elif not head.keep_alive:
            self.close()
        return self.stream is not None

    def _tell_closed(self, delegate: HTTPMessageDelegate) -> None:
        if self.stream is None and self._detached:
            return
        try:
            delegate.on_connection_close()
        except Exception:
            app_log.error("Uncaught exception", exc_info=True)

    def _refuse(self, error: ProtocolError) -> None:
        gen_log.info("Malformed HTTP message from %s: %s", self.context, safe_text(error.reason))
        if not self.is_client and self.stream is not None and not self.stream.closed():
            self.stream.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.close()

    def _give_back(self) -> None:
        """What was received behind the message belongs to whoever reads the stream next."""
        rest = self._reader.unread() + self._unfed
        self._unfed = b""
        if rest and self.stream is not None:
            self.stream.unread(rest)

    # ---- writing

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        """Writes the head of our message, and `chunk` as the first piece of its body.

        A body whose length is not announced is chunked.  Returns a future that is done when the kernel
        has taken it.
        Raises `ValueError` for what would split the message, `HTTPOutputError` for a length that is none.
        """
        if not isinstance(start_line, RequestStartLine):
            return self._answering().write_headers(start_line, headers, chunk)
        fields = headers._map
        chunked = start_line.method in ("POST", "PUT", "PATCH") and "Content-Length" not in fields
        if chunked and "Transfer-Encoding" not in fields:
            fields = {**fields, "Transfer-Encoding": "chunked"}
        head = print_request(start_line.method, start_line.path, fields)
        self._printer = BodyPrinter(fields, chunked)
        self._method = start_line.method
        return self._send(head + self._printer.piece(chunk) if chunk else head)

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """Writes a piece of the body.  Raises `HTTPOutputError` for more than was announced."""
        if self._printer is None:
            return self._answering().write(chunk)
        return self._send(self._printer.piece(chunk))

    def finish(self) -> None:
        """Our message is complete.  Raises `HTTPOutputError` for less than was announced."""
        if self._printer is None:
            self._answering().finish()
            return
        last = self._printer.end()
        if last:
            self._send(last)

    def _answering(self) -> StreamAnswer:
        if self._answer is None:
            raise RuntimeError("there is no request to answer on this connection yet")
        return self._answer

    def _send(self, data: bytes) -> "asyncio.Future[None]":
        sent: asyncio.Future[None] = self.stream.write(data)
        # Whoever does not wait does not want to hear of it.
        sent.add_done_callback(lambda future: future.cancelled() or future.exception())
        return sent

    # ---- the connection

    _detached = False

    def close(self) -> None:
        """Closes the stream."""
        if self.stream is not None:
            self.stream.close()
        self.stream = None

    def detach(self) -> IOStream:
        """Hands the stream over, with what was received and not read; this connection ends."""
        self._give_back()
        stream: IOStream = self.stream
        self.stream = None
        self._detached = True
        if self._answer is not None:
            stream.set_close_callback(None)
            self._answer.lost()
        return stream

    def set_body_timeout(self, timeout: float) -> None:
        """Bounds the time, in seconds, to read the body of this message, in place of `body_timeout`."""
        self._body_timeout = timeout

    def set_max_body_size(self, max_body_size: int) -> None:
        """Bounds the body of this message, in bytes, in place of `max_body_size`."""
        self._body_limit = max_body_size

    def set_close_callback(self, callback: Any) -> None:
        """Sets what is called if the connection is closed before the request is answered."""
        if self._answer is not None:
            self._answer.on_close = callback
        else:
            self.stream.set_close_callback(callback)


async def _awaited(awaitable: Awaitable[None] | None) -> None:
    if awaitable is not None:
        await awaitable


def _shown(head: Head) -> tuple[RequestStartLine | ResponseStartLine, HTTPHeaders]:
    line: RequestStartLine | ResponseStartLine
    if isinstance(head, RequestHead):
        line = RequestStartLine(head.method, head.target, head.version)
    else:
        assert isinstance(head, ResponseHead)
        line = ResponseStartLine(head.version, head.status, head.reason)
    return line, headers_from_block(head.block[2:])
