"""`WebSocketHandler` and `websocket_connect`: what Tornado's own suite leaves open."""

import asyncio
import socket
from pathlib import Path

import pytest

import zonda
from tests.core.link.websockets import HANDSHAKE, serving
from tests.core.net.loops import FACTORIES, runner
from zonda import httpclient, websocket
from zonda.httpclient import HTTPClientError, HTTPRequest
from zonda.simple_httpclient import HTTPTimeoutError
from zonda.websocket import WebSocketClosedError, WebSocketError, WebSocketHandler, websocket_connect


@pytest.fixture(params=sorted(FACTORIES))
def run(request):
    return runner(FACTORIES[request.param])


class Echo(WebSocketHandler):
    def on_message(self, message):
        return self.write_message(message, binary=isinstance(message, bytes))


def url(served):
    return f"ws://127.0.0.1:{served.address[1]}/"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"Origin: http://localhost\r\n", b"101"),
        (b"Origin: http://localhost.evil.example\r\n", b"403"),
        (b"Origin: null\r\n", b"403"),
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"400"),
        (b"Sec-WebSocket-Protocol: caf\xe9\r\n", b"400"),
        (b"Sec-WebSocket-Version: 8\r\n", b"426"),
    ],
)
def test_who_is_let_in(run, more, status):
    async def main():
        async with serving(Echo) as served:
            client = await served.connect(more)
            assert client.head.split()[1] == status

    run(main())


def test_a_handshake_with_a_body_is_no_handshake_and_its_body_no_request(run):
    async def main():
        async with serving(Echo) as served:
            smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
            client = await served.connect(b"Content-Length: %d\r\n" % len(smuggled), smuggled)
            assert client.head.split()[1] == b"400"
            length = int(client.head.lower().partition(b"content-length: ")[2].split()[0])
            await client.reader.readexactly(length)
            client.send(HANDSHAKE + b"\r\n")
            assert (await client.reader.readuntil(b"\r\n\r\n")).split()[1] == b"101"

    run(main())


def test_a_subprotocol_that_was_not_offered_cannot_be_chosen(run, expect_log):
    class Chooses(Echo):
        def select_subprotocol(self, subprotocols):
            return "other"

    expect_log("zonda.application", "Uncaught exception")

    async def main():
        async with serving(Chooses) as served:
            client = await served.connect(b"Sec-WebSocket-Protocol: one\r\n")
            assert client.head.split()[1] == b"500"

    run(main())


def test_what_a_context_holds_in_open_is_there_for_messages(run):
    from contextvars import ContextVar

    who = ContextVar("who")

    class Who(WebSocketHandler):
        def open(self):
            who.set("ada")

        def on_message(self, message):
            self.write_message(who.get())

    async def main():
        async with serving(Who) as served:
            socket = await websocket_connect(url(served))
            await socket.write_message("?")
            assert await socket.read_message() == "ada"
            socket.close()
            assert await socket.read_message() is None
            assert await socket.read_message() is None

    run(main())


def test_all_kinds_of_messages_both_ways_compressed_and_not(run):
    class Compressed(Echo):
        def get_compression_options(self):
            return {"mem_level": 5, "server_max_window_bits": 10, "client_no_context_takeover": True}

    async def main():
        async with serving(Compressed) as served:
            for options in (None, {}, {"server_no_context_takeover": True, "client_max_window_bits": 9}):
                socket = await websocket_connect(url(served), compression_options=options)
                for message in ("", "grüß", b"", b"\xff\x00", "x" * 100_000, b"y" * 70_000):
                    await socket.write_message(message, binary=isinstance(message, bytes))
                    assert await socket.read_message() == message
                await socket.write_message({"a": 1})
                assert await socket.read_message() == '{"a": 1}'
                assert (socket.headers.get("Sec-Websocket-Extensions") is None) is (options is None)
                socket.close()
                await socket.read_message()

    run(main())


