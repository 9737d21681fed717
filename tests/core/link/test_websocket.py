"""A WebSocket on a transport: order, back-pressure, the end; on both loops."""

import asyncio
import contextlib
import gc
import os
import socket
import weakref
from dataclasses import replace

import pytest

from tests.core.link.websockets import serving
from tests.core.net.loops import FACTORIES, runner
from tests.core.wire.ws.frames import frame
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.alarms import Alarms
from zonda._core.wire.ws.printer import PreparedMessage, print_message
from zonda.websocket import WebSocketClosedError, WebSocketHandler


@pytest.fixture(params=sorted(FACTORIES))
def run(request):
    return runner(FACTORIES[request.param])


class Echo(WebSocketHandler):
    def on_message(self, message):
        return self.write_message(message, binary=isinstance(message, bytes))


class Told(WebSocketHandler):
    """Writes down what it is told."""

    def initialize(self):
        self.settings.setdefault("told", [])
        self.settings["handler"] = self
        self.settings["closed"] = asyncio.Event()

    def on_message(self, message):
        self.settings["told"].append(message)

    def on_close(self):
        self.settings["told"].append((self.close_code, self.close_reason))
        self.settings["closed"].set()


def told_by(served):
    return served.server.request_callback.settings


def test_frames_behind_the_handshake_are_read(run):
    async def main():
        async with serving(Echo) as served:
            client = await served.open(behind=frame(0x81, b"early") + frame(0x81, b"late")[:3])
            assert await client.read() == (0x81, b"early")
            client.send(frame(0x81, b"late")[3:])
            assert await client.read() == (0x81, b"late")

    run(main())


def test_messages_wait_for_a_coroutine_and_keep_their_order(run):
    class Slow(WebSocketHandler):
        async def open(self):
            await asyncio.sleep(0)
            self.opened = True

        async def on_message(self, message):
            assert self.opened
            await asyncio.sleep(0 if int(message) % 2 else 0.001)
            await self.write_message(message)

    async def main():
        async with serving(Slow) as served:
            client = await served.open(behind=b"".join(frame(0x81, b"%d" % n) for n in range(200)))
            assert [int((await client.read())[1]) for _ in range(200)] == list(range(200))

    run(main())


def test_what_was_sent_before_the_end_is_read_to_the_end(run):
    class Slow(Told):
        async def on_message(self, message):
            await asyncio.sleep(0)
            super().on_message(message)

    async def main():
        async with serving(Slow) as served:
            client = await served.open()
            client.send(b"".join(frame(0x81, b"%d" % n) for n in range(300)))
            client.writer.write_eof()
            await told_by(served)["closed"].wait()
            assert told_by(served)["told"][:-1] == [str(n) for n in range(300)]

    run(main())


def test_7_1_7_a_failure_is_told_and_nothing_is_read_behind_it(run):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            client.send(frame(0x83), frame(0x81, b"never") * 10_000)
            assert await client.read() == (0x88, b"\x03\xeaunknown opcode 3")
            assert await client.read() == (0, b"")
            client.writer.close()
            await told_by(served)["closed"].wait()
            assert told_by(served)["told"] == [(None, None)]

    run(main())


def test_5_5_1_a_close_frame_is_answered_with_its_code(run):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            client.send(frame(0x88, b"\x0f\xa0why"), frame(0x81, b"never"))
            assert await client.read() == (0x88, b"\x0f\xa0")
            assert await client.read() == (0, b"")
            await told_by(served)["closed"].wait()
            assert told_by(served)["told"] == [(4000, "why")]

    run(main())


def test_7_1_a_client_that_does_not_answer_a_close_is_cut_off(run):
    async def main():
        async with serving(Told) as served:
            served.server._keeper.limits = replace(DEFAULT_LIMITS, websocket_close_timeout=0.02)
            client = await served.open()
            handler = told_by(served)["handler"]
            handler.close(1001, "enough")
            with pytest.raises(WebSocketClosedError):
                handler.write_message("too late")
            assert await client.read() == (0x88, b"\x03\xe9enough")
            assert await client.read() == (0, b"")
            assert told_by(served)["closed"].is_set()

    run(main())


