"""Host names to addresses."""

import asyncio
import concurrent.futures
import os
import socket
from collections.abc import Awaitable
from typing import Any, ClassVar

from zonda.util import Configurable

#: What a resolver answers: families, each with an address as `socket.connect` takes it.
Addresses = list[tuple[int, Any]]


def is_valid_ip(ip: str) -> bool:
    """True if `ip` is an IPv4 address of four decimal numbers, or an IPv6 address (RFC 4291).

    An IPv6 address may name its zone (`fe80::1%eth0`, RFC 4007) if this machine has it.
    Source: Tornado documentation, `tornado.netutil`.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, ip)
        except (OSError, ValueError):
            continue
        return True
    address, zone_mark, _ = ip.partition("%")
    if not zone_mark or "\0" in ip or not is_valid_ip(address):
        return False
    try:
        socket.getaddrinfo(ip, None, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return True


def _resolve_blocking(host: str, port: int, family: int) -> Addresses:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(info[0], info[4]) for info in found]


class Resolver(Configurable):
    """Looks up host names.  `Resolver()` makes the configured kind, by default `DefaultLoopResolver`.

    `Resolver.configure("zonda.netutil.ThreadedResolver", num_threads=4)` chooses another.
    Source: Tornado documentation, `tornado.netutil`.
    """

    @classmethod
    def configurable_base(cls) -> type["Resolver"]:
        return Resolver

    @classmethod
    def configurable_default(cls) -> type["Resolver"]:
        return DefaultLoopResolver

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[Addresses]:
        """The addresses of `host`: a list of (family, address), fit for `socket.connect`.

        Raises, when awaited: `OSError` if there is none.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Frees what the resolver holds; it is not used afterwards."""


class DefaultLoopResolver(Resolver):
    """Asks the event loop (`loop.getaddrinfo`): a thread on asyncio, libuv's threads on uvloop."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Addresses:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        return [(info[0], info[4]) for info in found]


class DefaultExecutorResolver(Resolver):
    """Asks `getaddrinfo` in the default executor of the loop."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Addresses:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, _resolve_blocking, host, port, family)


class ExecutorResolver(Resolver):
    """Asks `getaddrinfo` in `executor`; `None` means in this thread, which blocks the loop.

    `close()` shuts the executor down unless `close_executor` is false.
    """

    def initialize(
        self, executor: concurrent.futures.Executor | None = None, close_executor: bool = True
    ) -> None:
        self.executor = executor
        self.close_executor = close_executor and executor is not None

    def close(self) -> None:
        if self.executor is not None and self.close_executor:
            self.executor.shutdown()
        self.executor = None

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Addresses:
        if self.executor is None:
            return _resolve_blocking(host, port, family)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, _resolve_blocking, host, port, family)


class BlockingResolver(ExecutorResolver):
    """Asks `getaddrinfo` in this thread: the loop stands still meanwhile."""

    def initialize(self) -> None:  # type: ignore[override]
        super().initialize()


class ThreadedResolver(ExecutorResolver):
    """Asks `getaddrinfo` in a pool of threads that all resolvers of this kind share.

    The pool has the size (`num_threads`, default 10) that the first of them asked for.
    """

    _threadpool: ClassVar[concurrent.futures.ThreadPoolExecutor | None] = None
    _threadpool_pid: ClassVar[int | None] = None

    def initialize(self, num_threads: int = 10) -> None:  # type: ignore[override]
        super().initialize(executor=self._shared_pool(num_threads), close_executor=False)

    @classmethod
    def _shared_pool(cls, num_threads: int) -> concurrent.futures.ThreadPoolExecutor:
        # The threads of a pool do not survive fork().
        if cls._threadpool is None or cls._threadpool_pid != os.getpid():
            cls._threadpool = concurrent.futures.ThreadPoolExecutor(num_threads)
            cls._threadpool_pid = os.getpid()
        return cls._threadpool


class OverrideResolver(Resolver):
    """Puts a table in front of another resolver, like a hosts file of the program's own.

    The keys of `mapping` are, in the order in which they are tried, `(host, port, family)`,
    `(host, port)` and `host`; what they map to is another host, or `(host, port)`.
    """

    def initialize(self, resolver: Resolver, mapping: dict[Any, Any]) -> None:
        self.resolver = resolver
        self.mapping = mapping

    def close(self) -> None:
        self.resolver.close()

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> Awaitable[Addresses]:
        for key in ((host, port, family), (host, port), host):
            if key in self.mapping:
                instead = self.mapping[key]
                if isinstance(instead, tuple):
                    host, port = instead
                else:
                    host = instead
                break
        return self.resolver.resolve(host, port, family)