def test_bytes_that_are_no_text_are_not_sent_as_text(run):
    async def main():
        async with serving(Echo) as served:
            socket = await websocket_connect(url(served))
            with pytest.raises(ValueError, match="utf-8"):
                socket.write_message(b"\xff")
            with pytest.raises(TypeError, match="str, bytes or dict"):
                socket.write_message(5)
            with pytest.raises(ValueError, match="close code 1005"):
                socket.close(1005)
            socket.close(4001, "done")
            await socket.read_message()
            assert socket.close_code == 4001
            with pytest.raises(WebSocketClosedError):
                socket.ping()

    run(main())


def test_a_client_that_does_not_ask_for_messages_holds_the_server_back(run):
    class Pours(WebSocketHandler):
        async def open(self):
            self.settings["poured"] = 0
            try:
                for _ in range(1000):
                    await self.write_message(b"x" * 100_000, binary=True)
                    self.settings["poured"] += 1
            except WebSocketClosedError:
                pass

    async def main():
        async with serving(Pours) as served:
            client = await websocket_connect(url(served))
            settings = served.server.request_callback.settings
            before = -1
            while settings["poured"] != before:
                before = settings["poured"]
                for _ in range(50):
                    await asyncio.sleep(0)
            assert settings["poured"] < 900
            assert await client.read_message() == b"x" * 100_000
            client.stream.abort()

    run(main())


class TestServersThatAreNone:
    """RFC 6455 section 4.1: the client checks what answers it."""

    def connecting(self, run, answer, **options):
        async def main():
            async def serve(reader, writer):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                writers.append(writer)
                if answer:
                    writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            try:
                address = server.sockets[0].getsockname()
                request = HTTPRequest(f"ws://127.0.0.1:{address[1]}/", request_timeout=0.2)
                await websocket_connect(request, **options)
            finally:
                server.close()
                for writer in writers:
                    writer.transport.abort()
                await asyncio.sleep(0.01)  # transports close in the turns that follow

        writers = []
        run(main())

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WebSocketError),
            (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", HTTPClientError),
            (
                b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: x\r\n\r\n",
                WebSocketError,
            ),
            (b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", WebSocketError),
            (b"HTTP/1.1 302 Go\r\nLocation: ws://localhost/\r\nContent-Length: 0\r\n\r\n", HTTPClientError),
            (b"nonsense\r\n\r\n", Exception),
        ],
    )
    def test_they_are_refused(self, run, answer, error):
        with pytest.raises(error):
            self.connecting(run, answer)

    def test_silence_is_bounded(self, run):
        with pytest.raises(HTTPTimeoutError):
            self.connecting(run, b"")


def test_nothing_splits_a_clients_handshake(run):
    async def main():
        async with serving(Echo) as served:
            for split in ("a\r\nX: y", "a\nb", "a\0b"):
                with pytest.raises(ValueError, match="CR, LF or NUL"):
                    await websocket_connect(url(served), subprotocols=[split])
                with pytest.raises(ValueError):
                    await websocket_connect(HTTPRequest(url(served), headers={"X": split}))

    run(main())


@pytest.mark.parametrize("compressed", [False, True])
def test_a_client_bounds_what_a_server_sends(run, compressed):
    class Talks(WebSocketHandler):
        def get_compression_options(self):
            return {} if compressed else None

        async def open(self):
            await self.write_message("x" * 1000)
            # Compressed, a thousandth of that comes.
            await self.write_message("x" * (1_000_000 if compressed else 1001))

        def on_close(self):
            closed.set_result(self.close_code)

    async def main():
        nonlocal closed
        closed = asyncio.get_running_loop().create_future()
        async with serving(Talks) as served:
            options = {} if compressed else None
            client = await websocket_connect(url(served), compression_options=options, max_message_size=1000)
            assert await client.read_message() == "x" * 1000
            assert await client.read_message() is None
            assert await asyncio.wait_for(closed, 5) == 1009

    closed = None
    run(main())


