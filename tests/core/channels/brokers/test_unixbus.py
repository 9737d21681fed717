"""The bus as a real process, and its nodes over real sockets; what the contract of brokers does not ask."""

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.contract.brokers import KEEP, Node
from tests.contract.bus import BusProcess, running_bus
from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.channels.brokers import unixbus_wire as wire
from zonda._core.channels.brokers.unixbus import UnixBusBroker
from zonda._core.channels.brokers.unixbus_hello import Hello
from zonda._core.channels.brokers.unixbus_link import Link
from zonda._core.channels.errors import BrokerUnavailable, PayloadError
from zonda._core.channels.topic import Retention

SECONDS = 10.0
Run = Callable[[Coroutine[Any, Any, Any]], Any]


#: Nodes that are not closed yet.
OPEN: list[Node] = []


@pytest.fixture
def bus() -> Iterator[BusProcess]:
    with running_bus() as process:
        yield process


@pytest.fixture
def run() -> Run:
    def run(main: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            try:
                async with asyncio.timeout(40):
                    return await main
            finally:
                # Of a test that has failed: uvloop does not end where transports are open.
                await close(*OPEN)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(bounded())

    return run


async def connect(bus: BusProcess, name: str, limits: Limits = DEFAULT_LIMITS, *topics: str) -> Node:
    node = Node(name, UnixBusBroker(bus.url, limits))
    await node.broker.start(node)
    OPEN.append(node)
    for topic in topics:
        await node.broker.subscribe(topic)
    return node


async def close(*nodes: Node) -> None:
    for node in nodes:
        OPEN.remove(node)
        await node.broker.close()


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)
    return value


def logged(bus: BusProcess, pattern: str) -> list[str]:
    return [line for line in bus.log.read_text().splitlines() if re.search(pattern, line)]


class Raw:
    """A node that says what the test wants it to."""

    def __init__(self, bus: BusProcess, limits: Limits | None = DEFAULT_LIMITS, name: str = "raw") -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(bus.path))
        self._reader = wire.Reader(10**9)
        if limits is not None:
            self.say(wire.HELLO, body=bytes(Hello(name, limits)))

    def say(self, kind: int, words: tuple[Any, ...] = (), body: bytes = b"", number: int = 0) -> None:
        self.sock.sendall(wire.print_frame(kind, words, body, 0, number))

    def hear(self) -> wire.Frame | None:
        """The next frame; None: the bus has closed the connection."""
        while (frame := self._reader.next_frame()) is None:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._reader.feed(data)
        return frame

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()


# ---- bad input


def frame(kind: int, *words: Any, body: bytes = b"") -> bytes:
    return wire.print_frame(kind, words, body)


HELLO = frame(wire.HELLO, body=bytes(Hello("raw", DEFAULT_LIMITS)))
MALFORMED = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: bus\r\n\r\n",
    "no hello": frame(wire.SUBSCRIBE, "t"),
    "an empty hello": frame(wire.HELLO),
    "another version": frame(
        wire.HELLO, body=bytes(Hello("raw", DEFAULT_LIMITS)).replace(b'n": 1', b'n": 9')
    ),
    "too large a hello": frame(wire.HELLO, body=b" " * 70_000),
    "two hellos": HELLO + HELLO,
    "a frame of the bus": HELLO + frame(wire.GONE, "n"),
    "no words": HELLO + frame(wire.SUBSCRIBE),
    "too many words": HELLO + frame(wire.SUBSCRIBE, "t", "u"),
    "a topic that is a number": HELLO + frame(wire.SUBSCRIBE, 17),
    "a key that is a number": HELLO + frame(wire.PUBLISH, "t", 17, None, None),
    "a size of nothing": HELLO + frame(wire.PUBLISH, "t", None, 0, 1.0),
    "a ttl below": HELLO + frame(wire.PUBLISH, "t", None, 1, -1.0),
    "a ttl of text": HELLO + frame(wire.PUBLISH, "t", None, 1, "1"),
    "a size alone": HELLO + frame(wire.PUBLISH, "t", None, 1, None),
    "an offset of text": HELLO + frame(wire.HISTORY, "t", "e", "1", None),
    "most below": HELLO + frame(wire.HISTORY, "t", None, 0, -1),
    "an info that is no JSON": HELLO + frame(wire.JOIN, "t", "c", "n", body=b"{"),
    "too large": HELLO + frame(wire.PUBLISH, "t", None, None, None, body=b"x" * 1_200_000),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_who_does_not_speak_the_language_is_closed_with_one_line_and_others_go_on(run: Run, shared_bus, case):
    before = len(logged(shared_bus, "does not speak"))

    async def main() -> None:
        a = await connect(shared_bus, "a", DEFAULT_LIMITS, "t")
        b = await connect(shared_bus, "b", DEFAULT_LIMITS, "t")
        await asyncio.to_thread(speak)
        await a.publish("t", b"x")
        await b.has("t", b"x")
        await close(a, b)

    def speak() -> None:
        with Raw(shared_bus, None) as raw:
            try:
                raw.sock.sendall(MALFORMED[case])
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert raw.hear() is None

    run(main())
    lines = logged(shared_bus, "WARNING|does not speak|Traceback|Error")
    assert len(lines) == before + 1, lines


