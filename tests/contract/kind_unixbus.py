"""The bus between processes of one machine, as a process of its own behind a socket that is the tests'."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tests.contract.brokers import Kind, Stage
from tests.contract.bus import BusProcess, running_bus
from tests.contract.relay import Relay
from zonda._core.channels.brokers.by_url import make_broker


class UnixBusKind(Kind):
    name = "unixbus"
    loops = ("asyncio", "uvloop")

    @contextmanager
    def serve(self) -> Iterator[Any]:
        with running_bus() as bus:
            yield bus

    @asynccontextmanager
    async def open(self, server: BusProcess) -> AsyncIterator[Stage]:
        async def lose_state() -> None:
            server.kill()
            server.start()

        relay = Relay(str(server.folder / "relay"), str(server.path))
        await relay.up()
        try:
            yield Stage(
                make=lambda limits: make_broker(f"unixbus://{relay.address}", limits),
                relay=relay,
                lose_state=lose_state,
            )
        finally:
            await relay.down()


KIND = UnixBusKind()
