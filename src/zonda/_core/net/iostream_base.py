"""`BaseIOStream`: Tornado's buffered stream over any non-blocking file, driven by the loop.

The kernel is asked only for what a reader waits for, so a peer that sends without being read is
stopped by the kernel's buffers; of what arrived too much, at most one chunk is held.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from zonda.log import gen_log

from .errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError, is_connection_lost
from .iostream_buffer import Bytes, StreamBuffer, scratch
from .iostream_read import Read, ReadBytes, ReadInto, ReadUntil, ReadUntilClose, ReadUntilRegex
from .loop import IOLoop

_DEFAULT_MAX_BUFFER_SIZE = 104857600
_DEFAULT_CHUNK_SIZE = 65536

#: Bytes offered to the kernel at once.
_WRITE_SIZE = 131072

#: Chunks read in one turn of the loop, so that a fast sender does not hold it.
_CHUNKS_PER_TURN = 16

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class BaseIOStream:
    """Reads from and writes to a non-blocking file or socket.

    One read may wait at a time, and any number of writes.  When the stream is closed, all that
    wait get `StreamClosedError`.  `error` is the exception that closed the stream, if one did.
    Sizes are in bytes: `max_buffer_size` bounds what is received and not yet read (default
    100 MiB), `read_chunk_size` what is asked of the kernel at once (default 64 KiB),
    `max_write_buffer_size` what is written and not yet sent (default: no bound).
    Subclasses define `fileno`, `close_fd`, `write_to_fd`, `read_from_fd`, and may `get_fd_error`.
    Source: Tornado documentation, `tornado.iostream`.
    """

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None:
        self.io_loop = IOLoop.current()
        self.max_buffer_size = max_buffer_size or _DEFAULT_MAX_BUFFER_SIZE
        # Twice a chunk fits, so a read of up to half the buffer never overflows it.
        self.read_chunk_size = min(read_chunk_size or _DEFAULT_CHUNK_SIZE, self.max_buffer_size // 2)
        self.max_write_buffer_size = max_write_buffer_size
        self.error: BaseException | None = None
        self._read: Read | None = None
        self._read_buffer = bytearray()
        #: `None` once the stream is closed.
        self._write_buffer: StreamBuffer | None = StreamBuffer()
        self._total_write_index = 0
        self._total_write_done_index = 0
        self._write_futures: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._close_callback: Callable[[], None] | None = None
        self._closed = False
        #: What the loop watches for us; `None` = we are not registered.
        self._events: int | None = None

    # --- for subclasses -----------------------------------------------------------------------

    def fileno(self) -> Any:
        """The file: a number, or an object with `fileno()` and `close()`."""
        raise NotImplementedError

    def close_fd(self) -> None:
        """Closes the file; called once, by `close()`."""
        raise NotImplementedError

    def write_to_fd(self, data: memoryview) -> int:
        """Writes what the file takes now and returns the number of bytes, 0 if none.

        It must not keep `data`.
        """
        raise NotImplementedError

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Reads up to `len(buf)` bytes into `buf`; returns how many: 0 at the end, `None` if none yet."""
        raise NotImplementedError

    def get_fd_error(self) -> Exception | None:
        """The error that the file has to report, if it has one."""
        return None

    # --- reading ------------------------------------------------------------------------------

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Reads up to and with the first match of `regex`.

        Past `max_bytes` without a match the stream is closed.  The expression is the caller's
        responsibility: one that backtracks is slow on hostile input.
        """
        return self._start_read(ReadUntilRegex(self._new_future(), regex, max_bytes))

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Reads up to and with `delimiter`; past `max_bytes` without one the stream is closed."""
        return self._start_read(ReadUntil(self._new_future(), delimiter, max_bytes))

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """Reads `num_bytes`; with `partial`, as soon as any bytes are there, up to `num_bytes`."""
        assert isinstance(num_bytes, int) and num_bytes >= 0, f"num_bytes is {num_bytes!r}, not 0 or more"
        return self._start_read(ReadBytes(self._new_future(), num_bytes, partial))

    def read_into(self, buf: bytearray | memoryview, partial: bool = False) -> Awaitable[int]:
        """Fills `buf` and returns the number of bytes; with `partial`, as soon as any are there.

        The caller leaves `buf` alone meanwhile.
        """
        return self._start_read(ReadInto(self._new_future(), buf, partial))

    def read_until_close(self) -> Awaitable[bytes]:
        """Reads everything until the other side closes, up to `max_buffer_size`.

        Raises: `StreamClosedError` if the stream was closed by an error before its end.
        """
        return self._start_read(ReadUntilClose(self._new_future()))

    def reading(self) -> bool:
        """True while a read waits."""
        return self._waiting_read() is not None

    def _waiting_read(self) -> Read | None:
        read = self._read
        if read is not None and read.future.done():
            # Its reader has cancelled it.  What has arrived stays for the next one.
            read = self._read = None
        return read

    def _start_read(self, read: Read) -> asyncio.Future[Any]:
        assert self._read is None or self._waiting_read() is None, "Already reading"
        self._read = read
        try:
            self._try_inline_read()
        except BaseException:
            self._read = None
            raise
        return read.future

    def _try_inline_read(self) -> None:
        """Answers the new read from what is here or in the kernel; else lets the loop watch."""
        if self._answer():
            return
        if self._closed:
            if isinstance(self._read, ReadUntilClose) and self._read_buffer and self._ended_well():
                self._answer_with(self._read, len(self._read_buffer))
                return
            raise StreamClosedError(self.error)
        if self._carries_data():
            self._read_from_file()
        if not self._closed:
            self._watch()

    def _answer(self) -> bool:
        """Gives the waiting read its answer if the buffered bytes suffice; False if it waits on."""
        read = self._waiting_read()
        if read is None:
            return True
        if isinstance(read, ReadInto):
            if self._read_buffer:
                read.fill_from(self._read_buffer)
            if not (read.done() or read.target == 0):
                return False
            self._read = None
            read.future.set_result(read.filled)
            return True
        try:
            size = read.size(self._read_buffer)
        except UnsatisfiableReadError as e:
            gen_log.info("Unsatisfiable read, closing connection: %s", e)
            self.close(exc_info=e)
            # If it was closed before, nobody has told the reader.
            self._fail_read()
            return True
        if size is None:
            return False
        self._answer_with(read, size)
        return True

    def _answer_with(self, read: Read, size: int) -> None:
        buffer = self._read_buffer
        if size == len(buffer):
            data = bytes(buffer)
            buffer.clear()
        else:
            data = bytes(buffer[:size])
            del buffer[:size]
        self._read = None
        read.future.set_result(data)

    def _read_from_file(self) -> None:
        """Reads until the waiting read is answered, the file has no more, or a turn's share is used.

        Raises: what `read_from_fd` raised, with the stream closed.
        """
        search_at = 0
        for _ in range(_CHUNKS_PER_TURN):
            count = self._read_chunk()
            if not count:
                break
            read = self._waiting_read()
            if read is None:
                return  # we only look whether the peer is still there
            size = len(self._read_buffer)
            if size >= search_at:
                if self._answer():
                    return
                if isinstance(read, ReadUntilRegex):
                    search_at = 2 * size  # each search begins at the front: keep their sum linear
            if read.target is not None and size >= read.target:
                break
        else:
            # TLS may hold bytes that the loop does not see: do not wait for it to see more.
            self.io_loop.add_callback(self._handle_events, None, IOLoop.READ)
            return
        if search_at:
            self._answer()
        if count == 0:
            self.close()

    def _read_chunk(self) -> int | None:
        read = self._waiting_read()
        try:
            if isinstance(read, ReadInto):
                with memoryview(read.into) as view, view.cast("B") as whole, whole[read.filled :] as rest:
                    count = self.read_from_fd(rest)
                read.filled += count or 0
                return count
            chunk = scratch(self.read_chunk_size)
            count = self.read_from_fd(chunk)
        except OSError as e:
            if is_connection_lost(e):
                self.error = e
                return 0
            self.close(exc_info=e)
            raise
        except Exception as e:
            self.close(exc_info=e)
            raise
        if count:
            self._feed(chunk[:count])
            if len(self._read_buffer) > self.max_buffer_size:
                full = StreamBufferFullError("Reached maximum read buffer size")
                gen_log.error("Reached maximum read buffer size: %d bytes", self.max_buffer_size)
                self.close(exc_info=full)
                raise full
        return count

    def _feed(self, data: Bytes) -> None:
        """Adds bytes that were received already: they are read before those of the file."""
        self._read_buffer += data

    def unread(self, data: Bytes) -> None:
        """Puts back bytes that were read and not used: the next read begins with them."""
        self._read_buffer[:0] = data

    # --- writing ------------------------------------------------------------------------------

    def write(self, data: Bytes) -> asyncio.Future[None]:
        """Writes `data`; the Future is done when the kernel has taken all of it.

        A large `data` is not copied: leave it alone until then.
        Raises: `StreamClosedError`; `StreamBufferFullError` past `max_write_buffer_size`.
        """
        buffer = self._write_buffer
        if buffer is None:
            raise StreamClosedError(self.error)
        with memoryview(data) as view:
            size = view.nbytes
        if size:
            if self.max_write_buffer_size is not None and len(buffer) + size > self.max_write_buffer_size:
                raise StreamBufferFullError("Reached maximum write buffer size")
            buffer.append(data)
            self._total_write_index += size
        future = self._new_future()
        self._write_futures.append((self._total_write_index, future))
        if self._carries_data():
            self._handle_write()
        if not self._closed:
            self._watch()
        return future

    def writing(self) -> bool:
        """True while there are bytes that the kernel has not taken."""
        return bool(self._write_buffer)

    def _handle_write(self) -> None:
        buffer = self._write_buffer
        assert buffer is not None
        while buffer:
            try:
                with buffer.peek(_WRITE_SIZE) as view:
                    count = self.write_to_fd(view)
            except BlockingIOError:
                break
            except Exception as e:
                if not is_connection_lost(e):
                    gen_log.warning("Write error on %s: %s", self.fileno(), e)
                self.close(exc_info=e)
                return
            if not count:
                break
            buffer.advance(count)
            self._total_write_done_index += count
        futures = self._write_futures
        while futures and futures[0][0] <= self._total_write_done_index:
            _, future = futures.popleft()
            if not future.done():
                future.set_result(None)

    # --- closing ------------------------------------------------------------------------------

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Calls `callback` once when the stream is closed, by whichever side.

        Without it an idle stream does not notice that its peer has gone.
        """
        self._close_callback = callback
        if callback is not None and not self._closed and self._carries_data():
            self._watch()

    def close(self, exc_info: bool | BaseException | ExcInfo = False) -> None:
        """Closes the stream at once; what was not sent is dropped, what was received can be read.

        `exc_info` becomes `error`: an exception, a `sys.exc_info()` triple, or `True` for the
        exception that is being handled.
        """
        if self._closed:
            return
        if isinstance(exc_info, tuple):
            self.error = exc_info[1]
        elif isinstance(exc_info, BaseException):
            self.error = exc_info
        elif exc_info:
            self.error = sys.exc_info()[1]
        self._closed = True
        read = self._waiting_read()
        if isinstance(read, ReadUntilClose) and self._ended_well():
            self._answer_with(read, len(self._read_buffer))
        self._stop_watching()
        try:
            # It fails if somebody else has closed our file, by now perhaps another's: let that be seen.
            self.close_fd()
        finally:
            if self._write_buffer is not None:
                self._write_buffer.clear()
                self._write_buffer = None
            self._signal_closed()

    def _ended_well(self) -> bool:
        return self.error is None or is_connection_lost(self.error)

    def _signal_closed(self) -> None:
        self._fail_read()
        futures, self._write_futures = self._write_futures, deque()
        for _, future in futures:
            self._fail(future, StreamClosedError(self.error))
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback)

    def _fail_read(self) -> None:
        read, self._read = self._read, None
        if read is not None:
            self._fail(read.future, StreamClosedError(self.error))

    def closed(self) -> bool:
        """True once the stream is closed; there may still be bytes to read."""
        return self._closed

    def set_nodelay(self, value: bool) -> None:
        """Sends small packets at once (`True`) or lets the kernel gather them; only TCP has it."""

    # --- the loop -----------------------------------------------------------------------------

    def _new_future(self) -> asyncio.Future[Any]:
        return self.io_loop.asyncio_loop.create_future()

    @staticmethod
    def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)
            future.exception()  # many writers never look: then it is not worth a log line

    def _carries_data(self) -> bool:
        """False while the connection, or its TLS, is being set up: reads and writes wait."""
        return True

    def _wanted_events(self) -> int:
        events = IOLoop.WRITE if self.writing() else IOLoop.NONE
        if (self._read is not None and self._waiting_read() is not None) or (
            not self._read_buffer and self._minds_close()
        ):
            events |= IOLoop.READ
        return events

    def _minds_close(self) -> bool:
        """True if we want to notice while idle that the peer has gone, for which we have to read."""
        return self._close_callback is not None

    def _watch(self) -> None:
        """Asks the loop for what we wait for."""
        wanted = self._wanted_events()
        current = self._events
        if current is None:
            if wanted:
                self.io_loop.add_handler(self.fileno(), self._handle_events, wanted)
                self._events = wanted
            return
        # READ stays on when its read is answered: most often the next one comes before the next
        # bytes.  If bytes come first, `_handle_events` takes it off.
        wanted |= current & IOLoop.READ
        if wanted != current:
            self.io_loop.update_handler(self.fileno(), wanted)
            self._events = wanted

    def _stop_watching(self) -> None:
        if self._events is not None:
            self.io_loop.remove_handler(self.fileno())
            self._events = None

    def _handle_events(self, fd: Any, events: int) -> None:
        if self._closed:
            return
        if events & IOLoop.READ and not self._wanted_events() & IOLoop.READ:
            # Bytes that nobody waits for any more: they stay in the kernel.
            events &= ~IOLoop.READ
            if self._events is not None:
                self._events &= ~IOLoop.READ
                self.io_loop.update_handler(self.fileno(), self._events)
        try:
            self._handle_ready(events)
        except Exception as e:
            gen_log.error("Uncaught exception, closing connection.", exc_info=True)
            self.close(exc_info=e)
        if not self._closed:
            self._watch()

    def _handle_ready(self, events: int) -> None:
        if events & IOLoop.READ:
            self._handle_read()
        if events & IOLoop.WRITE and not self._closed:
            self._handle_write()

    def _handle_read(self) -> None:
        try:
            self._read_from_file()
        except Exception as e:
            gen_log.warning("error on read: %s", e)
            self.close(exc_info=e)
