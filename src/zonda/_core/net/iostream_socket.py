"""`IOStream` over a socket, and `SSLIOStream`, which an `IOStream` becomes by `start_tls`."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Awaitable
from typing import Any

from zonda.log import gen_log

from .errors import StreamClosedError, is_connection_lost
from .iostream_base import BaseIOStream
from .loop import IOLoop
from .tls import SSLOptions, client_defaults, server_defaults, ssl_wrap_socket


class IOStream(BaseIOStream):
    """A stream over a socket, connected or not; it is made non-blocking, and owned by the stream.

    Further arguments are those of `BaseIOStream`.
    Source: Tornado documentation, `tornado.iostream`.
    """

    def __init__(self, socket: socket.socket, *args: Any, **kwargs: Any) -> None:
        self.socket = socket
        self.socket.setblocking(False)
        self._connecting = False
        self._connect_future: asyncio.Future[Any] | None = None
        super().__init__(*args, **kwargs)

    # --- the socket ---------------------------------------------------------------------------

    def fileno(self) -> Any:
        return self.socket

    def close_fd(self) -> None:
        if self.socket is None:
            return  # handed over by `start_tls`
        try:
            self.socket.close()
        finally:
            self.socket = None  # type: ignore[assignment]  # Tornado's word for "closed"

    def get_fd_error(self) -> Exception | None:
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return OSError(code, os.strerror(code)) if code else None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return self.socket.recv_into(buf)
        except BlockingIOError:
            return None

    def write_to_fd(self, data: memoryview) -> int:
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def set_nodelay(self, value: bool) -> None:
        if self.socket is not None and self.socket.family in (socket.AF_INET, socket.AF_INET6):
            try:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(value))
            except OSError as e:
                # Sockets that are no more connected say EINVAL on some systems.
                if e.errno != errno.EINVAL:
                    raise

    # --- connecting ---------------------------------------------------------------------------

    def connect(self, address: Any, server_hostname: str | None = None) -> "asyncio.Future[Any]":
        """Connects to `address`, as `socket.connect` takes it; the Future's result is this stream.

        Names in `address` are looked up blocking: resolve them first (`TCPClient` does).  One may
        write before it is done.  `server_hostname` is for TLS streams.
        Raises, when awaited: `StreamClosedError`; the reason is its `real_error` and our `error`.
        """
        future = self._new_future()
        self._connect_future = future
        self._connecting = True
        try:
            self.socket.connect(address)
        except OSError as e:
            # A Unix socket that says "again" has a full backlog: no event would follow.
            pending = isinstance(e, BlockingIOError) and self.socket.family != getattr(
                socket, "AF_UNIX", None
            )
            if not pending:
                self.close(exc_info=e)
                return future
        self._watch()
        return future

    def _handle_connect(self) -> None:
        error = self.get_fd_error()
        if error is not None:
            self.close(exc_info=error)
            return
        self._connecting = False
        self._connected()

    def _connected(self) -> None:
        future, self._connect_future = self._connect_future, None
        if future is not None and not future.done():
            future.set_result(self)
        self._data_may_flow()

    def _data_may_flow(self) -> None:
        """Begins with what was asked for before the connection was ready."""
        self._handle_write()
        if not self._closed and self._waiting_read() is not None:
            self._handle_read()

    def _carries_data(self) -> bool:
        return not self._connecting

    def _wanted_events(self) -> int:
        return IOLoop.WRITE if self._connecting else super()._wanted_events()

    def _handle_ready(self, events: int) -> None:
        if self._connecting:
            self._handle_connect()
        else:
            super()._handle_ready(events)

    def _signal_closed(self) -> None:
        self._connecting = False
        future, self._connect_future = self._connect_future, None
        if future is not None:
            self._fail(future, StreamClosedError(self.error))
        super()._signal_closed()

    # --- TLS ----------------------------------------------------------------------------------

    def start_tls(
        self, server_side: bool, ssl_options: SSLOptions | None = None, server_hostname: str | None = None
    ) -> "Awaitable[SSLIOStream]":
        """Goes over to TLS on the same connection; the Future's result is the new stream.

        This stream is no longer used.  It must be idle: nothing waits and nothing that was
        received is unread (such bytes came unprotected, and would pass for protected ones).
        `ssl_options` default to the settings of `ssl.create_default_context`.  If the handshake
        fails, or the Future is cancelled, the connection is closed.
        Raises: `ValueError` if the stream is not idle; when awaited `ssl.SSLError`, `OSError`.
        """
        if (
            self._closed
            or self._connecting
            or self.reading()
            or self.writing()
            or self._write_futures
            or self._read_buffer
        ):
            raise ValueError("IOStream is not idle; cannot convert to SSL")
        if ssl_options is None:
            ssl_options = server_defaults() if server_side else client_defaults()
        self._stop_watching()
        wrapped = ssl_wrap_socket(
            self.socket,
            ssl_options,
            server_hostname=server_hostname,
            server_side=server_side,
            do_handshake_on_connect=False,
        )
        self.socket = None  # type: ignore[assignment]
        stream = SSLIOStream(
            wrapped,
            ssl_options=ssl_options,
            max_buffer_size=self.max_buffer_size,
            read_chunk_size=self.read_chunk_size,
            max_write_buffer_size=self.max_write_buffer_size,
        )
        callback, self._close_callback = self._close_callback, None
        stream.set_close_callback(callback)
        future = stream.wait_for_handshake()

        def close_if_cancelled(future: "asyncio.Future[SSLIOStream]") -> None:
            if future.cancelled():
                stream.close()

        future.add_done_callback(close_if_cancelled)
        return future


class SSLIOStream(IOStream):
    """A stream over a TLS socket.

    A socket that is connected already comes as an `ssl.SSLSocket` made with
    `do_handshake_on_connect=False`; another is put under TLS by `connect()`, with `ssl_options`
    (a dictionary or an `SSLContext`; default: certificate and host name are checked).
    Source: Tornado documentation, `tornado.iostream`.
    """

    socket: ssl.SSLSocket

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ssl_options: SSLOptions = kwargs.pop("ssl_options", None) or client_defaults()
        super().__init__(*args, **kwargs)
        #: The socket is connected and under TLS.
        self._tls_begun = False
        self._handshaken = False
        self._handshake_reading = False
        self._handshake_writing = False
        self._handshake_future: asyncio.Future[SSLIOStream] | None = None
        # TLS may have to write before it can read on, and the other way round.
        self._read_needs_write = False
        self._write_needs_read = False
        self._server_hostname: str | None = None
        if isinstance(self.socket, ssl.SSLSocket):
            try:
                self.socket.getpeername()
            except OSError:
                pass  # not connected yet: `connect` will begin
            else:
                self._tls_begun = True
                # Not now: the creator may want to look at the stream as it is before.
                self.io_loop.add_callback(self._begin_handshake)

    def reading(self) -> bool:
        return self._handshake_reading or super().reading()

    def writing(self) -> bool:
        return self._handshake_writing or super().writing()

    # --- handshake ----------------------------------------------------------------------------

    def connect(self, address: Any, server_hostname: str | None = None) -> "asyncio.Future[Any]":
        """Connects, and shakes hands for `server_hostname`; the Future's result is this stream.

        Raises, when awaited: `ssl.SSLError` if TLS failed (`ssl.SSLCertVerificationError` for the
        certificate); `StreamClosedError` if the connection did.
        """
        self._server_hostname = server_hostname
        future = self.wait_for_handshake()
        # Of the two only that one is waited for.
        super().connect(address)
        return future

    def wait_for_handshake(self) -> "asyncio.Future[SSLIOStream]":
        """Waits for the end of the first handshake; the Future's result is this stream.

        Raises: `RuntimeError` if someone waits already; when awaited, what the handshake failed with.
        """
        if self._handshake_future is not None and not self._handshake_future.done():
            raise RuntimeError("Already waiting")
        future = self._handshake_future = self._new_future()
        if self._closed:
            self._fail(future, self.error or StreamClosedError())
        elif self._handshaken:
            future.set_result(self)
        return future

    def _connected(self) -> None:
        if not isinstance(self.socket, ssl.SSLSocket):
            # The loop knows the plain socket, which is about to lose its file.
            self._stop_watching()
            try:
                self.socket = ssl_wrap_socket(
                    self.socket,
                    self._ssl_options,
                    server_hostname=self._server_hostname,
                    server_side=False,
                    do_handshake_on_connect=False,
                )
            except (OSError, ValueError) as e:
                self.close(exc_info=e)
                return
        self._connect_future = None
        self._tls_begun = True
        self._shake_hands()

    def _begin_handshake(self) -> None:
        if not self._closed and not self._handshaken:
            self._shake_hands()
        if not self._closed:
            self._watch()

    def _try_inline_read(self) -> None:
        # The reader may have come before the handshake's callback or event: then we do not wait for it.
        if self._tls_begun and not (self._handshaken or self._closed):
            self._shake_hands()
            if self._closed:
                raise StreamClosedError(self.error)
        super()._try_inline_read()

    def _shake_hands(self) -> None:
        self._handshake_reading = self._handshake_writing = False
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._handshake_reading = True
        except ssl.SSLWantWriteError:
            self._handshake_writing = True
        except (OSError, ValueError) as e:
            # A peer that goes away instead is no news; one that disagrees is.
            if isinstance(e, ssl.SSLError) and not is_connection_lost(e):
                gen_log.warning("SSL Error on %s %s: %s", self.socket.fileno(), self._peer(), e)
            self.close(exc_info=e)
        else:
            self._handshaken = True
            if self._handshake_future is not None and not self._handshake_future.done():
                self._handshake_future.set_result(self)
            self._data_may_flow()

    def _peer(self) -> Any:
        try:
            return self.socket.getpeername()
        except OSError:
            return "(not connected)"

    def _signal_closed(self) -> None:
        self._handshake_reading = self._handshake_writing = False
        if self._handshake_future is not None:
            self._fail(self._handshake_future, self._handshake_error())
        super()._signal_closed()

    def _handshake_error(self) -> BaseException:
        # TLS says itself what was wrong; what the connection died of is told as everywhere else.
        if isinstance(self.error, (ssl.SSLError, ValueError)):
            return self.error
        return StreamClosedError(self.error)

    # --- data ---------------------------------------------------------------------------------

    def _carries_data(self) -> bool:
        return self._handshaken

    def _wanted_events(self) -> int:
        if self._handshaken or self._connecting:
            events = super()._wanted_events()
            if self._write_needs_read:
                # Watched for WRITE, a socket that could be written to would keep us busy in vain.
                events = IOLoop.READ
            return events | (IOLoop.WRITE if self._read_needs_write else IOLoop.NONE)
        read = IOLoop.READ if self._handshake_reading else IOLoop.NONE
        return read | (IOLoop.WRITE if self._handshake_writing else IOLoop.NONE)

    def _minds_close(self) -> bool:
        # TLS sends messages of its own (session tickets).  Left unread, they would turn our close
        # into a reset, by which the peer loses what we sent last.
        return True

    def _handle_ready(self, events: int) -> None:
        if self._handshaken or self._connecting:
            read_again = self._read_needs_write and events & IOLoop.WRITE
            write_again = self._write_needs_read and events & IOLoop.READ
            self._read_needs_write = self._write_needs_read = False
            events |= (IOLoop.READ if read_again else 0) | (IOLoop.WRITE if write_again else 0)
            super()._handle_ready(events)
        else:
            self._shake_hands()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return self.socket.recv_into(buf)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLWantWriteError:
            self._read_needs_write = True
            return None
        except ssl.SSLEOFError:
            return 0  # closed without TLS's own good-bye, as many do

    def write_to_fd(self, data: memoryview) -> int:
        try:
            return self.socket.send(data)
        except ssl.SSLWantWriteError:
            return 0
        except ssl.SSLWantReadError:
            self._write_needs_read = True
            return 0
