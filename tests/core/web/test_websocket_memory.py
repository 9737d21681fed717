"""Compression of many WebSockets within the memory of one process."""

import asyncio
import dataclasses
import gc
import os
import random
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.core.link.harness import until
from tests.core.link.websockets import HANDSHAKE, Client, serving
from tests.core.net.conftest import run
from tests.core.wire.ws.frames import frame
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.client import websocket as client_module
from zonda._core.wire.ws.deflate_memory import MEMORY, deflater_bytes, inflater_bytes
from zonda.httpclient import HTTPClientError
from zonda.simple_httpclient import HTTPTimeoutError
from zonda.web import RequestHandler
from zonda.websocket import WebSocketHandler, websocket_connect

__all__ = ["run"]

#: Of one connection, at either end.
ONE = deflater_bytes(15, 8) + inflater_bytes(15)
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
TAIL = b"\x00\x00\xff\xff"
WORDS = Path(__file__).read_text().split()


@pytest.fixture(autouse=True)
def nothing_is_drawn_before_and_after():
    gc.collect()
    assert MEMORY.drawn == 0
    yield
    gc.collect()
    assert MEMORY.drawn == 0


class Echo(WebSocketHandler):
    def get_compression_options(self):
        return {}

    def on_message(self, message):
        return self.write_message(message)


class Peer:
    """The client's side of the extension, kept to by hand: `keeps` contexts, or has a new one each time."""

    def __init__(self, client: Client) -> None:
        self.client = client
        head = client.head.lower()
        assert b"sec-websocket-extensions: permessage-deflate" in head
        forgets = [b"server_no_context_takeover" in head, b"client_no_context_takeover" in head]
        assert forgets[0] is forgets[1]
        self.keeps = not forgets[0]
        self._begin()

    def _begin(self) -> None:
        self.deflater = zlib.compressobj(-1, zlib.DEFLATED, -15)
        self.inflater = zlib.decompressobj(-15)

    async def echo(self, text: str) -> int:
        """Sends a message and takes it back; the bytes that it had as it came."""
        payload = self.deflater.compress(text.encode()) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.client.send(frame(0xC1, payload.removesuffix(TAIL)))
        first, payload = await self.client.read()
        assert first == 0xC1
        assert self.inflater.decompress(payload + TAIL).decode() == text
        if not self.keeps:
            self._begin()
        return len(payload)


def test_connections_keep_contexts_as_long_as_there_is_memory(run):
    async def main():
        async with serving(Echo, websocket_deflate_memory=2 * ONE) as served:
            peers = [Peer(await served.open(OFFER)) for _ in range(4)]
            assert [peer.keeps for peer in peers] == [True, True, False, False]
            assert MEMORY.drawn == 2 * ONE
            for text in ("", "grüß", "to and fro " * 10_000, " ".join(random.sample(WORDS, 200))):
                for peer in peers:
                    await peer.echo(text)
            # A context knows what was said before, and without one a message stands for itself.
            text = " ".join(random.sample(WORDS, 200))
            kept, alone = [[await peer.echo(text) for _ in range(3)] for peer in (peers[0], peers[3])]
            assert kept[1] < kept[0] / 10
            assert alone[0] == alone[1] == alone[2]
            # Who goes leaves its share to the next.
            peers[0].client.writer.close()
            await until(lambda: MEMORY.drawn == ONE)
            assert Peer(await served.open(OFFER)).keeps
            assert not Peer(await served.open(OFFER)).keeps
            assert not peers[2].keeps

    run(main())


@pytest.mark.parametrize(("memory", "drawn"), [(None, 3 * ONE), (0, 0), (ONE - 1, 0), (3 * ONE, 3 * ONE)])
def test_the_bound_is_a_setting(run, memory, drawn):
    async def main():
        async with serving(Echo, websocket_deflate_memory=memory) as served:
            for _ in range(3):
                await Peer(await served.open(OFFER)).echo("x" * 100)
            assert MEMORY.drawn == drawn

    run(main())


def test_the_default_is_in_limits(run):
    most = DEFAULT_LIMITS.websocket_deflate_memory // ONE

    async def main():
        async with serving(Echo) as served:
            peers = [Peer(await served.open(OFFER)) for _ in range(most + 2)]
            assert [peer.keeps for peer in peers] == [True] * most + [False] * 2

    run(main())


def test_who_does_not_compress_draws_nothing(run):
    async def main():
        async with serving(Echo) as served:
            client = await served.open()
            client.text("x")
            assert await client.read() == (0x81, b"x")
            assert MEMORY.drawn == 0

    run(main())


# ---- however a connection ends


