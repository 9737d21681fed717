"""Connections to PostgreSQL: made when needed, made anew when lost, and never used again after a doubt.

asyncpg's own time-outs, and cancelling what it does, send a cancel request over another connection, for
which it then waits without a bound (MagicStack/asyncpg issues 1326 and 1356).  So neither is used: whatever
takes too long has its connection terminated, which ends every wait at once and leaves no transaction open;
and all calls are made by tasks of ours that outlive whoever asked.  The server gives an abandoned statement
up by itself (`statement_timeout`).
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from zonda._core.base.limits import Limits
from zonda._core.channels.errors import BrokerUnavailable

from . import postgres_schema

_T = TypeVar("_T")

#: Seconds before the second and the later attempts at a connection.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
#: Connections for what is neither published nor listened to, and how many calls wait for one.
_CONNECTIONS = 2
_MOST_WAITING = 100_000
_OLDEST_SERVER = 13
#: Classes of SQLSTATE that speak of the moment, not of the statement: connection, roll-back of a deadlock,
#: resources, the operator.
_PASSING = ("08", "40", "53", "57")
#: What may come of a connection.
_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# Every query of ours is a look into an index; a plan made while a table was empty must not become a scan
# of it for as long as the connection lives.
_SETTINGS = """
SELECT set_config(name, value, false) FROM (VALUES
    ('statement_timeout', $1),
    ('default_transaction_isolation', 'read committed'),
    ('enable_seqscan', 'off'),
    ('plan_cache_mode', 'force_generic_plan'),
    ('jit', 'off'),
    ('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'local' ELSE
        current_setting('synchronous_commit') END)
) AS settings (name, value)
"""


class Interrupted(BrokerUnavailable):
    """The connection was lost in the middle: it may have been done or not."""


def why(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class Server:
    """Where the database is, from a URL: that of libpq, and `schema=` in its query (default: zonda)."""

    def __init__(self, url: str, limits: Limits) -> None:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        options = dict(query)
        self.schema = postgres_schema.check_schema(options.get("schema", "zonda"))
        self._dsn = urlunsplit(parts._replace(query=urlencode([o for o in query if o[0] != "schema"])))
        self.limits = limits
        #: For messages; says nothing of the password.
        self.name = (
            f"PostgreSQL at {parts.netloc.rpartition('@')[2] or options.get('host', 'localhost')}{parts.path}"
        )

    def closed(self) -> BrokerUnavailable:
        """For whoever still waits when the broker is closed."""
        return BrokerUnavailable(f"the connection to {self.name} is closed")

    async def connect(self) -> Any:
        """A connection, not prepared.  Raises `BrokerUnavailable` within `Limits.broker_timeout`."""
        timeout = self.limits.broker_timeout
        try:
            return await asyncpg.connect(self._dsn, timeout=timeout)
        except TimeoutError as error:
            raise BrokerUnavailable(f"{self.name} did not answer within {timeout:g} s") from error
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise BrokerUnavailable(f"{self.name} cannot be used: {why(error)}") from error

    async def prepare(self, connection: Any) -> None:
        """Sets what holds for all that is done on it, and makes what is not there.  Raises
        `BrokerUnavailable`.
        """
        version = connection.get_server_version().major
        if version < _OLDEST_SERVER:
            raise BrokerUnavailable(f"{self.name} is version {version}: {_OLDEST_SERVER} or later is needed")
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            raise BrokerUnavailable(f"{self.name} keeps text as {encoding}: a database in UTF8 is needed")
        await connection.fetch(_SETTINGS, str(int(self.limits.broker_timeout * 1000)))
        if await connection.fetchval(postgres_schema.installed(self.schema)):
            return
        try:
            async with connection.transaction():
                for statement in postgres_schema.install(self.schema):
                    await connection.execute(statement)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError) as error:
            user = await connection.fetchval("SELECT current_user")
            raise BrokerUnavailable(
                f"{self.name} has no tables of zonda in schema {self.schema}, and {user} may not make them:"
                f" {why(error)} (CREATE SCHEMA {self.schema} AUTHORIZATION {user} lets it)"
            ) from error


async def bounded(connection: Any, call: Awaitable[_T], seconds: float) -> _T:
    """What the call gives; past `seconds` its connection is terminated."""
    timer = asyncio.get_running_loop().call_later(seconds, connection.terminate)
    try:
        return await call
    finally:
        timer.cancel()


class Pauses:
    """How long to wait before what just failed is tried again: twice as long each time, not all at once."""

    def __init__(self) -> None:
        self._next = 0.0

    def reset(self) -> None:
        self._next = 0.0

    async def wait(self) -> None:
        if self._next:
            await asyncio.sleep(self._next * random.uniform(0.5, 1.0))
        self._next = min(_LONGEST_PAUSE, self._next * 2 or _FIRST_PAUSE)


class Link:
    """One connection for the task that owns it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.connection: Any = None
        self._pauses = Pauses()
        self._busy = False
        self._closed = False
        #: Why there is no connection.
        self.fault = ""

    async def connected(self) -> None:
        """Waits, for ever, until there is a connection."""
        while self.connection is None or self.connection.is_closed():
            await self._pauses.wait()
            try:
                await self.connect()
            except BrokerUnavailable:
                pass  # `fault` has it, and whoever waits too long tells it

    async def connect(self) -> None:
        """Tries once.  Raises `BrokerUnavailable`."""
        if self._closed:
            raise asyncio.CancelledError
        try:
            self.connection = await self._server.connect()
        except BrokerUnavailable as error:
            self.fault = str(error)
            raise
        await self.do(self._server.prepare)

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """The rows of a query; raises as `do` does."""
        rows: list[Any] = await self.do(lambda connection: connection.fetch(query, *arguments))
        self._pauses.reset()
        return rows

    async def do(self, call: Callable[[Any], Awaitable[_T]]) -> _T:
        """What the call gives, within `Limits.broker_timeout`.  Raises `Interrupted` where it may be tried
        again, `BrokerUnavailable` where that is of no use.
        """
        timeout = self._server.limits.broker_timeout
        self._busy = True
        connection = self.connection
        try:
            return await bounded(connection, call(connection), timeout)
        except BrokerUnavailable as error:
            self._lost(str(error))
            raise
        except (*_FAILURES, AttributeError) as error:
            # The library's word for a connection that was terminated while a query was made ready.
            if isinstance(error, AttributeError) and not connection.is_closed():
                raise
            if self._closed:
                raise asyncio.CancelledError from error  # `close` did it
            # Not used again, whatever it was: the next one looks whether the tables are still there.
            self._lost(f"{self._server.name}: {why(error)}")
            passing = not isinstance(error, asyncpg.PostgresError) or (error.sqlstate or "08")[:2] in _PASSING
            raise (Interrupted if passing else BrokerUnavailable)(self.fault) from error
        finally:
            self._busy = False

    def _lost(self, fault: str) -> None:
        self.fault = fault
        self.terminate()

    def terminate(self) -> None:
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None

    async def close(self, owner: "asyncio.Task[None] | None" = None) -> None:
        """Ends the owner, and the connection."""
        self._closed = True
        if owner is not None:
            if self._busy:
                self.terminate()
            else:
                owner.cancel()
            await asyncio.wait([owner])
        if self.connection is not None and not self.connection.is_closed():
            try:
                await bounded(self.connection, self.connection.close(), 1.0)
            except _FAILURES:
                pass  # it was terminated, by the timer or the server
        self.terminate()


