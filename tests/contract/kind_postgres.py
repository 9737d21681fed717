"""PostgreSQL under the contract: a server on a Unix socket, reached through a relay."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import Any

from tests.contract.brokers import Kind, Stage
from tests.contract.relay import Relay
from tests.postgres import PROGRAMS, Postgres, running_postgres
from zonda._core.channels.brokers.by_url import make_broker


class PostgresKind(Kind):
    name = "postgres"
    loops = ("asyncio", "uvloop")

    def missing(self) -> str | None:
        if find_spec("asyncpg") is None:
            return "no asyncpg: pip install 'zonda[postgres]'"
        return None if PROGRAMS is not None else "no PostgreSQL: apt-get install postgresql"

    @contextmanager
    def serve(self) -> Iterator[Any]:
        with running_postgres() as server:
            yield server

    @asynccontextmanager
    async def open(self, server: Postgres) -> AsyncIterator[Stage]:
        relay = Relay(("127.0.0.1", 0), str(server.socket))
        await relay.up()
        # A schema for each test: what one leaves behind is not cleaned by the next.
        schema = f"test_{secrets.token_hex(4)}"

        async def lose_state() -> None:
            import asyncpg

            connection = await asyncpg.connect(server.dsn)
            try:
                await connection.execute(f"TRUNCATE {schema}.topics, {schema}.messages, {schema}.keys")
            finally:
                await connection.close()

        try:
            yield Stage(
                make=lambda limits: make_broker(
                    f"postgresql://tests@127.0.0.1:{relay.address[1]}/postgres?schema={schema}", limits
                ),
                relay=relay,
                lose_state=lose_state,
            )
        finally:
            await relay.down()


KIND = PostgresKind()
