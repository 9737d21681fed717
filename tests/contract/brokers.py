"""The harness of the contract that every broker keeps (test_brokers.py).

To have the suite run against another broker, add a file `tests/contract/kind_NAME.py` with one object
`KIND`, of a subclass of `Kind`; it is found by its name, nothing else has to be changed:

    class RedisKind(Kind):
        name = "redis"

        def missing(self) -> str | None:         # why it cannot run here (then it is skipped), or None
            return None if shutil.which("redis-server") else "no redis-server"

        @contextmanager
        def serve(self) -> Iterator[Any]:        # what it needs, started once for all tests of this kind
            with running_redis() as port:
                yield port

        @asynccontextmanager
        async def open(self, server: Any) -> AsyncIterator[Stage]:     # for one test, on its loop
            relay = Relay(("127.0.0.1", 0), ("127.0.0.1", server))
            await relay.up()
            try:
                yield Stage(
                    make=lambda limits: make_broker(f"redis://127.0.0.1:{relay.address[1]}/0", limits),
                    relay=relay,
                    lose_state=...,              # an async callable: everything that is kept is lost
                )
            finally:
                await relay.down()

    KIND = RedisKind()

`server` is whatever `serve` gave.  With a `relay` in between, connections are cut by the tests.  Tests of
one kind share its server, one after the other: every test uses topics and nodes of its own.  `loops` names
the event loops on which the suite runs.  What a kind does not give is skipped, with the reason shown; the
file must import without the client library, and `missing` say that it is missing.
"""

import asyncio
import importlib
import itertools
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.relay import Relay
from tests.core.net.loops import FACTORIES
from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker
from zonda._core.channels.message import Member, Message
from zonda._core.channels.topic import Retention

#: For anything that has to happen.
SECONDS = 10.0
#: For a whole test.
TEST_SECONDS = 50.0
#: More than any test keeps.
KEEP = Retention(size=10_000, ttl=300.0)
#: Short enough that a broken promise does not hold the suite up.
LIMITS = Limits(broker_timeout=5.0)


@dataclass(kw_only=True)
class Stage:
    """What a kind gives for one test."""

    make: Callable[[Limits], Broker]
    #: None: there is no connection that could be lost.
    relay: Relay | None = None
    #: None: state cannot be lost while a node lives.
    lose_state: Callable[[], Awaitable[None]] | None = None


class Kind(ABC):
    """A broker, and how to have one."""

    name: str
    loops: tuple[str, ...] = ("uvloop",)
    #: What several nodes publish at the same moment comes in the order of its positions.
    in_order = True

    def missing(self) -> str | None:
        return None

    @contextmanager
    def serve(self) -> Iterator[Any]:
        yield None

    @abstractmethod
    def open(self, server: Any) -> AbstractAsyncContextManager[Stage]: ...


class LocalKind(Kind):
    name = "local"

    @asynccontextmanager
    async def open(self, server: Any) -> AsyncIterator[Stage]:
        from zonda._core.channels.brokers.local import LocalBroker

        yield Stage(make=lambda limits: LocalBroker("local://", limits))


def kinds() -> list[Kind]:
    """All of them: the one above, and those of `kind_*.py` beside this file."""
    files = sorted(Path(__file__).parent.glob("kind_*.py"))
    return [LocalKind(), *(importlib.import_module(f"tests.contract.{path.stem}").KIND for path in files)]


