"""Channels over `zonda run --workers`, with real processes and clients: what design section 7 promises.

Clients come back by themselves (`zonda.channels.connect`), over each of the three transports.
"""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

import zonda
from tests.core.link.harness import until
from tests.load import Load
from tests.redis_server import needs_redis, running_redis
from tests.workers import Running, running
from zonda.channels import Gap, Message, Position, connect

pytestmark = pytest.mark.timeout(180)

TRANSPORTS = ("websocket", "sse", "poll")
WORKERS = 4

APPLICATION = """
import os

from zonda.channels import ChannelHandler, Hub, Topic
from zonda.web import Application, RequestHandler

hub = Hub(
    topics=[
        Topic("kept", history=10_000, ttl=600),
        Topic("plain"),
        Topic("here", presence=True),
        Topic("slow.close", slow="close", queue_bytes=65536),
        Topic("slow.drop", slow="drop-oldest", queue_bytes=65536),
        Topic("slow.latest", slow="latest", queue_bytes=65536),
    ]
)


class Live(ChannelHandler):
    def set_default_headers(self):
        self.set_header("X-Process", str(os.getpid()))

    def authorize(self, topic):
        return True

    def authorize_publish(self, topic, data):
        return True

    def presence_info(self, topic):
        return os.getpid()


class Publish(RequestHandler):
    async def post(self):
        position = await hub.publish(self.get_argument("topic"), self.get_argument("text"))
        self.write({"position": str(position), "pid": os.getpid()})


class Hello(RequestHandler):
    def get(self):
        self.write("hello")


app = Application([("/", Hello), ("/channels", Live), ("/publish", Publish)], hub=hub)
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "main.py").write_text(APPLICATION)
    return tmp_path


class Listener:
    """A client of its own that is subscribed to a topic, and what it was told."""

    def __init__(self, address: str, transport: str, topic: str, **options: Any) -> None:
        self.transport = transport
        self.texts: list[str] = []
        self.positions: list[Position] = []
        self.gaps: list[Gap] = []
        self.begun = False
        self._client = connect(f"{address}/channels", transports=(transport,), **options)
        self._topic = topic

    async def listen(self) -> None:
        async with self._client as client:
            async with client.subscribe(self._topic) as subscription:
                self.begun = True  # the server has said so
                async for event in subscription:
                    if isinstance(event, Message):
                        self.texts.append(event.data)
                        self.positions.append(event.position)
                    elif isinstance(event, Gap):
                        self.gaps.append(event)


@asynccontextmanager
async def listening(address: str, topic: str, each: int = 1) -> AsyncIterator[list[Listener]]:
    """So many listeners over each transport, all of them subscribed."""
    listeners = [Listener(address, transport, topic) for transport in TRANSPORTS for _ in range(each)]
    tasks = [asyncio.ensure_future(listener.listen()) for listener in listeners]
    try:
        async with asyncio.timeout(40):
            await until(lambda: all(listener.begun for listener in listeners))
        yield listeners
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def bounded(main: Callable[[], Awaitable[None]], seconds: float = 120.0) -> None:
    async def within() -> None:
        async with asyncio.timeout(seconds):
            await main()

    zonda.run(within)


def ask(address: str, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    """On a connection of its own, so by whatever worker; its pid, and the JSON."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        connection.request(
            method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        )
        response = connection.getresponse()
        told = json.loads(response.read())
        assert response.status == 200, told
        return int(response.headers.get("X-Process") or told["pid"]), told
    finally:
        connection.close()


def bus_pid(run: Running) -> int:
    return int(run.wait_for(r"bus is ready \(pid (\d+)\)")[-1][1])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


