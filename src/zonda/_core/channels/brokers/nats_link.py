"""The connection to NATS: made anew when it is lost, with all its subscriptions, and told about.

The library can reconnect by itself, but a connection that fell silent keeps it waiting (nats-io/nats.py issue
671), and what was asked is never answered.  So a connection is given up as soon as the library says that it
is lost: what was asked on it fails at once, and there is another one.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error, SlowConsumerError

from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable
from zonda.log import gen_log

from .tries import FIRST_DELAY, LONGEST_DELAY, in_time

_T = TypeVar("_T")
#: Told of what a subscription brings, one after the other.
Told = Callable[[Msg], Awaitable[None]]


class Lost(Exception):
    """There is no connection, or it was lost before the answer came."""


class Unanswered(Exception):
    """Nobody takes what is sent to that subject, or nobody answers it."""


#: What another try may mend.
PASSING = (Lost, Unanswered, Error, OSError)


class Link:
    """`resumed` is called when the connection is there again, and all that was subscribed."""

    def __init__(self, url: str, limits: Limits, resumed: Callable[[], None]) -> None:
        self._servers = _servers(url)
        #: For messages; says nothing of passwords.
        self.name = "NATS at " + ", ".join(
            urlsplit(server).netloc.rpartition("@")[2] for server in self._servers
        )
        self.limits = limits
        self._resumed = resumed
        self._client: Client | None = None
        self._connected = asyncio.Event()
        self._reconnecting: asyncio.Task[None] | None = None
        self._closed = False
        self._closing: set[asyncio.Task[None]] = set()
        self._subscriptions: dict[str, Told] = {}
        #: Those of the connection that there is.
        self._current: dict[str, Subscription] = {}
        #: Who waits for answers, by the end of the subject to which these are sent.
        self._asking: dict[str, tuple[Callable[[Msg], None], Callable[[], None]]] = {}
        self._numbers = itertools.count(1)
        #: Where answers to what is asked here are sent: what these subjects begin with.
        self.inbox = ""
        self._bytes = 0
        self._slow = False
        self._failure: Exception | None = None
        #: What this user may not do, as the server told last.
        self._refused = ""

    # ---- the connection

    async def start(self) -> None:
        """Raises `BrokerUnavailable`."""
        try:
            async with asyncio.timeout(self.limits.broker_timeout):
                self._client = await self._connect()
        except TimeoutError as error:
            raise BrokerUnavailable(
                f"{self.name} did not answer within {self.limits.broker_timeout:g} seconds"
            ) from error
        except Exception as error:  # also whatever the library makes of who is no NATS
            raise BrokerUnavailable(f"{self.name}: {self._failure or error}") from error
        self._connected.set()

    async def _connect(self) -> Client:
        """A connection with all subscriptions.  Raises what the library raises."""
        timeout = self.limits.broker_timeout
        client = Client()
        self._failure = None

        async def lost() -> None:
            self._lost(client)

        try:
            await client.connect(
                self._servers,
                error_cb=self._failed,
                disconnected_cb=lost,
                # Once more, if at all.  (Told not to reconnect, it may not tell of a loss: issue 806.)
                max_reconnect_attempts=1,
                reconnect_time_wait=FIRST_DELAY,  # type: ignore[arg-type]
                # The library says int, and counts in what it is given.
                connect_timeout=timeout,  # type: ignore[arg-type]
                ping_interval=timeout / 3,  # type: ignore[arg-type]
                max_outstanding_pings=2,
                pending_size=self.limits.broker_buffer_bytes,
            )
            self._current = {}
            self.inbox = client.new_inbox()
            await self._begin(client, f"{self.inbox}.*", self._answered)
            for subject, told in list(self._subscriptions.items()):
                await self._begin(client, subject, told)
            await self._heard(client)
        except BaseException:
            await _close(client, self._current)
            raise
        return client

    async def _begin(self, client: Client, subject: str, told: Told) -> None:
        self._current[subject] = await client.subscribe(
            subject, cb=told, pending_bytes_limit=self.limits.broker_buffer_bytes
        )

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            # The library has dropped messages: as after an interruption, what is kept is fetched.
            if not self._slow:
                self._slow = True
                gen_log.warning("%s sends faster than this process reads: messages were dropped", self.name)
                asyncio.get_running_loop().call_later(FIRST_DELAY, self._caught_up)
        elif "permissions violation" in str(error).lower():
            if not self._refused:
                gen_log.error("%s lets us do less than we have to: %s", self.name, error)
            self._refused = str(error)
        elif not isinstance(error, (Error, OSError)):
            gen_log.error("What %s sent could not be taken", self.name, exc_info=error)
        elif not self._failure:
            self._failure = error

    def _caught_up(self) -> None:
        self._slow = False
        if self._client is not None:
            self._resumed()

    def _lost(self, client: Client) -> None:
        if self._client is not client or self._closed:
            if self._client is None:
                self._fail_all()  # it was lost while it was made
            return
        self._client = None
        self._connected.clear()
        closing = asyncio.create_task(_close(client, self._current))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        gen_log.warning("The connection to %s is lost (%s); trying again", self.name, self._failure)
        self._fail_all()
        self._reconnecting = asyncio.create_task(self._reconnect())

    def _fail_all(self) -> None:
        for _, fail in list(self._asking.values()):
            fail()

    async def _reconnect(self) -> None:
        delay = FIRST_DELAY
        while True:
            # Not all processes at the same moment.
            await asyncio.sleep(delay * random.uniform(0.5, 1))
            try:
                async with asyncio.timeout(self.limits.broker_timeout):
                    client = await self._connect()
                break
            except Exception:  # as in `start`
                delay = min(2 * delay, LONGEST_DELAY)
        self._client = client
        if not client.is_connected:
            self._lost(client)
            return
        self._connected.set()
        gen_log.info("The connection to %s is there again", self.name)
        self._resumed()

    async def close(self) -> None:
        self._closed = True
        client, self._client = self._client, None
        self._fail_all()
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            await asyncio.wait([self._reconnecting])
        if client is not None:
            await _close(client, self._current)
        if self._closing:
            await asyncio.wait(self._closing)

    @property
    def max_payload(self) -> int:
        """Bytes that the server takes at once."""
        return 0 if self._client is None else self._client.max_payload

    def client(self) -> Client:
        """The connection.  Raises `Lost`."""
        if self._client is None:
            raise Lost("the connection is lost")
        return self._client

    async def in_time(self, attempt: Callable[[], Awaitable[_T]], again: bool = True) -> _T:
        """See `tries.in_time`."""
        return await in_time(self.name, self.limits.broker_timeout, attempt, PASSING, again)

    # ---- subscribing

    async def subscribe(self, subject: str, told: Told) -> None:
        """Calls `told` for what comes, once this has returned.

        Raises `BrokerUnavailable`, also if the server does not let this user.
        """
        self._subscriptions[subject] = told

        async def attempt() -> None:
            await self._connected.wait()
            client = self.client()
            if subject not in self._current:
                await self._begin(client, subject, told)
            await self._heard(client)
            if f'"{subject}"' in self._refused:
                raise BrokerUnavailable(f"{self.name}: {self._refused}")

        try:
            await self.in_time(attempt)
        except BaseException:
            await self.unsubscribe(subject)
            raise

    async def unsubscribe(self, subject: str) -> None:
        self._subscriptions.pop(subject, None)
        subscription = self._current.pop(subject, None)
        if subscription is not None:
            with suppress(Error, OSError):  # it ends with its connection
                await subscription.unsubscribe()

    # ---- sending and asking

    async def publish(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Sends it, and does not wait.  Raises `Lost`, `BrokerUnavailable` if too much waits already."""
        client = self.client()
        if len(payload) > client.max_payload:
            raise BrokerUnavailable(f"{len(payload)} bytes: {self.name} takes {client.max_payload}")
        self._room(client.pending_data_size)
        await client.publish(subject, payload, reply, headers)

    def _room(self, waiting: int) -> None:
        if waiting > self.limits.broker_buffer_bytes:
            raise BrokerUnavailable(
                f"{self.name} is too slow: {waiting} bytes wait for it,"
                f" {self.limits.broker_buffer_bytes} are allowed"
            )

    async def flush(self) -> None:
        """Waits until the server has taken all that was sent.  Raises what `PASSING` names."""
        await self._heard(self.client())

    async def _heard(self, client: Client) -> None:
        # A message to ourselves.  The library's own `flush` may overtake what it was called behind: a
        # subscription does not stand when it returns.
        answer = _Answer()
        with self.asking(answer.told, answer.fail) as reply:
            await client.publish(reply)
            await answer.came

    @contextmanager
    def asking(self, told: Callable[[Msg], None], fail: Callable[[], None]) -> Iterator[str]:
        """A subject for answers: `told` is called for each, `fail` if the connection is lost."""
        number = str(next(self._numbers))
        self._asking[number] = told, fail
        try:
            yield f"{self.inbox}.{number}"
        finally:
            del self._asking[number]

    async def request(self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None) -> Msg:
        """The answer.  Raises what `PASSING` names.

        Waits for half of `Limits.broker_timeout`: a server of a cluster that dies takes questions with it,
        and who asks again finds another.
        """
        answer = _Answer()
        self._room(self._bytes and self._bytes + len(payload))
        self._bytes += len(payload)
        try:
            with self.asking(answer.told, answer.fail) as reply:
                await self.publish(subject, payload, reply, headers)
                async with asyncio.timeout(self.limits.broker_timeout / 2):
                    message = await answer.came
        except TimeoutError as error:
            raise Unanswered(f"{subject} was not answered") from error
        finally:
            self._bytes -= len(payload)
        if not message.data and message.headers is not None and message.headers.get("Status") == "503":
            raise Unanswered(f"nobody takes {subject}")
        return message

    async def _answered(self, message: Msg) -> None:
        asking = self._asking.get(message.subject.rpartition(".")[2])
        if asking is not None:
            asking[0](message)


def _servers(url: str) -> list[str]:
    """Several servers of one cluster: `nats://user:password@one:4222,two:4222`."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return [f"{parts.scheme}://{user}{at}{host}" for host in hosts.split(",")]


class _Answer:
    """The one answer to a question."""

    def __init__(self) -> None:
        self.came: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    def told(self, message: Msg) -> None:
        if not self.came.done():
            self.came.set_result(message)

    def fail(self) -> None:
        if not self.came.done():
            self.came.set_exception(Lost("the connection is lost"))


async def _close(client: Client, subscriptions: dict[str, Subscription]) -> None:
    # What is done in its own order fails halfway where the transport is gone already, and would wait for what
    # it cannot send any more.
    with suppress(TimeoutError, Error, OSError, RuntimeError):
        async with asyncio.timeout(1):
            for subscription in list(subscriptions.values()):
                with suppress(Error, OSError, RuntimeError):
                    await subscription.unsubscribe()
            await client.close()