class Node:
    """A process that takes part, as its broker sees it; remembers everything that it is told."""

    def __init__(self, name: str, broker: Broker) -> None:
        self.node = name
        self.broker = broker
        self.messages: list[Message] = []
        #: (topic, joined, member), in their order.
        self.presence: list[tuple[str, bool, Member]] = []
        self.gone: list[str] = []
        self.resumptions = 0
        self._changed = asyncio.Event()

    def received(self, message: Message) -> None:
        self.messages.append(message)
        self._changed.set()

    def presence_changed(self, topic: str, joined: bool, member: Member) -> None:
        self.presence.append((topic, joined, member))
        self._changed.set()

    def node_gone(self, node: str) -> None:
        self.gone.append(node)
        self._changed.set()

    def resumed(self) -> None:
        self.resumptions += 1
        self._changed.set()

    def bodies(self, topic: str) -> list[bytes]:
        return [message.body for message in self.messages if message.topic == topic]

    def events(self, topic: str) -> list[tuple[bool, Member]]:
        return [(joined, member) for name, joined, member in self.presence if name == topic]

    def member(self, client: str, info: Any = None) -> Member:
        return Member(client, info, self.node)

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Waits until something that this node is told makes it true."""
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            heard = [(m.topic, m.body[:20], str(m.position)) for m in self.messages[-10:]]
            pytest.fail(
                f"{self.node} was not told {what or 'what was waited for'};"
                f" messages: {len(self.messages)}, the last {heard};"
                f" presence: {self.presence[-10:]}; gone: {self.gone}; resumed: {self.resumptions}"
            )

    async def has(self, topic: str, *bodies: bytes) -> None:
        """Waits for these messages."""
        await self.until(
            lambda: set(bodies) <= set(self.bodies(topic)), f"{[b[:30] for b in bodies]!r} on {topic}"
        )

    async def publish(
        self,
        topic: str,
        body: bytes,
        retention: Retention | None = None,
        key: str | None = None,
        binary: bool = True,
    ) -> Any:
        return await self.broker.publish(topic, body, binary, retention, key)


class Bed:
    """One test of one broker: makes nodes and names, and closes everything."""

    def __init__(self, kind: Kind, stage: Stage, expect_log: Callable[..., Any]) -> None:
        self.kind = kind
        self.expect_log = expect_log
        self._stage = stage
        self._unique = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._nodes: list[Node] = []

    # ---- what there is

    def topic(self, name: str = "t") -> str:
        """A name that nobody else uses."""
        return f"{name}-{self._unique}-{next(self._numbers)}"

    def broker(self, limits: Limits = LIMITS) -> Broker:
        """One that is not started."""
        return self._stage.make(limits)

    async def node(self, limits: Limits = LIMITS) -> Node:
        name = f"n{next(self._numbers)}-{self._unique}"
        node = Node(name, self.broker(limits))
        await node.broker.start(node)
        self._nodes.append(node)
        return node

    async def nodes(self, count: int, limits: Limits = LIMITS, *, least: int | None = None) -> list[Node]:
        """So many, or `least` where the broker does not reach further."""
        first = await self.node(limits)
        if first.broker.promises.reach == "process":
            count = count if least is None else least
            if count > 1:
                pytest.skip(f"{self.kind.name} promises reach 'process': there is no second node")
        return [first] + [await self.node(limits) for _ in range(count - 1)]

    async def close(self, node: Node) -> None:
        self._nodes.remove(node)
        await node.broker.close()

    async def close_all(self) -> None:
        while self._nodes:
            await self.close(self._nodes[-1])

    # ---- what is not promised

    def needs(self, node: Node, *names: str) -> None:
        """Skips where a promise (a field of `Promises`) is not made."""
        for name in names:
            if not getattr(node.broker.promises, name):
                pytest.skip(f"{self.kind.name} does not promise {name}")

    # ---- what goes wrong

    @property
    def relay(self) -> Relay:
        if self._stage.relay is None:
            pytest.skip(f"{self.kind.name} has no connection that could be lost")
        return self._stage.relay

    async def lose_state(self) -> None:
        if self._stage.lose_state is None:
            pytest.skip(f"{self.kind.name} keeps its state as long as its nodes live")
        await self._stage.lose_state()

    def expect_losses(self) -> Any:
        """From here on connections are lost: brokers say so."""
        return self.expect_log("zonda.general", "lost", required=False)


def on_every_broker(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Makes of `async def test_...(bed)` one test for each broker and loop.

    Cases are gone through on the same nodes: to have these takes longer than most tests.
    """
    rows = [(kind, loop) for kind in kinds() for loop in kind.loops]

    async def main(kind: Kind, started: Any, expect_log: Callable[..., Any]) -> None:
        others = asyncio.all_tasks()
        async with asyncio.timeout(TEST_SECONDS), kind.open(started) as stage:
            bed = Bed(kind, stage, expect_log)
            before = asyncio.all_tasks()
            try:
                await test(bed)
            finally:
                await bed.close_all()
            left = asyncio.all_tasks() - before - others
            left = {task for task in left if "_Accepted._connect" not in repr(task)}  # a relay's
            assert not left, f"closed brokers left tasks: {left}"

    def run(server: Any, loop: str, expect_log: Callable[..., Any]) -> None:
        with asyncio.Runner(loop_factory=FACTORIES[loop]) as runner:
            runner.run(main(*server, expect_log))

    run.__name__ = test.__name__  # type: ignore[attr-defined]
    run.__doc__ = test.__doc__
    run.__module__ = test.__module__
    ids = [f"{kind.name}-{loop}" for kind, loop in rows]
    return pytest.mark.parametrize(("server", "loop"), rows, ids=ids, indirect=["server"], scope="session")(
        run
    )


@contextmanager
def served(kind: Kind) -> Iterator[Any]:
    """What a kind's tests share."""
    reason = kind.missing()
    if reason is not None:
        pytest.skip(f"{kind.name}: {reason}")
    serving: AbstractContextManager[Any] = kind.serve()
    with serving as server:
        yield kind, server