def test_nobody_there_is_an_os_error(run):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]

        async def main():
            await websocket_connect(f"ws://127.0.0.1:{port}/")

        with pytest.raises(OSError):
            run(main())


def test_only_ws_and_wss_are_urls_of_websockets(run):
    async def main():
        await websocket_connect("http://localhost/")

    with pytest.raises(ValueError, match="url scheme"):
        run(main())


def test_over_tls_both_ways(run):
    folder = Path(zonda.__file__).parent / "test_certs"
    options = {"certfile": str(folder / "test.crt"), "keyfile": str(folder / "test.key")}

    async def main():
        async with serving(Echo, ssl_options=options) as served:
            request = HTTPRequest(url(served).replace("ws:", "wss:"), validate_cert=False)
            client = await websocket_connect(request, ping_interval=0.01, ping_timeout=10)
            for message in ("hello", "x" * 300_000):
                await client.write_message(message)
                assert await client.read_message() == message
            client.close(4000, "bye")
            assert await client.read_message() is None
            assert client.close_code == 4000

            client = await websocket_connect(request)
            # A failure is told over TLS too, where the connection cannot be half-closed.
            client.stream.write(b"\x83\x80\0\0\0\0")
            assert await client.read_message() is None
            assert client.close_code == 1002

    run(main())


def test_methods_of_an_answer_end_with_the_handshake_and_so_does_its_count(run):
    class Tries(WebSocketHandler):
        def prepare(self):
            self.set_header("X-Before", "yes")

        def open(self):
            self.settings["limit"] = len(self.application.settings["server"]._keeper.connections)
            for method, arguments in (("finish", ()), ("set_header", ("a", "b")), ("set_status", (200,))):
                with pytest.raises(RuntimeError):
                    getattr(self, method)(*arguments)
            self.write_message("done")

    async def main():
        async with serving(Tries) as served:
            settings = served.server.request_callback.settings
            settings["server"] = served.server
            client = await served.open()
            assert b"\r\nX-Before: yes\r\n" in client.head
            assert await client.read() == (0x81, b"done")
            # It counts as an open connection, once.
            assert settings["limit"] == 1

    run(main())


def test_private_names_that_projects_use(run):
    class Pinged(websocket.WebSocketClientConnection):
        """As jupyter-server-proxy has it."""

        def __init__(self, **kwargs):
            self.pinged = kwargs.pop("on_ping_callback")
            super().__init__(**kwargs)

        def on_ping(self, data):
            self.pinged(data)

    class Pings(Echo):
        def open(self):
            assert self.ws_connection.client_terminated is False
            self.settings["connection"] = self.ws_connection
            self.ping(b"are you there?")

        def on_close(self):
            closed.set()

    closed = asyncio.Event()

    async def main():
        async with serving(Pings) as served:
            pinged = asyncio.get_running_loop().create_future()
            request = HTTPRequest(url(served), headers={"X-Mine": "1"})
            client = Pinged(
                request=httpclient._RequestProxy(request, HTTPRequest._DEFAULTS),
                compression_options={},
                on_message_callback=lambda message: None,
                on_ping_callback=pinged.set_result,
                max_message_size=websocket._default_max_message_size,
                subprotocols=[],
                resolver=None,
            )
            assert await client.connect_future is client
            assert await pinged == b"are you there?"
            connection = served.server.request_callback.settings["connection"]
            client.close()
            await closed.wait()
            assert connection.client_terminated is True

    run(main())


def test_a_connection_that_nobody_waits_for_any_more_is_given_up(run):
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            connecting = websocket_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
            accepted, _ = await loop.sock_accept(listener)
            with accepted:
                accepted.setblocking(False)
                assert (await loop.sock_recv(accepted, 65536)).startswith(b"GET / ")
                connecting.cancel()
                assert await loop.sock_recv(accepted, 65536) == b""

    run(main())
