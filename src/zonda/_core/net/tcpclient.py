"""`TCPClient`: connections to hosts by name, over whichever of IPv4 and IPv6 answers first."""

import asyncio
import datetime
import numbers
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .iostream_socket import IOStream
from .loop import IOLoop
from .resolve import Addresses, Resolver
from .tls import SSLOptions

#: Seconds that the first family has for itself before the other is tried as well (RFC 8305, 5).
_INITIAL_CONNECT_TIMEOUT = 0.3

Connected = tuple[int, Any, IOStream]


class Connector:
    """Tries addresses until one connects ("happy eyeballs", RFC 8305, simplified).

    The addresses of the first one's family are tried in turn.  When one fails, or none has
    answered for a moment, those of the other families are tried in turn too, beside the first.
    """

    def __init__(
        self,
        addrinfo: Addresses,
        connect: Callable[[int, Any], "tuple[IOStream, asyncio.Future[IOStream]]"],
    ) -> None:
        self.io_loop = IOLoop.current()
        self.connect = connect
        self.future: asyncio.Future[Connected] = self.io_loop.asyncio_loop.create_future()
        self.primary_addrs, self.secondary_addrs = self.split(addrinfo)
        self.remaining = len(addrinfo)
        self.last_error: BaseException | None = None
        #: Every stream that was begun, and not handed out.
        self.streams: set[IOStream] = set()
        #: The addresses of attempts that have neither failed nor succeeded.
        self._pending: dict[IOStream, Any] = {}
        self._timeout: Any = None
        self._connect_timeout: Any = None
        self._secondary_started = False

    @staticmethod
    def split(addrinfo: Addresses) -> tuple[Addresses, Addresses]:
        """The addresses of the first one's family, and all others."""
        first = addrinfo[0][0]
        primary = [info for info in addrinfo if info[0] == first]
        secondary = [info for info in addrinfo if info[0] != first]
        return primary, secondary

    def start(
        self,
        timeout: float = _INITIAL_CONNECT_TIMEOUT,
        connect_timeout: float | datetime.timedelta | None = None,
    ) -> "asyncio.Future[Connected]":
        """Begins; `timeout` seconds are the first family's alone, `connect_timeout` ends it all.

        `connect_timeout` is as for `IOLoop.add_timeout`.  The Future's result is (family, address,
        stream); it fails with the last attempt's error, or `TimeoutError`.
        """
        self.future.add_done_callback(self._on_future_done)
        self._timeout = self.io_loop.add_timeout(self.io_loop.time() + timeout, self.on_timeout)
        if connect_timeout is not None:
            self._connect_timeout = self.io_loop.add_timeout(connect_timeout, self.on_connect_timeout)
        self._try_next(iter(self.primary_addrs))
        return self.future

    def on_timeout(self) -> None:
        """The first family has had its time."""
        self._timeout = None
        if not self.future.done():
            self._try_secondary()

    def on_connect_timeout(self) -> None:
        """The time for everything is over."""
        self._connect_timeout = None
        if not self.future.done():
            tried = ", ".join(sorted(format_addr(address) for address in self._pending.values()))
            self.future.set_exception(TimeoutError(f"Timeout while connecting to {tried}"))
        self._end()

    def _try_secondary(self) -> None:
        if not self._secondary_started:
            self._secondary_started = True
            self._try_next(iter(self.secondary_addrs))

    def _try_next(self, addresses: Iterator[tuple[int, Any]]) -> None:
        """Begins with the next address of one family; one that fails at once is passed over."""
        for family, address in addresses:
            try:
                stream, connecting = self.connect(family, address)
            except OSError as e:
                self._attempt_failed(e)
                if self.future.done():
                    return
                continue
            self.streams.add(stream)
            self._pending[stream] = address
            # On the loop: a result that is there already must not make this recursive.
            connecting.add_done_callback(partial(self._on_connect_done, addresses, family, address, stream))
            return

    def _on_connect_done(
        self,
        addresses: Iterator[tuple[int, Any]],
        family: int,
        address: Any,
        stream: IOStream,
        connecting: "asyncio.Future[IOStream]",
    ) -> None:
        self._pending.pop(stream, None)
        failure: BaseException | None
        if connecting.cancelled():
            failure = OSError(f"connection attempt to {format_addr(address)} was cancelled")
        else:
            failure = connecting.exception()
        if self.future.done():
            stream.close()
        elif failure is None:
            self.streams.discard(stream)
            self.future.set_result((family, address, stream))
            self._end()
        else:
            if connecting.cancelled():
                stream.close()
            self._attempt_failed(failure)
            if not self.future.done():
                self._try_next(addresses)

    def _attempt_failed(self, error: BaseException) -> None:
        self.last_error = error
        self.remaining -= 1
        if self.remaining == 0:
            if not self.future.done():
                self.future.set_exception(error)
            self._end()
        elif not self.future.done():
            # No need to wait for the rest of the first family's time.
            self._cancel_timeout()
            self._try_secondary()

    def _on_future_done(self, future: "asyncio.Future[Connected]") -> None:
        if future.cancelled():
            self._end()

    def _end(self) -> None:
        self._cancel_timeout()
        if self._connect_timeout is not None:
            self.io_loop.remove_timeout(self._connect_timeout)
            self._connect_timeout = None
        for stream in self.streams:
            stream.close()

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self.io_loop.remove_timeout(self._timeout)
            self._timeout = None