class Ends(Echo):
    """Ends as the message says."""

    def on_message(self, message):
        if message == "close":
            self.close(4000, "enough")
        elif message == "raise":
            raise ZeroDivisionError
        elif message == "abort":
            self.ws_connection.abort()
        elif message == "wait":
            return asyncio.Event().wait()
        elif message == "flood":
            while True:
                self.write_message(os.urandom(1 << 20), binary=True)
        return None


async def _says_goodbye(client: Client) -> None:
    client.send(frame(0x88, b"\x03\xe8"))


async def _goes(client: Client) -> None:
    client.writer.close()


async def _is_torn_away(client: Client) -> None:
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def _breaks_the_protocol(client: Client) -> None:
    client.send(frame(0x83))
    await client.read()
    client.writer.close()


async def _sends_no_deflated_data(client: Client) -> None:
    client.send(frame(0xC1, b"\xff" * 20))
    await client.read()
    client.writer.close()


async def _goes_in_the_middle_of_a_message(client: Client) -> None:
    deflater = zlib.compressobj(-1, zlib.DEFLATED, -15)
    client.send(frame(0x41, deflater.compress(b"x" * 1000) + deflater.flush(zlib.Z_SYNC_FLUSH)))
    client.writer.close()


def _asks(message: str) -> Any:
    async def ask(client: Client) -> None:
        client.text(message)
        if message == "wait":
            await _is_torn_away(client)
        else:
            # What comes is no matter.
            await client.read()
            client.writer.close()

    ask.__name__ = message
    return ask


@pytest.mark.parametrize(
    "end",
    [
        _says_goodbye,
        _goes,
        _is_torn_away,
        _breaks_the_protocol,
        _sends_no_deflated_data,
        _goes_in_the_middle_of_a_message,
        *map(_asks, ("close", "raise", "abort", "wait", "flood")),
    ],
    ids=lambda end: end.__name__.strip("_"),
)
def test_its_share_is_given_back(run, end, expect_log):
    if end.__name__ in ("raise", "flood"):
        expect_log("zonda.application", "Uncaught exception")

    async def main():
        async with serving(Ends, websocket_deflate_memory=ONE) as served:
            client = await served.open(OFFER)
            assert MEMORY.drawn == ONE
            await end(client)
            await until(lambda: MEMORY.drawn == 0)

    run(main())


class FailsInOpen(Echo):
    def open(self):
        raise ZeroDivisionError


class FailsBeforeOpen(Echo):
    def on_finish(self):
        raise ZeroDivisionError


class FailsBeforeItsAnswer(Echo):
    async def get(self, *args, **kwargs):
        self._headers["X-Y"] = "a\r\nb"
        await super().get()


@pytest.mark.parametrize(
    ("handler", "answer"),
    [(FailsInOpen, b"101"), (FailsBeforeOpen, b""), (FailsBeforeItsAnswer, b"500")],
)
def test_a_share_is_given_back_when_opening_fails(run, expect_log, handler, answer):
    expect_log("zonda.application", "Uncaught exception")

    async def main():
        async with serving(handler, websocket_deflate_memory=ONE) as served:
            reader, writer = await asyncio.open_connection(*served.address)
            writer.write(HANDSHAKE + OFFER + b"\r\n")
            head = await reader.read(4096)
            assert head[9:12] == answer
            writer.close()
            await until(lambda: MEMORY.drawn == 0)

    run(main())


def test_a_client_that_is_gone_before_it_is_answered(run):
    class Late(Echo):
        async def prepare(self):
            await until(lambda: self.request.connection.connection is None or went.done())

    went: Any = None

    async def main():
        nonlocal went
        went = asyncio.get_running_loop().create_future()
        async with serving(Late, websocket_deflate_memory=ONE) as served:
            _, writer = await asyncio.open_connection(*served.address)
            writer.write(HANDSHAKE + OFFER + b"\r\n")
            await writer.drain()
            writer.transport.abort()
            await asyncio.sleep(0)
            went.set_result(None)
            await until(lambda: not served.server._keeper.connections)
            assert MEMORY.drawn == 0

    run(main())


def test_a_server_that_ends(run):
    async def main():
        async with serving(Echo) as served:
            for _ in range(3):
                await served.open(OFFER)
            assert MEMORY.drawn == 3 * ONE
            await served.close()
            await until(lambda: MEMORY.drawn == 0)

    run(main())


# ---- the client's side


@pytest.fixture
def client_memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    def allow(size: int | None) -> None:
        limits = dataclasses.replace(DEFAULT_LIMITS, websocket_deflate_memory=size)
        monkeypatch.setattr(client_module, "DEFAULT_LIMITS", limits)

    return allow


def url(served: Any) -> str:
    return f"ws://127.0.0.1:{served.address[1]}/"


