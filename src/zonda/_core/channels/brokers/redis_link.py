"""One connection to Redis on which any number of commands are under way at once.

A pool would open a connection for each of many publishes at once, or have them wait for each other.  Here
what is asked meanwhile is written together, and answers are taken in their order.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from redis import exceptions as faults
from redis.asyncio.connection import AbstractConnection

from zonda._core.base.clock import monotonic
from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable

from .redis_scripts import SCRIPTS, Script
from .tries import in_time

Word = bytes | str | int

#: What another try may mend: the connection was lost, the server is starting, or is no longer the one that
#: takes writes.
LOST = (
    faults.ConnectionError,
    faults.TimeoutError,
    faults.ReadOnlyError,
    faults.MasterDownError,
    OSError,
)
#: Commands that are written together at most.
_TOGETHER = 256


class Link:
    """Connects when it is first used, and again when it was lost."""

    def __init__(self, where: str, make: Callable[[], AbstractConnection], limits: Limits) -> None:
        self._where = where
        self._make = make
        self._limits = limits
        self._connection: AbstractConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._unsent: list[tuple[Word, ...]] = []
        self._something = asyncio.Event()
        #: Asked and not answered: the answer, its bytes, and when it was asked.
        self._waiting: deque[tuple[asyncio.Future[Any], int, float]] = deque()
        self._bytes = 0
        #: What names the process at the other end, if nothing says that data outlives it; see `HISTORY`.
        self.run = ""
        #: Data outlives that process.
        self.durable = False

    async def script(self, script: Script, keys: list[str], *words: Word, again: bool = True) -> Any:
        """What a script gives.  `again`: if the connection is lost it is tried again, for as long as there is
        time; it may then have been run twice.  Raises `BrokerUnavailable`.
        """
        return await self._in_time(
            lambda: self.command("EVALSHA", script.sha, len(keys), *keys, *words), again
        )

    async def topic_script(self, script: Script, keys: list[str], *words: Word) -> Any:
        """The same for one that has to know which process runs it."""
        return await self._in_time(
            lambda: self.command("EVALSHA", script.sha, len(keys), *keys, self.run, *words), True
        )

    async def publish(self, channel: str, packed: bytes) -> None:
        await self._in_time(lambda: self.command("PUBLISH", channel, packed), False)

    async def _in_time(self, ask: Callable[[], Awaitable[Any]], again: bool) -> Any:
        async def attempt() -> Any:
            await self.connect()
            try:
                return await ask()
            except faults.NoScriptError:
                await self._load()
                return await ask()

        try:
            return await in_time(self._where, self._limits.broker_timeout, attempt, LOST, again)
        except BrokerUnavailable:
            self._drop_stuck()
            raise
        except faults.RedisError as error:
            raise BrokerUnavailable(f"{self._where}: {error}") from error

    async def command(self, *words: Word) -> Any:
        """The answer to one command, on the connection that is there.  Raises what the library raises."""
        if self._connection is None:
            raise faults.ConnectionError("the connection is closed")
        size = sum(len(word) for word in words if not isinstance(word, int))
        if self._bytes and self._bytes + size > self._limits.broker_buffer_bytes:
            raise BrokerUnavailable(
                f"{self._where} is too slow: {self._bytes} bytes wait for it,"
                f" {self._limits.broker_buffer_bytes} are allowed"
            )
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._bytes += size
        self._waiting.append((answer, size, monotonic()))
        self._unsent.append(words)
        self._something.set()
        return await answer

    # ---- the connection

    async def connect(self) -> None:
        """Waits until there is one.  Raises what the library raises."""
        if self._connection is not None:
            return
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        connecting = self._connecting
        try:
            await asyncio.shield(connecting)
        finally:
            if connecting.done() and self._connecting is connecting:
                self._connecting = None

    async def _connect(self) -> None:
        connection = self._make()
        try:
            async with asyncio.timeout(self._limits.broker_timeout):
                await connection.connect()
                words = [("INFO", "server", "persistence")]
                await connection.send_packed_command(connection.pack_commands(words), check_health=False)
                self._learn(await connection.read_response())
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._connection = connection
        self._tasks = (
            asyncio.create_task(self._write(connection)),
            asyncio.create_task(self._read(connection)),
        )

    def _learn(self, answer: Any) -> None:
        lines = bytes(answer).decode(errors="replace").splitlines()
        facts = dict(line.partition(":")[::2] for line in lines)
        self.durable = facts.get("aof_enabled") == "1"
        self.run = "" if self.durable else facts.get("run_id", "")

    async def _load(self) -> None:
        # Another process may be doing the same: it costs little, and happens once in a server's life.
        for script in SCRIPTS:
            await self.command("SCRIPT", "LOAD", script.text)

    async def _write(self, connection: AbstractConnection) -> None:
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while self._unsent:
                    batch = self._unsent[:_TOGETHER]
                    del self._unsent[:_TOGETHER]
                    await connection.send_packed_command(connection.pack_commands(batch), check_health=False)
        except (faults.RedisError, OSError) as error:
            self._lose(connection, error)

    async def _read(self, connection: AbstractConnection) -> None:
        try:
            while True:
                answer: Any
                try:
                    answer = await connection.read_response()
                except faults.ResponseError as error:
                    answer = error
                waiting, size, _ = self._waiting.popleft()
                self._bytes -= size
                if waiting.done():
                    continue  # whoever asked has given up
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        except (faults.RedisError, OSError) as error:
            self._lose(connection, error)
        finally:
            await connection.disconnect(nowait=True)

    def _lose(self, connection: AbstractConnection, error: Exception) -> None:
        """What is under way fails; whoever asked decides whether to ask again."""
        if self._connection is not connection:
            return
        self._connection = None
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        waiting, self._waiting = self._waiting, deque()
        self._unsent.clear()
        self._bytes = 0
        for answer, _, _ in waiting:
            if not answer.done():
                answer.set_exception(faults.ConnectionError(str(error) or type(error).__name__))

    def _drop_stuck(self) -> None:
        """Gives up a connection whose oldest question has waited for too long: the other end may be gone
        without a word.
        """
        seconds = self._limits.broker_timeout
        if self._connection is not None and self._waiting and monotonic() - self._waiting[0][2] >= seconds:
            self._lose(self._connection, faults.ConnectionError(f"no answer within {seconds:g} seconds"))

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._connection is not None:
            self._lose(self._connection, faults.ConnectionError("the broker is closed"))
        if self._tasks:
            await asyncio.wait(self._tasks)
