"""NATS under the contract: a server with JetStream, reached through a relay."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import Any

from tests.contract.brokers import Kind, Stage
from tests.contract.relay import Relay
from tests.nats_server import PROGRAM, NatsServer, running_nats
from tests.programs import required
from zonda._core.channels.brokers.by_url import make_broker


class NatsKind(Kind):
    name = "nats"
    loops = ("asyncio", "uvloop")
    # NATS 2.9 republishes behind its lock: on a busy machine neighbours now and then change places.
    in_order = False

    def missing(self) -> str | None:
        if required():
            return None
        if find_spec("nats") is None:
            return "no library nats-py: pip install 'zonda[nats]'"
        return None if PROGRAM is not None else "no NATS: apt-get install nats-server"

    @contextmanager
    def serve(self) -> Iterator[Any]:
        with running_nats() as server:
            yield server

    @asynccontextmanager
    async def open(self, server: NatsServer) -> AsyncIterator[Stage]:
        relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server.port))
        await relay.up()
        try:
            yield Stage(
                make=lambda limits: make_broker(f"nats://127.0.0.1:{relay.address[1]}", limits),
                relay=relay,
                lose_state=lambda: remove_streams(server.url),
            )
        finally:
            await relay.down()


async def remove_streams(url: str) -> None:
    """What is kept is lost, and the connections stay."""
    import nats

    client = await nats.connect(url)
    try:
        names = json.loads((await client.request("$JS.API.STREAM.NAMES", timeout=5)).data)["streams"] or []
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(client.request(f"$JS.API.STREAM.DELETE.{name}", timeout=5))
    finally:
        await client.close()


KIND = NatsKind()