def format_addr(address: Any) -> str:
    """An address as a person writes it: `1.2.3.4:80`, `[::1]:80`, or whatever it is."""
    if not isinstance(address, tuple) or len(address) < 2:
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


class TCPClient:
    """Makes connections; `resolver` looks up the names (default: a `Resolver()` of its own).

    Source: Tornado documentation, `tornado.tcpclient`.
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._own_resolver = resolver is None
        self.resolver: Resolver = Resolver() if resolver is None else resolver

    def close(self) -> None:
        """Closes the resolver, unless it was given to us."""
        if self._own_resolver:
            self.resolver.close()

    async def connect(
        self,
        host: str,
        port: int,
        af: socket.AddressFamily = socket.AF_UNSPEC,
        ssl_options: SSLOptions | None = None,
        max_buffer_size: int | None = None,
        source_ip: str | None = None,
        source_port: int | None = None,
        timeout: float | datetime.timedelta | None = None,  # noqa: ASYNC109  # Tornado's signature
    ) -> IOStream:
        """Connects and returns the stream: an `SSLIOStream` if `ssl_options` are given.

        `af` narrows the addresses to a family.  `source_ip` and `source_port` are our own end.
        `timeout` (seconds, or a `timedelta`; default: none) is for name, connection and TLS together.
        Raises: `TimeoutError`; `OSError` if the name is not known or nothing answers;
        `StreamClosedError`; `ssl.SSLError`.
        """
        if timeout is None:
            deadline = None
        elif isinstance(timeout, numbers.Real):
            deadline = asyncio.get_running_loop().time() + float(timeout)
        elif isinstance(timeout, datetime.timedelta):
            deadline = asyncio.get_running_loop().time() + timeout.total_seconds()
        else:
            raise TypeError(f"Unsupported timeout {timeout!r}")
        async with _until(deadline, f"Timeout while resolving {host}"):
            addrinfo = await self.resolver.resolve(host, port, af)
        if not addrinfo:
            raise OSError(f"no address found for {host}")
        connector = Connector(
            addrinfo,
            partial(self._create_stream, max_buffer_size, source_ip=source_ip, source_port=source_port),
        )
        remaining = None
        if deadline is not None:
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            remaining = datetime.timedelta(seconds=left)
        connecting = connector.start(connect_timeout=remaining)
        try:
            _, address, stream = await connecting
        except asyncio.CancelledError:
            # It may have succeeded in the same turn of the loop; then nobody else knows the stream.
            if not connecting.cancelled() and connecting.exception() is None:
                connecting.result()[2].close()
            raise
        if ssl_options is None:
            return stream
        async with _until(deadline, f"Timeout during TLS handshake with {format_addr(address)}"):
            # When we are cancelled here, so is its Future, and it closes the connection.
            return await stream.start_tls(False, ssl_options=ssl_options, server_hostname=host)

    def _create_stream(
        self,
        max_buffer_size: int | None,
        af: int,
        addr: Any,
        source_ip: str | None = None,
        source_port: int | None = None,
    ) -> "tuple[IOStream, asyncio.Future[IOStream]]":
        sock = socket.socket(af)
        try:
            if source_ip is not None or source_port is not None:
                sock.bind((source_ip or "", source_port or 0))
            stream = IOStream(sock, max_buffer_size=max_buffer_size)
        except BaseException:
            sock.close()
            raise
        return stream, stream.connect(addr)


class _until:
    """`async with` that raises `TimeoutError(message)` at `deadline` of the loop's clock; `None` = never."""

    def __init__(self, deadline: float | None, message: str) -> None:
        self._timeout = asyncio.timeout_at(deadline)
        self._message = message

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *exc_info: Any) -> None:
        try:
            await self._timeout.__aexit__(*exc_info)
        except TimeoutError:
            raise TimeoutError(self._message) from None