class Publisher:
    """Publishes numbers, one after the other, until it is stopped; those that were acknowledged."""

    def __init__(self, address: str) -> None:
        self.done = 0
        self._address = address
        self._stop = False

    async def publish(self) -> None:
        async with connect(f"{self._address}/channels", transports=("websocket",)) as client:
            while not self._stop:
                await client.publish("kept", str(self.done + 1))
                self.done += 1
                await asyncio.sleep(0.002)

    async def publishes(self, more: int) -> None:
        """Returns when so many more were acknowledged."""
        wanted = self.done + more
        await until(lambda: self.done >= wanted)

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator["Publisher"]:
        task = asyncio.ensure_future(self.publish())
        try:
            yield self
            self._stop = True
            await task
        finally:
            task.cancel()


def test_what_any_worker_publishes_reaches_the_subscribers_of_all_in_one_order(site):
    with running(site, "main:app", "--workers", str(WORKERS)) as run:
        address = run.address
        pids = set(run.workers.values())

        async def main() -> None:
            async with AsyncExitStack() as stack:
                listeners = await stack.enter_async_context(listening(address, "kept", each=4))
                plain = await stack.enter_async_context(listening(address, "plain", each=1))
                published = {}
                by = set()
                for number in range(200):
                    pid, told = await asyncio.to_thread(
                        ask, address, "POST", "/publish", f"topic=kept&text={number}"
                    )
                    by.add(pid)
                    published[told["position"]] = str(number)
                assert by == pids
                await until(lambda: all(len(listener.texts) == 200 for listener in listeners))
                for listener in listeners:
                    assert [published[str(position)] for position in listener.positions] == listener.texts
                    assert listener.texts == listeners[0].texts
                    assert listener.gaps == []
                # Long polls are not there between two of them: of what has no history they may miss some.
                streams = [listener for listener in plain if listener.transport != "poll"]
                for number in range(20):
                    await asyncio.to_thread(ask, address, "POST", "/publish", f"topic=plain&text={number}")
                texts = [str(number) for number in range(20)]
                await until(lambda: all(sorted(listener.texts) == sorted(texts) for listener in streams))

        bounded(main)