def test_a_client_that_does_not_read_is_closed_at_a_bound(run, expect_log):
    expect_log("zonda.general", "bytes wait to be read", required=False)

    async def main():
        async with serving(Told) as served:
            limits = replace(DEFAULT_LIMITS, websocket_write_bytes=1_000_000)
            served.server._keeper.limits = limits
            await served.open()
            handler = told_by(served)["handler"]
            transport = handler.ws_connection.transport
            most = 0
            with pytest.raises(WebSocketClosedError):
                for _ in range(1000):
                    handler.write_message(b"x" * 100_000, binary=True)
                    most = max(most, transport.get_write_buffer_size())
            assert 0 < most <= 1_200_000
            await told_by(served)["closed"].wait()

    run(main())


def test_a_write_is_done_when_there_is_room_again_or_fails_at_the_end(run):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            handler = told_by(served)["handler"]
            assert handler.write_message("small").done()
            while (waiting := handler.write_message(b"x" * 1_000_000, binary=True)).done():
                pass
            client.writer.transport.abort()
            with pytest.raises(WebSocketClosedError):
                await waiting

    run(main())


def test_5_5_2_a_client_without_pongs_is_closed_and_one_with_them_is_not(run):
    async def main():
        settings = {"websocket_ping_interval": 0.02, "websocket_ping_timeout": 0.03}
        async with serving(Told, **settings) as served:
            good, bad = await served.open(), await served.open()
            for _ in range(5):
                assert await good.read() == (0x89, b"")
                good.send(frame(0x8A))
            seen = [await bad.read() for _ in range(3)]
            assert seen[-1] == (0x88, b"\x03\xe8ping timed out") or seen[-2][0] == 0x88

    run(main())


def test_what_a_program_puts_in_place_of_write_frame_is_asked(run):
    """Tornado's own suite does so; on the compiled build, too."""

    async def main():
        async with serving(Told) as served:
            client = await served.open()
            connection = told_by(served)["handler"].ws_connection
            written = []

            def write_frame(fin, opcode, data, flags=0):
                written.append((fin, opcode, data))
                done = asyncio.get_running_loop().create_future()
                done.set_result(None)
                return done

            connection._write_frame = write_frame
            connection.write_ping(b"p")
            client.send(frame(0x89, b"q"), frame(0x88))
            assert (await client.read())[0] == 0x88
            assert written == [(True, 0x9, b"p"), (True, 0xA, b"q")]

    run(main())


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_message_is_whatever_holds_bytes(run, kind):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            handler = told_by(served)["handler"]
            handler.write_message(kind(b"\xff"), binary=True)
            handler.write_message(kind(b"x"))
            assert [await client.read() for _ in range(2)] == [(0x82, b"\xff"), (0x81, b"x")]

    run(main())


def test_an_error_of_the_handler_is_logged_and_told(run, expect_log):
    class Broken(Told):
        def on_message(self, message):
            raise ZeroDivisionError

    expect_log("zonda.application", "Uncaught exception")

    async def main():
        async with serving(Broken) as served:
            client = await served.open(behind=frame(0x81, b"x") + frame(0x81, b"y"))
            assert await client.read() == (0x88, b"\x03\xf3")

    run(main())


def test_one_frame_is_made_for_all(run):
    class Compressed(Told):
        def get_compression_options(self):
            return {}

    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"

    async def main():
        async with serving(Compressed) as served:
            clients = []
            message = PreparedMessage("to all")
            for more in (b"", b"", offer, offer):
                clients.append(await served.open(more))
                told_by(served)["handler"].ws_connection.write_prepared(message)
            frames = [await client.read() for client in clients]
            assert frames[0] == frames[1] == (0x81, b"to all")
            assert frames[2] == frames[3] and frames[2][0] == 0xC1

    run(main())


def test_a_closed_websocket_leaves_nothing_behind(run):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            settings = told_by(served)
            handler = weakref.ref(settings.pop("handler"))
            gc.disable()
            try:
                client.send(frame(0x88))
                await settings["closed"].wait()
                await asyncio.sleep(0)
                assert handler() is None
            finally:
                gc.enable()
            assert not served.server._keeper.connections

    run(main())