def test_clients_keep_contexts_as_long_as_there_is_memory(run, client_memory):
    async def main():
        # The server draws from the same account: let it take nothing.
        async with serving(Echo, websocket_deflate_memory=0) as plain:
            client_memory(ONE)
            forgetful = await websocket_connect(url(plain), compression_options={})
            # The server keeps nothing, so there is nothing to keep for.
            assert MEMORY.drawn == 0
            forgetful.close()
            await forgetful.read_message()
        async with serving(Echo, websocket_deflate_memory=None) as served:
            client_memory(2 * ONE)
            clients = []
            for keeps in (True, False, False):
                client = await websocket_connect(url(served), compression_options={})
                clients.append(client)
                extension = client.headers["Sec-WebSocket-Extensions"]
                assert ("no_context_takeover" not in extension) is keeps
            # One at either end; the others keep nothing at either.
            assert MEMORY.drawn == 2 * ONE
            for text in ("", "grüß", "to and fro " * 10_000, " ".join(random.sample(WORDS, 200))):
                for client in clients:
                    for _ in range(2):
                        await client.write_message(text)
                        assert await client.read_message() == text
            for client in clients:
                client.close()
                assert await client.read_message() is None
            await until(lambda: MEMORY.drawn == 0)
            # The client objects are still here.
            assert len(clients) == 3

    run(main())


def test_what_comes_to_nothing_draws_nothing(run):
    class Refuses(RequestHandler):
        def get(self):
            self.set_status(403)

    class NoCompression(Echo):
        def get_compression_options(self):
            return None

    class Never(RequestHandler):
        async def get(self):
            await asyncio.Event().wait()

    async def main():
        async with serving(Refuses) as served:
            refused = websocket_connect(url(served), compression_options={})
            assert MEMORY.drawn == ONE
            with pytest.raises(HTTPClientError):
                await refused
            assert MEMORY.drawn == 0
            nobody = url(served)
        with pytest.raises(OSError):
            await websocket_connect(nobody, compression_options={})
        assert MEMORY.drawn == 0
        async with serving(NoCompression) as served:
            plain = await websocket_connect(url(served), compression_options={})
            assert MEMORY.drawn == 0
            plain.close()
            await plain.read_message()
        async with serving(Never) as served:
            with pytest.raises(HTTPTimeoutError):
                await websocket_connect(url(served), compression_options={}, connect_timeout=0.05)
            assert MEMORY.drawn == 0
            given_up = websocket_connect(url(served), compression_options={})
            await asyncio.sleep(0)
            given_up.cancel()
            await until(lambda: MEMORY.drawn == 0)

    run(main())


# ---- what it is for

CONNECTIONS = 2000
SERVER = """
import socket, sys
from zonda import ioloop, web, websocket
from zonda.httpserver import HTTPServer

class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return {}

    def on_message(self, message):
        self.write_message(message)

listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
listener.setblocking(False)
application = web.Application(
    [("/", Echo)], websocket_deflate_memory=int(sys.argv[1]), log_function=lambda handler: None
)
HTTPServer(application).add_socket(listener)
print(listener.getsockname()[1], flush=True)
ioloop.IOLoop.current().start()
"""


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads resident memory from /proc")
def test_2000_idle_connections_stay_within_the_bound():
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{hard} open files are allowed: {wanted} are needed")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    memory = 16 * 1024 * 1024
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(memory)], stdout=subprocess.PIPE)
    sockets: list[socket.socket] = []
    try:
        assert server.stdout is not None
        address = ("127.0.0.1", int(server.stdout.readline()))
        kinds = [_connect(address, sockets, OFFER) for _ in range(CONNECTIONS)]
        opened = resident(server.pid)
        assert kinds.count(b"keeps") == memory // ONE
        deflater = zlib.compressobj(-1, zlib.DEFLATED, -15)
        payload = deflater.compress(" ".join(WORDS).encode()) + deflater.flush(zlib.Z_SYNC_FLUSH)
        message = frame(0xC1, payload.removesuffix(TAIL))
        for sock in sockets:
            sock.sendall(message)
            assert sock.recv(65536)[0] == 0xC1
        grown = resident(server.pid) - opened
        # Without a bound it is above 200 MB; two messages' worth is what one being answered takes.
        assert grown <= memory + 2 * 1024 * 1024, f"{grown / 2**20:.0f} MB"
    finally:
        for sock in sockets:
            sock.close()
        server.kill()
        server.communicate()


def _connect(address: Any, sockets: list[socket.socket], more: bytes) -> bytes:
    sock = socket.create_connection(address, 10)
    sockets.append(sock)
    sock.sendall(HANDSHAKE + more + b"\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(65536)
        assert piece, head
        head += piece
    return b"forgets" if b"no_context_takeover" in head else b"keeps"