def whole_across(address: str, disturb: Callable[[Publisher], Awaitable[None]]) -> None:
    """What is published before, during and after what `disturb` does comes once, in order, to everybody."""

    async def main() -> None:
        async with listening(address, "kept", each=2) as listeners:
            async with Publisher(address).going_on() as publisher:
                await publisher.publishes(100)
                await disturb(publisher)
                await publisher.publishes(100)
            texts = [str(number + 1) for number in range(publisher.done)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    await until(lambda: all(len(listener.texts) >= len(texts) for listener in listeners))
            for listener in listeners:
                assert listener.texts == texts, listener.transport
                assert listener.gaps == []

    bounded(main)


def test_a_worker_that_is_killed_under_load_costs_nobody_a_message(site):
    with running(site, "main:app", "--workers", str(WORKERS)) as run:

        async def disturb(publisher: Publisher) -> None:
            for place in (1, 2):
                kill(run.workers[place])
                await asyncio.to_thread(run.wait_for, f"worker {place} is ready", 2)
                await publisher.publishes(100)

        whole_across(run.address, disturb)


def test_a_bus_that_is_killed_under_load_is_told_of_and_everything_goes_on(site):
    with running(site, "main:app", "--workers", "2") as run:
        address = run.address

        async def main() -> None:
            async with listening(address, "kept") as listeners:
                async with Publisher(address).going_on() as publisher:
                    await publisher.publishes(100)
                    await until(lambda: all(listener.positions for listener in listeners))
                    epoch = listeners[0].positions[-1].epoch
                    kill(bus_pid(run))
                    await until(lambda: all(listener.gaps for listener in listeners))
                    await publisher.publishes(50)
                await until(lambda: all(x.texts[-1] == str(publisher.done) for x in listeners))
                for listener in listeners:
                    assert [gap.recovered for gap in listener.gaps] == [False], listener.transport
                    assert listener.positions[-1].epoch != epoch
                    numbers = [int(text) for text in listener.texts]
                    assert numbers == sorted(set(numbers)), "twice, or out of order"

        bounded(main)


def test_presence_is_right_within_a_second_of_a_workers_death(site):
    with running(site, "main:app", "--workers", "2") as run:
        address = run.address
        first, second = run.workers.values()
        by: dict[int, list[socket.socket]] = {first: [], second: []}
        try:
            for number in range(60):
                # A bare stream: it does not come back.
                sock = socket.create_connection(address.removeprefix("http://").split(":"), timeout=20)
                sock.sendall(
                    f"GET /channels?topic=here&client=c{number} HTTP/1.1\r\nHost: here\r\n"
                    "Accept: text/event-stream\r\n\r\n".encode()
                )
                told = b""
                while b'"subscribed"' not in told:
                    told += sock.recv(65536)
                pid = int(told.partition(b"X-Process: ")[2].split()[0])
                by[pid].append(sock)
                if all(len(socks) >= 3 for socks in by.values()):
                    break

            def here() -> dict[int, int]:
                _, told = ask(address, "GET", "/channels?topic=here&presence=here&wait=0&client=asking")
                members = next(m["members"] for m in told["messages"] if "members" in m)
                pids = [m["info"] for m in members if not m["client"].startswith("asking.")]
                return {pid: pids.count(pid) for pid in set(pids)}

            assert here() == {pid: len(socks) for pid, socks in by.items()}
            kill(first)
            killed = time.monotonic()
            while here() != {second: len(by[second])}:
                assert time.monotonic() < killed + 10, here()
            # A second, and what the question itself may take on a busy machine.
            assert time.monotonic() - killed < 1.5
        finally:
            for socks in by.values():
                for sock in socks:
                    sock.close()


def test_a_cursor_of_one_transport_resumes_over_the_others_on_other_workers(site):
    with running(site, "main:app", "--workers", str(WORKERS)) as run:
        address = run.address

        async def main() -> None:
            async with connect(f"{address}/channels", transports=("websocket",)) as client:
                position = await client.publish("kept", "seen")
            missed = ["1", "2", "3"]
            for text in missed:
                await asyncio.to_thread(ask, address, "POST", "/publish", f"topic=kept&text={text}")
            pids = set()
            for _ in range(40):
                pid, told = await asyncio.to_thread(
                    ask, address, "GET", f"/channels?topic=kept&cursor=kept={position}&wait=0"
                )
                pids.add(pid)
                assert [m["data"] for m in told["messages"]] == missed
                if len(pids) > 1:
                    break
            assert len(pids) > 1
            polled = told["cursor"].partition("=")[2]
            await asyncio.to_thread(ask, address, "POST", "/publish", "topic=kept&text=4")
            for transport in TRANSPORTS:
                for since, texts in ((position, [*missed, "4"]), (Position.parse(polled), ["4"])):
                    async with connect(f"{address}/channels", transports=(transport,)) as client:
                        got = []
                        async for event in client.subscribe("kept", since=since):
                            assert isinstance(event, Message)
                            got.append(event.data)
                            if event.data == "4":
                                break
                        assert got == texts, transport

        bounded(main)


def _stubborn(address: str, topic: str) -> tuple[int, socket.socket]:
    """A WebSocket that subscribes and never reads again; the worker it hangs on."""
    sock = socket.create_connection(address.removeprefix("http://").split(":"), timeout=20)
    sock.sendall(
        b"GET /channels HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    command = json.dumps({"subscribe": topic}).encode()
    sock.sendall(bytes((0x81, 0x80 | len(command))) + bytes(4) + command)
    told = b""
    while b'"subscribed"' not in told:
        told += sock.recv(1024)
    return int(told.partition(b"X-Process: ")[2].split()[0]), sock


def _all_it_was_told(sock: socket.socket, until: bytes) -> bytearray:
    """Up to the end of the connection, or the end of the message with `until` in it."""
    told = bytearray()
    sock.settimeout(30)
    try:
        while piece := sock.recv(1 << 20):
            told += piece
            if until in told[-65536:] and told.endswith(b"}"):
                break
    except ConnectionResetError:
        pass
    return told


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("topic", ["slow.close", "slow.drop", "slow.latest"])
def test_who_does_not_read_meets_its_policy_and_nobody_else_notices(site, topic):
    with running(site, "main:app", "--workers", "1") as run:
        address = run.address
        (pid,) = run.workers.values()
        stubborn = [_stubborn(address, topic)[1] for _ in range(10)]
        try:

            async def main() -> None:
                async with AsyncExitStack() as stack:
                    listeners = await stack.enter_async_context(listening(address, topic))
                    streams = [listener for listener in listeners if listener.transport != "poll"]
                    client = await stack.enter_async_context(connect(f"{address}/channels"))
                    before = 0
                    for number in range(600):
                        await client.publish(topic, f"{number} " + "x" * 32768)
                        if number % 10 == 9:
                            count = number + 1
                            await until(lambda count=count: all(len(x.texts) == count for x in streams))
                        if number == 200:
                            before = _resident(pid)
                    # 13 MB more were sent to each of them, and not read.
                    assert _resident(pid) - before < 8_000_000
                    for listener in streams:
                        assert [text.split()[0] for text in listener.texts] == [str(n) for n in range(600)]
                        assert listener.gaps == []

            bounded(main)
            for sock in stubborn:
                told = _all_it_was_told(sock, until=b'"599 ')
                if topic == "slow.close":
                    assert b'"599 ' not in told
                else:
                    assert told.endswith(b"}") and b'"gap":true' in told
        finally:
            for sock in stubborn:
                sock.close()


def test_sighup_under_load_loses_no_request_and_no_message(site):
    with running(site, "main:app", "--workers", "2") as run, Load(run.address) as load:
        before = run.workers

        async def disturb(publisher: Publisher) -> None:
            await asyncio.to_thread(load.wait_for, 300)
            run.send(signal.SIGHUP)
            await asyncio.to_thread(run.wait_for, "worker . is ready", 4)
            await asyncio.to_thread(load.wait_for, 300)

        whole_across(run.address, disturb)
        assert not set(run.workers.values()) & set(before.values())
    assert load.failures == []


def test_a_worker_told_to_leave_under_load_loses_no_request_and_no_message(site):
    with running(site, "main:app", "--workers", "2") as run, Load(run.address) as load:

        async def disturb(publisher: Publisher) -> None:
            await asyncio.to_thread(load.wait_for, 300)
            os.kill(run.workers[1], signal.SIGTERM)
            await asyncio.to_thread(run.wait_for, "worker 1 is ready", 2)
            await asyncio.to_thread(load.wait_for, 300)

        whole_across(run.address, disturb)
    assert load.failures == []


@needs_redis
def test_a_topic_is_whole_across_the_end_of_all_workers_where_the_broker_outlives_them(site):
    def texts_since(cursor: str) -> tuple[list[str], str]:
        """What is there behind the cursor once twenty more were published, and the cursor then."""
        with running(site, "main:app", "--workers", "2", "--broker", redis.url) as run:
            address = run.address
            with Load(address) as load:
                load.wait_for(300)
                if not cursor:
                    _, begun = ask(address, "GET", "/channels?topic=kept&wait=0")
                    cursor = begun["cursor"]
                for number in range(20):
                    ask(address, "POST", "/publish", f"topic=kept&text={number}")
                _, told = ask(address, "GET", f"/channels?topic=kept&cursor={cursor}&wait=0")
                load.end_with_the_server()
                assert run.stop() == 0
            assert load.failures == []
            return [m["data"] for m in told["messages"]], cursor

    texts = [str(number) for number in range(20)]
    with running_redis() as redis:
        first, cursor = texts_since("")
        assert first == texts
        # Where the first workers ended, the next ones go on.
        assert texts_since(cursor)[0] == texts + texts