@pytest.fixture(scope="module")
def shared_bus() -> Iterator[BusProcess]:
    with running_bus() as process:
        yield process


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_processes_of_another_user_are_refused(bus: BusProcess):
    bus.folder.chmod(0o711)
    bus.path.chmod(0o777)
    code = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.settimeout(10);"
        "s.connect(sys.argv[1]);\n"
        "try: sys.exit(len(s.recv(1)))\n"
        "except ConnectionResetError: pass"
    )
    subprocess.run([sys.executable, "-c", code, str(bus.path)], check=True, timeout=20)
    assert len(logged(bus, "refused a process of another user")) == 1


# ---- slow nodes


def test_a_node_that_does_not_read_is_closed_at_the_bound_and_the_others_get_all(run: Run, bus: BusProcess):
    body = b"x" * 50_000
    count = 200

    async def main() -> None:
        a = await connect(bus, "a")
        b = await connect(bus, "b", DEFAULT_LIMITS, "t")
        with Raw(bus, Limits(broker_buffer_bytes=2_000_000)) as slow:
            slow.say(wire.SUBSCRIBE, ("t",), number=1)
            assert (await asyncio.to_thread(slow.hear)).kind == wire.ANSWER
            for number in range(count):
                await a.publish("t", body + b"%d" % number)
            await b.until(lambda: len(b.messages) == count)
            frames = []
            while (heard := await asyncio.to_thread(slow.hear)) is not None:
                frames.append(heard)
            assert 0 < len(frames) < count
        await b.until(lambda: b.gone == ["raw"], "that the slow node is gone")
        await close(a, b)

    run(main())
    (line,) = logged(bus, "does not read")
    assert "node raw" in line and "2000000 are allowed" in line


def test_a_history_larger_than_the_bound_comes_at_the_pace_of_who_asks(run: Run, bus: BusProcess):
    count, body = 100, b"x" * 100_000
    limits = Limits(broker_buffer_bytes=2_000_000)

    async def main() -> None:
        a = await connect(bus, "a", DEFAULT_LIMITS, "live")
        for number in range(count):
            await a.publish("t", body + b"%d" % number, KEEP, f"k{number}")
        with Raw(bus, limits) as slow:
            slow.say(wire.SUBSCRIBE, ("live",))
            slow.say(wire.HISTORY, ("t", None, 0, None), number=7)
            slow.say(wire.BEAT, number=8)
            slow.say(wire.HISTORY, ("t", None, 0, 1), number=9)
            # Nothing of it is read, and yet what is live comes, and the connection stays.
            await asyncio.sleep(0.2)
            await a.publish("live", b"x")
            await a.broker.heartbeat()
            frames: list[wire.Frame] = []
            while not frames or frames[-1].number != 9 or frames[-1].kind != wire.ANSWER:
                heard = await asyncio.to_thread(slow.hear)
                assert heard is not None
                frames.append(heard)
        numbers = [f.number for f in frames if f.kind == wire.MESSAGE]
        assert numbers.count(7) == count and numbers.count(9) == 1 and numbers.count(0) == 1
        offsets = [f.words[2] for f in frames if f.kind == wire.MESSAGE and f.number == 7]
        assert offsets == list(range(1, count + 1))
        answers = [f.number for f in frames if f.kind == wire.ANSWER]
        assert answers == [7, 8, 9]
        await close(a)

    run(main())
    assert logged(bus, "unixbus") == []


def test_publishing_waits_for_a_bus_that_does_not_read_and_gives_up_in_time(run: Run, bus: BusProcess):
    async def main() -> None:
        b = await connect(bus, "b", DEFAULT_LIMITS, "t")
        a = await connect(bus, "a", Limits(broker_timeout=0.5))
        assert bus.process is not None
        bus.process.send_signal(signal.SIGSTOP)
        body = b"x" * 10_000
        published = 0
        try:
            with pytest.raises(BrokerUnavailable, match=r"took nothing for 0\.5 seconds"):
                for _ in range(10_000):
                    await a.publish("t", body)
                    published += 1
        finally:
            bus.process.send_signal(signal.SIGCONT)
        # What waits is bounded, and none of it is lost.
        assert 100 < published < 1000
        await b.until(lambda: len(b.messages) == published)
        await a.publish("t", b"again")
        await b.has("t", b"again")
        await close(a, b)

    run(main())


