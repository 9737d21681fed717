"""Redis under the contract: a server that keeps nothing, reached through a relay."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import Any

from tests.contract.brokers import Kind, Stage
from tests.contract.relay import Relay
from tests.programs import required
from tests.redis_server import PROGRAM, RedisServer, running_redis
from zonda._core.channels.brokers.by_url import make_broker


class RedisKind(Kind):
    name = "redis"
    loops = ("asyncio", "uvloop")

    def missing(self) -> str | None:
        if required():
            return None
        if find_spec("redis") is None:
            return "no library redis: pip install 'zonda[redis]'"
        return None if PROGRAM is not None else "no Redis: apt-get install redis-server"

    @contextmanager
    def serve(self) -> Iterator[Any]:
        with running_redis() as server:
            yield server

    @asynccontextmanager
    async def open(self, server: RedisServer) -> AsyncIterator[Stage]:
        async def lose_state() -> None:
            assert await asyncio.to_thread(server.command, "FLUSHALL") == b"+OK\r\n"

        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server.port))
        await relay.up()
        try:
            yield Stage(
                make=lambda limits: make_broker(f"redis://127.0.0.1:{relay.address[1]}/0", limits),
                relay=relay,
                lose_state=lose_state,
            )
        finally:
            await relay.down()


KIND = RedisKind()
