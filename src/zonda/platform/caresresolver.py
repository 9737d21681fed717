"""Names to addresses by c-ares: `zonda.platform.caresresolver` (`tornado.platform.caresresolver`).

Needs pycares 4: `pip install zonda[cares]`.
"""

import asyncio
import socket
from typing import Any

import pycares

from zonda.ioloop import IOLoop
from zonda.netutil import Resolver

__all__ = ["CaresResolver"]

#: c-ares asks to be woken at least this soon, in seconds, whatever it says itself.
_SOON = 0.001


class CaresResolver(Resolver):
    """Asks the name servers by itself, without threads.

    `Resolver.configure("zonda.platform.caresresolver.CaresResolver")` makes it the one that is used.
    Its answers may differ from the system's: it reads the hosts file and asks DNS, nothing else.  A query
    that is not answered ends after c-ares's own time-outs (2 seconds, then longer, 3 tries).
    Source: Tornado documentation, `tornado.platform.caresresolver`, which deprecates it.
    """

    def initialize(self) -> None:
        self.io_loop: Any = IOLoop.current()
        self._loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop
        #: What c-ares waits for: descriptor -> (to read, to write).
        self.fds: dict[int, tuple[bool, bool]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.channel = pycares.Channel(sock_state_cb=self._watch)

    def close(self) -> None:
        """Ends what is being asked with an error, and frees the sockets."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for fd in list(self.fds):
            self._watch(fd, False, False)
        self.channel.cancel()
        self.channel.close()

    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
        """The addresses of `host`, as (family, address).

        Raises: `OSError` for a name that cannot be resolved, with what c-ares says.
        """
        future: asyncio.Future[Any] = self._loop.create_future()

        def answered(result: Any, error: int | None) -> None:
            if future.done():
                return  # nobody waits for it any more
            if error is None:
                future.set_result(result)
            else:
                reason = pycares.errno.strerror(error)
                future.set_exception(OSError(f"c-ares cannot resolve {host!r}: {reason}"))

        self.channel.getaddrinfo(host, port, answered, family=family, type=socket.SOCK_STREAM)
        self._set_timer()
        found = await future
        return [(node.family, _address(node.addr)) for node in found.nodes]

    def _watch(self, fd: int, readable: bool, writable: bool) -> None:
        """c-ares waits for something else on a socket of its own, or for nothing more."""
        old_readable, old_writable = self.fds.get(fd, (False, False))
        if readable and not old_readable:
            self._loop.add_reader(fd, self._process, fd, pycares.ARES_SOCKET_BAD)
        elif old_readable and not readable:
            self._loop.remove_reader(fd)
        if writable and not old_writable:
            self._loop.add_writer(fd, self._process, pycares.ARES_SOCKET_BAD, fd)
        elif old_writable and not writable:
            self._loop.remove_writer(fd)
        if readable or writable:
            self.fds[fd] = bool(readable), bool(writable)
        else:
            self.fds.pop(fd, None)

    def _process(self, read_fd: int, write_fd: int) -> None:
        self.channel.process_fd(read_fd, write_fd)
        self._set_timer()

    def _set_timer(self) -> None:
        """A query that nobody answers makes no socket ready: c-ares has to be told of the time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.fds:
            wait = max(self.channel.timeout(), _SOON)
            bad = pycares.ARES_SOCKET_BAD
            self._timer = self._loop.call_later(wait, self._process, bad, bad)


def _address(addr: tuple[bytes | int, ...]) -> tuple[str | int, ...]:
    # c-ares gives the text of an address as bytes.
    return tuple(part.decode("ascii") if isinstance(part, bytes) else part for part in addr)