def test_questions_under_way_are_bounded(run: Run, bus: BusProcess):
    async def main() -> None:
        await close(await connect(bus, "first"))  # the bus has started
        a = await connect(bus, "a", Limits(broker_timeout=0.5, broker_buffer_bytes=1_000_000))
        assert bus.process is not None
        bus.process.send_signal(signal.SIGSTOP)
        try:
            done = await asyncio.gather(
                *(a.publish("t", b"x" * 10_000, KEEP, f"k{n}") for n in range(200)), return_exceptions=True
            )
        finally:
            bus.process.send_signal(signal.SIGCONT)
        assert all(isinstance(error, BrokerUnavailable) for error in done)
        full = [error for error in done if "wait for the bus" in str(error)]
        late = [error for error in done if "no answer" in str(error)]
        assert len(full) + len(late) == 200 and 90 <= len(late) <= 100
        with pytest.raises(PayloadError, match="are allowed"):
            await a.broker.join("t", a.member("ada", "x" * 1_200_000))
        await close(a)

    run(main())


def test_what_is_published_in_one_turn_is_written_at_once(run: Run, bus: BusProcess):
    async def main() -> None:
        a = await connect(bus, "a")
        b = await connect(bus, "b", DEFAULT_LIMITS, "t")
        link: Link = a.broker._link  # type: ignore[attr-defined]
        writes: list[int] = []
        transport = link.transport

        class Counting:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def writelines(self, frames: list[bytes]) -> None:
                writes.append(len(frames))
                transport.writelines(frames)

        link.transport = Counting()  # type: ignore[assignment]
        for number in range(100):
            await a.publish("t", b"%d" % number)
        await b.until(lambda: len(b.messages) == 100)
        assert [m.body for m in b.messages] == [b"%d" % number for number in range(100)]
        assert writes == [100]
        await close(a, b)

    run(main())


# ---- nodes


def test_hubs_of_one_process_hear_each_other_and_go_one_by_one(run: Run, bus: BusProcess):
    async def main() -> None:
        first = await connect(bus, "same", DEFAULT_LIMITS, "t")
        second = await connect(bus, "same", DEFAULT_LIMITS, "t")
        other = await connect(bus, "other", DEFAULT_LIMITS, "t")
        await first.publish("t", b"x")
        for node in (second, other):
            await node.has("t", b"x")
        await first.broker.join("t", first.member("ada"))
        await second.broker.join("t", second.member("bob"))
        await other.until(lambda: len(other.events("t")) == 2)
        await close(first)
        await other.until(lambda: (False, first.member("ada")) in other.events("t"))
        assert await other.broker.members("t") == [second.member("bob")]
        assert other.gone == []
        await close(second)
        await other.until(lambda: other.gone == ["same"])
        assert await other.broker.members("t") == []
        assert first.bodies("t") == []
        await close(other)

    run(main())


