"""The connection on which Redis tells what is published, and its coming back.

The library's own object for this reconnects by itself, without a word; here it has to be told (`resumed`).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable

from redis import exceptions as faults
from redis.asyncio.connection import AbstractConnection

from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable
from zonda.log import gen_log

from .redis_link import LOST
from .tries import FIRST_DELAY, LONGEST_DELAY

#: Channels that one command subscribes.
_TOGETHER = 1000


class Listener:
    """Subscribes to channels; calls `received(channel, payload)`, and `resumed()` once everything is
    subscribed again after an interruption.
    """

    def __init__(
        self,
        where: str,
        make: Callable[[], AbstractConnection],
        limits: Limits,
        received: Callable[[bytes, bytes], None],
        resumed: Callable[[], None],
    ) -> None:
        self._where = where
        self._make = make
        self._limits = limits
        self._received = received
        self._resumed = resumed
        self._wanted: set[bytes] = set()
        #: Who waits for the server's word that a channel is subscribed; one for each command sent.
        self._waiting: dict[bytes, deque[asyncio.Future[None]]] = {}
        #: Channels that are not yet subscribed again; None = no interruption.
        self._restoring: set[bytes] | None = None
        self._connection: AbstractConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._heard = False

    async def start(self) -> None:
        """Raises what the library raises."""
        self._task = asyncio.create_task(self._run(await self._connect()))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def subscribe(self, channel: bytes) -> None:
        """Raises `BrokerUnavailable`; it is not subscribed then."""
        self._wanted.add(channel)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(channel, deque()).append(done)
        try:
            async with asyncio.timeout(self._limits.broker_timeout):
                await self._send("SUBSCRIBE", channel)
                await done
        except BaseException as error:
            self._wanted.discard(channel)
            if isinstance(error, TimeoutError):
                raise BrokerUnavailable(
                    f"{self._where} did not answer within {self._limits.broker_timeout:g} seconds"
                ) from error
            raise

    async def unsubscribe(self, channel: bytes) -> None:
        self._wanted.discard(channel)
        await self._send("UNSUBSCRIBE", channel)

    async def _send(self, command: str, *channels: bytes) -> None:
        """Nothing where there is no connection: once there is one, what is wanted is subscribed."""
        connection = self._connection
        # `is_connected`: the library would connect again by itself, behind our back.
        if connection is not None and connection.is_connected:
            try:
                await connection.send_packed_command(
                    connection.pack_command(command, *channels), check_health=False
                )
            except LOST:
                pass  # the reading side sees it too

    # ---- the connection

    async def _connect(self) -> AbstractConnection:
        connection = self._make()
        try:
            async with asyncio.timeout(self._limits.broker_timeout):
                await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._connection = connection
        return connection

    async def _run(self, connection: AbstractConnection) -> None:
        while True:
            why = await self._listen(connection)
            if self._restoring is None:
                gen_log.warning("The connection to %s is lost (%s); trying again", self._where, why)
            # What is wanted later subscribes itself, once there is a connection.
            self._restoring = set()
            connection = await self._connect_again()
            wanted = list(self._wanted)
            self._restoring = set(wanted)
            for begin in range(0, len(wanted), _TOGETHER):
                await self._send("SUBSCRIBE", *wanted[begin : begin + _TOGETHER])

    async def _connect_again(self) -> AbstractConnection:
        delay = FIRST_DELAY
        while True:
            # Not all processes at the same moment.
            await asyncio.sleep(delay * random.uniform(0.5, 1))
            try:
                return await self._connect()
            except (*LOST, faults.RedisError, TimeoutError):
                delay = min(2 * delay, LONGEST_DELAY)

    async def _listen(self, connection: AbstractConnection) -> str:
        """Takes what comes until the connection is lost; why it is."""
        watch = None
        try:
            async with asyncio.timeout(None) as patience:
                watch = asyncio.create_task(self._watch(connection, patience))
                while True:
                    self._take(await connection.read_response())
        except TimeoutError:
            return "it says nothing"
        except (faults.RedisError, OSError) as error:
            return str(error) or type(error).__name__
        finally:
            self._connection = None
            if watch is not None:
                watch.cancel()
                await asyncio.wait([watch])
            await connection.disconnect(nowait=True)

    async def _watch(self, connection: AbstractConnection, patience: asyncio.Timeout) -> None:
        """Asks a silent server whether it is still there: a machine that is gone says nothing."""
        asked = False
        while True:
            await asyncio.sleep(self._limits.broker_timeout / 2)
            if self._heard:
                self._heard = asked = False
            elif not asked:
                asked = True
                await self._send("PING")
            else:
                patience.reschedule(0)

    def _take(self, told: list[bytes]) -> None:
        self._heard = True
        kind, channel = told[0], told[1]
        if kind == b"message":
            self._received(channel, told[2])
        elif kind == b"subscribe":
            restoring = self._restoring
            restored = restoring is not None and channel in restoring
            waiting = self._waiting.get(channel)
            while waiting:
                done = waiting.popleft()
                if not done.done():
                    done.set_result(None)
                if not restored:
                    break
            if not waiting:
                self._waiting.pop(channel, None)
            if restoring is not None and restored:
                restoring.discard(channel)
                if not restoring:
                    self._restoring = None
                    gen_log.info("The connection to %s is there again", self._where)
                    self._resumed()
