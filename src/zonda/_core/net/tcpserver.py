"""`TCPServer`: listening sockets and what becomes of their connections."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from zonda.log import app_log

from .iostream_socket import IOStream, SSLIOStream
from .listen import _DEFAULT_BACKLOG, add_accept_handler, bind_sockets
from .loop import IOLoop
from .process import fork_processes
from .tls import SSLOptions, check_server_options, ssl_options_to_context


class TCPServer:
    """A single-threaded TCP server: subclass it and define `handle_stream`.

    `ssl_options` (a dictionary or an `SSLContext`) turn TLS on; `max_buffer_size` and
    `read_chunk_size` (bytes) go to the streams.  `listen()` for one process; `add_sockets()`
    after `bind_sockets()` and `fork_processes()` for several.
    Raises: `KeyError` or `ValueError` if the certificate is not named or not there.
    Source: Tornado documentation, `tornado.tcpserver`.
    """

    def __init__(
        self,
        ssl_options: SSLOptions | None = None,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
    ) -> None:
        check_server_options(ssl_options)
        self.ssl_options = ssl_options
        self.max_buffer_size = max_buffer_size
        self.read_chunk_size = read_chunk_size
        #: fd -> the socket that listens on it
        self._sockets: dict[int, socket.socket] = {}
        #: fd -> ends accepting from it
        self._stop_accepting: dict[int, Callable[[], None]] = {}
        #: The context of `ssl_options`, and the options that it was made of.
        self._tls: tuple[ssl.SSLContext, SSLOptions] | None = None
        self._pending_sockets: list[socket.socket] = []
        self._started = False
        self._stopped = False

    def listen(
        self,
        port: int,
        address: str | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = _DEFAULT_BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Begins to serve `port` in this process; the arguments are those of `bind_sockets`."""
        self.add_sockets(bind_sockets(port, address, family, backlog, flags, reuse_port))

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Begins to serve listening sockets, such as `bind_sockets` makes."""
        for sock in sockets:
            fd = sock.fileno()
            self._sockets[fd] = sock
            self._stop_accepting[fd] = self._start_accepting(sock)

    def add_socket(self, socket: socket.socket) -> None:
        """Begins to serve one listening socket."""
        self.add_sockets([socket])

    def remove_socket(self, socket: socket.socket) -> None:
        """Stops to listen on one socket that was added, and closes it.  Not in Tornado."""
        fd = socket.fileno()
        self._stop_accepting.pop(fd)()
        self._sockets.pop(fd).close()

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = _DEFAULT_BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Binds now and serves at `start()`; deprecated: use `listen()` or `add_sockets()`."""
        sockets = bind_sockets(port, address, family, backlog, flags, reuse_port)
        if self._started:
            self.add_sockets(sockets)
        else:
            self._pending_sockets.extend(sockets)

    def start(self, num_processes: int | None = 1, max_restarts: int | None = None) -> None:
        """Serves what was bound, in `num_processes` forked ones (`None` or 0: one per processor).

        Deprecated like `bind()`.  Raises: `AssertionError` if started already.
        """
        assert not self._started, "start() was called before"
        self._started = True
        if num_processes != 1:
            fork_processes(num_processes, max_restarts)
        sockets, self._pending_sockets = self._pending_sockets, []
        self.add_sockets(sockets)

    def stop(self) -> None:
        """Stops listening; connections that are open go on.  A second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        for fd, sock in self._sockets.items():
            self._stop_accepting.pop(fd)()
            sock.close()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> Awaitable[None] | None:
        """Called with each new connection; may be a coroutine, whose failure is logged."""
        raise NotImplementedError

    def _start_accepting(self, sock: socket.socket) -> Callable[[], None]:
        """Begins to accept from one listening socket and returns what ends it.

        The seam for servers that take connections in another way than as an `IOStream`.
        """
        return add_accept_handler(sock, self._handle_connection)

    def _tls_context(self, options: SSLOptions) -> ssl.SSLContext:
        """One context for all connections, else no client could resume its TLS session."""
        if self._tls is None or self._tls[1] is not options:
            self._tls = ssl_options_to_context(options, server_side=True), options
        return self._tls[0]

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        stream: IOStream
        sizes = {"max_buffer_size": self.max_buffer_size, "read_chunk_size": self.read_chunk_size}
        try:
            if self.ssl_options is None:
                stream = IOStream(connection, **sizes)
            else:
                try:
                    wrapped = self._tls_context(self.ssl_options).wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
                    connection.close()  # it has gone before it began
                    return
                except OSError as e:
                    connection.close()
                    if e.errno in (errno.ENOTCONN, errno.EINVAL):
                        return
                    raise
                stream = SSLIOStream(wrapped, **sizes)
            outcome = self.handle_stream(stream, address)
            if outcome is not None:
                IOLoop.current().add_future(asyncio.ensure_future(outcome), _raise_failure)
        except Exception:
            app_log.error("Error in connection callback", exc_info=True)


def _raise_failure(future: "asyncio.Future[Any]") -> None:
    """Lets the loop log the failure of a `handle_stream` coroutine."""
    future.result()