def test_a_process_that_is_killed_is_gone_at_once(run: Run, bus: BusProcess):
    code = (
        "import asyncio, sys\n"
        "from tests.contract.brokers import Node\n"
        "from zonda._core.base.limits import Limits\n"
        "from zonda._core.channels.brokers.unixbus import UnixBusBroker\n"
        "async def main():\n"
        "    node = Node('victim', UnixBusBroker(sys.argv[1], Limits()))\n"
        "    await node.broker.start(node)\n"
        "    await node.broker.join('t', node.member('ada'))\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[4]
    victim = subprocess.Popen([sys.executable, "-c", code, bus.url], cwd=root)

    async def main() -> None:
        a = await connect(bus, "a", DEFAULT_LIMITS, "t")
        if not await a.broker.members("t"):
            await a.until(lambda: len(a.events("t")) == 1)
        victim.kill()
        begun = time.monotonic()
        await a.until(lambda: a.gone == ["victim"])
        assert time.monotonic() - begun < 1
        assert await a.broker.members("t") == []
        await close(a)

    try:
        run(main())
    finally:
        victim.kill()
        victim.wait(SECONDS)


def test_a_stopped_node_with_records_is_cut_off_and_comes_back(run: Run, bus: BusProcess):
    limits = Limits(presence_timeout=0.6)

    async def main() -> None:
        a = await connect(bus, "a", limits, "t")
        with Raw(bus, limits) as quiet, Raw(bus, limits, "harmless") as harmless:
            quiet.say(wire.JOIN, ("t", "ada", "raw"), b"null", 1)
            harmless.say(wire.BEAT, number=1)
            await a.until(lambda: len(a.events("t")) == 1)
            begun = time.monotonic()
            await a.until(lambda: a.gone == ["raw"])
            assert 0.4 < time.monotonic() - begun < 3
            assert quiet.hear() is not None and quiet.hear() is None
            # Without records nobody waits for a sign of life.
            assert harmless.hear() is not None
            harmless.say(wire.BEAT, number=2)
            assert harmless.hear() is not None
        await close(a)

    run(main())
    assert len(logged(bus, "raw: it said nothing for")) == 1


def test_a_bus_that_sends_nonsense_is_left(run: Run, tmp_path, expect_log):
    expect_log("zonda.general", "was lost: it does not speak the bus's language: words")
    path = tmp_path / "b"
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        nonsense = connections == 1
        await reader.read(1000)
        writer.write(wire.print_frame(wire.ANSWER, number=wire.GREETING))
        while await reader.read(1000):
            answer = wire.print_frame(wire.ANSWER, number=1)
            writer.write(answer.replace(b"[]", b"{}") if nonsense else answer)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_unix_server(serve, path)
        node = Node("a", UnixBusBroker(f"unixbus://{path}", DEFAULT_LIMITS))
        await node.broker.start(node)
        OPEN.append(node)
        await node.broker.subscribe("t")  # asked again of the next bus
        await node.until(lambda: node.resumptions == 1)
        assert connections == 2
        await close(node)
        server.close()

    run(main())


@pytest.mark.parametrize(
    "url", ["unixbus://", "unixbus://host/path", "unixbus:relative", "unixbus://relative"]
)
def test_a_url_without_a_path_is_refused(url):
    with pytest.raises(ValueError, match="unixbus:///absolute/path"):
        UnixBusBroker(url, DEFAULT_LIMITS)


def test_a_path_may_be_quoted(run: Run, bus: BusProcess):
    odd = bus.folder / "a b%#?"
    odd.symlink_to(bus.path)

    async def main() -> None:
        broker = UnixBusBroker(f"unixbus://{bus.folder}/a%20b%25%23%3F", DEFAULT_LIMITS)
        await broker.start(Node("a", broker))
        await broker.close()

    run(main())


# ---- the bus dies


def test_kill_9_under_load_and_a_new_bus_on_the_same_socket(run: Run, bus: BusProcess, expect_log):
    lost = expect_log("zonda.general", "connection to the bus .* was lost")
    kills = 3

    async def main() -> None:
        nodes = [await connect(bus, f"n{n}", DEFAULT_LIMITS, "t", "plain") for n in range(3)]
        stop = False

        async def load(node: Node, lane: int) -> dict[str, bytes]:
            done = {}
            number = 0
            while not stop:
                number += 1
                body = b"%s %d %d" % (node.node.encode(), lane, number)
                published = await node.publish("t", body, KEEP, f"{node.node}.{lane}.{number}")
                done[str(published.position)] = body
                await node.publish("plain", body)
            return done

        lanes = [asyncio.ensure_future(load(node, lane)) for node in nodes for lane in range(4)]
        epochs = []
        for killed in range(kills + 1):
            seen = [len(node.messages) for node in nodes]
            for node, before in zip(nodes, seen, strict=True):
                await node.until(lambda node=node, before=before: len(node.messages) > before + 100)
            epochs.append(nodes[0].bodies("t") and nodes[0].messages[-1].position.epoch)
            if killed < kills:
                bus.kill()
                # Whoever connects now waits; nobody is refused.
                await asyncio.sleep(0.1)
                bus.start()
                for node in nodes:
                    await node.until(lambda node=node, killed=killed: node.resumptions == killed + 1)
        stop = True
        told: dict[str, bytes] = {}
        for done in await asyncio.gather(*lanes):
            told |= done
        topic = await nodes[0].broker.history("t", KEEP, None)
        for node in nodes:
            await node.until(lambda node=node: any(m.position == topic.top for m in node.messages))
            kept = [m for m in node.messages if m.topic == "t"]
            positions = [m.position for m in kept]
            assert len(set(positions)) == len(positions), "none came twice"
            assert len({p.epoch for p in positions}) == kills + 1
            for message in kept:
                assert told.get(str(message.position), message.body) == message.body
        # Everything of the last bus has come: nobody was cut off from it.
        last = [str(p) for p in positions if p.epoch == topic.top.epoch]
        assert last == [
            f"{topic.top.epoch}:{n}" for n in range(int(last[0].partition(":")[2]), topic.top.offset + 1)
        ]
        await close(*nodes)

    run(main())
    assert len(lost.records) == 3 * kills


# ---- the process


def test_sigterm_ends_it_cleanly_and_leaves_the_socket(run: Run, bus: BusProcess, expect_log):
    expect_log("zonda.general", "was lost")

    async def main() -> None:
        a = await connect(bus, "a")
        assert bus.process is not None
        bus.process.send_signal(signal.SIGINT)  # Ctrl-C is not for it
        await a.broker.heartbeat()
        assert await asyncio.to_thread(bus.terminate) == 0
        assert stat.S_ISSOCK(bus.path.stat().st_mode)
        bus.start()
        await a.until(lambda: a.resumptions == 1)
        await a.broker.heartbeat()
        await close(a)
        assert await asyncio.to_thread(bus.terminate) == 0

    run(main())
    assert bus.log.read_text() == ""


def start(*arguments: str, **other: Any) -> "subprocess.Popen[bytes]":
    module = "zonda._core.channels.brokers.unixbus_server"
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, **other)


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """Its status, and what it said."""
    try:
        said = process.communicate(timeout=SECONDS)[1].decode()
    finally:
        process.kill()
    return process.returncode, said


