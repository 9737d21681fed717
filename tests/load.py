"""A load of GET requests at a set rate on a bounded number of connections, in a thread of its own.

    with Load(address, rate=1000) as load:
        ...
    assert not load.failures

Nothing is tried twice: a request that gets no whole answer of status 200 is a failure.
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

import uvloop


class Load:
    """`answers` counts the answers' bodies (or what `kind` makes of them), `failures` tells of the rest.

    `address` is "http://HOST:PORT" or "unix:PATH"; `rate` is in requests a second, over all `connections`.
    A connection is closed after `each` requests, and a new one made: some are fresh, most are kept alive.
    """

    def __init__(
        self,
        address: str,
        *,
        rate: float = 1000.0,
        connections: int = 40,
        each: int = 50,
        path: str = "/",
        kind: Callable[[str], str] = str,
        time_out: float = 20.0,
    ) -> None:
        self.address = address
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        #: Connections made, and connections that the server has said it closes behind an answer.
        self.connected = 0
        self.told_close = 0
        #: The longest time to an answer, connecting included, in seconds.
        self.slowest = 0.0
        self._rate = rate
        self._connections = connections
        self._each = each
        self._request = f"GET {path} HTTP/1.1\r\nHost: load\r\n\r\n".encode()
        self._kind = kind
        self._time_out = time_out
        self._next = 0.0
        self._stopping = False
        self._refused_is_the_end = False
        self._thread = threading.Thread(target=self._run, name="load")

    @property
    def answered(self) -> int:
        return sum(self.answers.values())

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping = True
        self._thread.join()

    def end_with_the_server(self) -> None:
        """From now on it may stop listening: who is refused, or closed when nothing was sent, ends."""
        self._refused_is_the_end = True

    def wait_for(self, count: int, within: float = 30.0) -> None:
        """Returns when so many more requests were answered."""
        wanted = self.answered + count
        deadline = time.monotonic() + within
        while self.answered < wanted:
            assert time.monotonic() < deadline, (
                f"{self.answered} answers, {wanted} wanted; {self.failures[:3]}"
            )
            assert self._thread.is_alive(), f"the load has ended: {self.failures[:3]}"
            time.sleep(0.01)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        self._next = time.monotonic()
        await asyncio.gather(*(self._keep_asking() for _ in range(self._connections)))

    async def _turn(self) -> bool:
        """Waits for when the next request is due; False if there is to be none."""
        now = time.monotonic()
        # Whoever is behind does not make up for it: that would be another load.
        due = self._next = max(self._next + 1.0 / self._rate, now - 0.2)
        if due > now:
            await asyncio.sleep(due - now)
        return not self._stopping

    async def _keep_asking(self) -> None:
        while await self._turn():
            begun = time.monotonic()
            try:
                async with asyncio.timeout(self._time_out):
                    reader, writer = await self._connect()
            except OSError as error:
                if self._refused_is_the_end and isinstance(error, ConnectionRefusedError | FileNotFoundError):
                    return
                self.failures.append(f"cannot connect: {error!r}")
                continue
            self.connected += 1
            try:
                for number in range(self._each):
                    if number and not await self._turn():
                        break
                    if number:
                        begun = time.monotonic()
                    if reader.at_eof() and self._refused_is_the_end:
                        break
                    async with asyncio.timeout(self._time_out):
                        keeps = await self._ask(reader, writer)
                    self.slowest = max(self.slowest, time.monotonic() - begun)
                    if not keeps:
                        self.told_close += 1
                        break
            except (OSError, EOFError, ValueError) as error:
                self.failures.append(f"request {number} of a connection: {error!r}")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.address.startswith("unix:"):
            return await asyncio.open_unix_connection(self.address.removeprefix("unix:"))
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection is kept."""
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200 "):
            raise ValueError(f"not 200: {head!r}")
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        self.answers[self._kind((await reader.readexactly(length)).decode())] += 1
        return b"\r\nconnection: close" not in head