class Commands:
    """Calls that may be made twice, over few connections; made again when a connection is lost meanwhile."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: deque[tuple[asyncio.Future[list[Any]], str, tuple[Any, ...]]] = deque()
        self._idle = [Link(server) for _ in range(_CONNECTIONS)]
        self._workers: dict[Link, asyncio.Task[None]] = {}

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """The rows.  Raises `BrokerUnavailable`, at the latest after `Limits.broker_timeout`."""
        if len(self._waiting) >= _MOST_WAITING:
            raise BrokerUnavailable(f"{len(self._waiting)} calls wait for {self._server.name}: too many")
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, query, arguments))
        if self._idle:
            # The one used last is the likeliest to have a connection.
            link = self._idle.pop()
            self._workers[link] = asyncio.create_task(self._work(link))
        try:
            return await answered(future, self._server, self._fault)
        finally:
            drop_done(self._waiting, lambda job: job[0])

    def _fault(self) -> str:
        return next((link.fault for link in self._workers if link.fault), "")

    async def _work(self, link: Link) -> None:
        """Does what waits, and ends."""
        try:
            while self._waiting:
                await link.connected()
                if not self._waiting:
                    break
                future, query, arguments = job = self._waiting.popleft()
                if future.done():
                    continue
                try:
                    rows = await link.fetch(query, *arguments)
                except (Interrupted, asyncio.CancelledError) as error:
                    self._waiting.appendleft(job)
                    if not isinstance(error, Interrupted):
                        raise
                except BrokerUnavailable as error:
                    if not future.done():
                        future.set_exception(error)
                else:
                    if not future.done():
                        future.set_result(rows)
        finally:
            del self._workers[link]
            self._idle.append(link)

    async def close(self) -> None:
        for link, worker in list(self._workers.items()):
            await link.close(worker)
        for link in self._idle:
            await link.close()
        for future, *_ in self._waiting:
            if not future.done():
                future.set_exception(self._server.closed())


async def answered(future: "asyncio.Future[_T]", server: Server, fault: Callable[[], str]) -> _T:
    """Waits for an answer as long as is allowed; what is known to be wrong is told."""
    timeout = server.limits.broker_timeout
    try:
        async with asyncio.timeout(timeout):
            return await future
    except TimeoutError:
        raise BrokerUnavailable(
            f"{server.name} did not answer within {timeout:g} s" + (f": {fault()}" if fault() else "")
        ) from None


def drop_done(waiting: "deque[_T]", future: "Callable[[_T], asyncio.Future[Any]]") -> None:
    """Forgets those at the front that nobody waits for any more: they came first, and gave up first."""
    while waiting and future(waiting[0]).done():
        waiting.popleft()