def test_it_stands_alone_on_a_path(run: Run, bus: BusProcess):
    path = bus.folder / "own"
    process = start("--path", str(path))
    try:
        eventually(path.exists, "the socket")
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        second = start("--path", str(path))
        status, said = ended(second)
        assert status != 0 and "a bus is there already" in said

        async def main() -> None:
            broker = UnixBusBroker(f"unixbus://{path}", DEFAULT_LIMITS)
            await broker.start(Node("a", broker))
            await broker.close()

        run(main())
        process.kill()
        ended(process)
        assert path.exists()
        process = start("--path", str(path))  # what the dead one left is replaced
        run(main())
        process.terminate()
        assert ended(process) == (0, "")
        assert not path.exists()
    finally:
        process.kill()
        process.wait(SECONDS)


@pytest.mark.parametrize("connected", [False, True])
def test_without_its_supervisor_it_ends_when_no_node_is_connected(bus: BusProcess, connected: bool):
    ours, its = socket.socketpair()
    listening = socket.socket(socket.AF_UNIX)
    with ours, listening:
        path = bus.folder / "supervised"
        listening.bind(str(path))
        listening.listen()
        with its:
            process = start(
                "--fd",
                str(listening.fileno()),
                pass_fds=[listening.fileno(), its.fileno()],
                env=os.environ | {"ZONDA_CONTROL_FD": str(its.fileno())},
            )
        ours.settimeout(SECONDS)
        assert ours.recv(100) == b'{"ready": true}\n'
        with socket.socket(socket.AF_UNIX) as node:
            node.settimeout(SECONDS)
            if connected:
                node.connect(str(path))
                node.sendall(HELLO + wire.print_frame(wire.BEAT, number=1))
                assert node.recv(100)
            ours.close()
            if connected:
                for number in range(2, 20):
                    node.sendall(wire.print_frame(wire.BEAT, number=number))
                    assert node.recv(100)
                assert process.poll() is None
        assert ended(process) == (0, "")


def test_its_supervisor_may_end_it_at_once(bus: BusProcess):
    ours, its = socket.socketpair()
    listening = socket.socket(socket.AF_UNIX)
    with ours, listening:
        listening.bind(str(bus.folder / "supervised"))
        listening.listen()
        with its, Raw(bus) as node:
            process = start(
                "--fd",
                str(listening.fileno()),
                pass_fds=[listening.fileno(), its.fileno()],
                env=os.environ | {"ZONDA_CONTROL_FD": str(its.fileno())},
            )
            ours.settimeout(SECONDS)
            assert ours.recv(100)
            ours.sendall(b'{"leave": "now"}\n')
            assert ended(process) == (0, "")
            node.say(wire.BEAT)


def test_no_descriptor_is_a_clear_error():
    status, said = ended(start("--fd", "999"))
    assert status != 0 and "--fd 999 is no socket" in said


def test_limits_of_a_history_are_those_of_the_application(run: Run, bus: BusProcess):
    async def main() -> None:
        a = await connect(bus, "a", replace(DEFAULT_LIMITS, history_bytes=1000))
        keep = Retention(size=100, ttl=60.0)
        for number in range(10):
            await a.publish("t", b"%d" % number * 300, keep, f"k{number}")
        history = await a.broker.history("t", keep, None)
        assert [m.position.offset for m in history.messages] == [8, 9, 10]
        await close(a)

    run(main())