def test_open_websockets_are_closed_with_the_server(run):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            assert len(served.server._keeper.connections) == 1
            served.server.stop()
            closing = asyncio.ensure_future(served.server.close_all_connections())
            assert await client.read() == (0x88, b"\x03\xe9")
            client.send(frame(0x88))
            await closing

    run(main())


def test_alarms_share_one_timer(run):
    class Waking:
        def __init__(self, number):
            self.loop, self.number = asyncio.get_running_loop(), number

        def wake(self, now):
            woken.append(self.number)
            if len(woken) == 3:
                done.set_result(None)

    async def main():
        nonlocal done
        done = asyncio.get_running_loop().create_future()
        alarms, now = Alarms(), asyncio.get_running_loop().time()
        first, second = Waking(1), Waking(2)
        late = alarms.set(first, now + 60)
        alarms.set(first, now + 0.004, late)
        alarms.set(second, now + 0.002)
        alarms.set(Waking(3), now + 0.006)
        alarms.cancel(alarms.set(Waking(4), now + 0.001))
        await done
        assert woken == [2, 1, 3]
        assert alarms._timer is None

    woken: list[int] = []
    done = None
    run(main())


def test_a_flood_of_pings_leaves_others_their_turn(run):
    class Counts(Echo):
        pings = 0

        def on_ping(self, data):
            Counts.pings += 1
            if Counts.pings == 20_000:
                done.set_result(None)

    async def main():
        nonlocal done
        done = asyncio.get_running_loop().create_future()
        async with serving(Counts) as served:
            flood, other = await served.open(), await served.open()
            flood.send(frame(0x89) * 20_000)
            other.text("hello")
            assert await other.read() == (0x81, b"hello")
            assert Counts.pings < 20_000
            await done

    done = None
    run(main())


# ---- frames of messages to many go past the transport


def numbered(number):
    """A text frame of the server's, of 20,000 bytes."""
    return print_message(b"%020000d" % number, False)


def test_a_finished_frame_does_not_overtake_what_waits_in_the_transport(run):
    async def main():
        async with serving(Told) as served:
            client = await served.open()
            connection = told_by(served)["handler"].ws_connection
            frames = []

            def send():
                frames.append(numbered(len(frames)))
                return connection.send_frame(frames[-1])

            while not connection.transport.get_write_buffer_size():
                assert send()
            # There is room in the kernel again before the loop knows of it.
            received = b""
            with socket.socket(fileno=os.dup(client.writer.get_extra_info("socket").fileno())) as its:
                its.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        received += its.recv(1 << 20)
            while send():
                pass
            waiting = connection.drained()
            expected = b"".join(frames)
            received += await client.reader.readexactly(len(expected) - len(received))
            assert received == expected
            await waiting
            assert connection.send_frame(numbered(0))
            assert await client.read() == (0x81, b"%020000d" % 0)

    run(main())


def test_a_finished_frame_never_reaches_who_has_the_number_of_a_closed_socket(run):
    async def main():
        async with serving(Told) as served:
            await served.open()
            connection = told_by(served)["handler"].ws_connection
            number = connection.socket.fileno()
            mine, others = socket.socketpair()
            with mine, others:
                connection.abort()
                assert not connection.send_frame(numbered(1))
                await told_by(served)["closed"].wait()
                os.dup2(mine.fileno(), number)
                try:
                    assert not connection.send_frame(numbered(1))
                finally:
                    os.close(number)
                others.setblocking(False)
                with pytest.raises(BlockingIOError):
                    others.recv(1)

    run(main())


def test_a_finished_frame_that_cannot_be_sent_ends_the_connection(run):
    async def main():
        async with serving(Told) as served:
            await served.open()
            settings = told_by(served)
            connection = settings["handler"].ws_connection
            with socket.socket(fileno=os.dup(connection.socket.fileno())) as ours:
                ours.shutdown(socket.SHUT_WR)
            connection.send_frame(numbered(0))
            await settings["closed"].wait()
            assert not connection.send_frame(numbered(0))
            assert settings["told"] == [(None, None)]

    run(main())
