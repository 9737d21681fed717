"""Streams: their bounds, and what Tornado's own tests of them leave open."""

import asyncio
import gc
import os
import socket
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.core.net.loops import Run
from zonda._core.net.iostream_base import _CHUNKS_PER_TURN
from zonda._core.net.iostream_read import ReadUntil
from zonda.iostream import IOStream, PipeIOStream, StreamBufferFullError, StreamClosedError
from zonda.netutil import bind_unix_socket


def pair(**kwargs: Any) -> tuple[IOStream, socket.socket]:
    """A stream, and the plain non-blocking socket at its other end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    return IOStream(ours, **kwargs), theirs


def flood(sock: socket.socket) -> int:
    """Sends until the kernel takes no more."""
    sent = 0
    while True:
        try:
            sent += sock.send(b"x" * 65536)
        except BlockingIOError:
            return sent


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_nobody_reads_stays_in_the_kernel(run: Run) -> None:
    async def main() -> None:
        stream, peer = pair(read_chunk_size=4096)
        with peer:
            stream.set_close_callback(lambda: None)  # watches the socket while idle
            assert flood(peer) > 4096
            await turns(20)
            assert len(stream._read_buffer) == 4096
            assert await stream.read_bytes(100) == b"x" * 100
            await turns(20)
            assert len(stream._read_buffer) == 3996
            stream.close()

    run(main())


def test_without_a_close_callback_an_idle_stream_reads_nothing(run: Run) -> None:
    # What the peer sends next may be its TLS greeting, which belongs to `start_tls`.
    async def main() -> None:
        stream, peer = pair()
        with peer:
            peer.send(b"one")
            assert await stream.read_bytes(3) == b"one"
            pending = stream.read_bytes(3)
            await turns()
            peer.send(b"two")
            assert await pending == b"two"
            peer.send(b"hello")
            await turns(20)
            assert stream._read_buffer == b""
            stream.close()

    run(main())


def test_the_write_buffer_keeps_its_bound_and_the_stream_lives_on(run: Run) -> None:
    async def main() -> None:
        stream, peer = pair(max_write_buffer_size=100_000)
        peer.setblocking(True)
        with peer:
            written = 0
            with pytest.raises(StreamBufferFullError):
                for _ in range(1000):
                    last = stream.write(b"y" * 50_000)
                    written += 50_000
            assert len(stream._write_buffer or b"") <= 100_000
            received = 0
            loop = asyncio.get_running_loop()
            while received < written:
                received += len(await loop.run_in_executor(None, peer.recv, 65536))
            await last
            stream.close()

    run(main())


def test_private_names_that_projects_use(run: Run) -> None:
    """distributed and metrics: how much was written, how much waits, and on which socket."""

    async def main() -> None:
        stream, peer = pair()
        with peer:
            assert stream.socket is stream.fileno() and stream._total_write_index == 0
            await stream.write(b"abc")
            assert (stream._total_write_index, len(stream._write_buffer)) == (3, 0)
            waiting = stream.write(b"y" * 5_000_000)
            assert stream._total_write_index == 5_000_003 and 0 < len(stream._write_buffer) <= 5_000_000
            waiting.cancel()
            stream.close()

    run(main())


class Endless(PipeIOStream):
    """A file that always has more."""

    reads = 0

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        self.reads += 1
        return len(buf)


def test_a_fast_sender_does_not_hold_the_loop(run: Run) -> None:
    async def main() -> None:
        read_end, write_end = os.pipe()
        stream = Endless(read_end, read_chunk_size=1024)
        reading = stream.read_until(b"never")
        assert stream.reads == _CHUNKS_PER_TURN
        await turns(3)
        assert _CHUNKS_PER_TURN < stream.reads <= 4 * _CHUNKS_PER_TURN
        stream.close()
        with pytest.raises(StreamClosedError):
            await reading
        os.close(write_end)

    run(main())


def test_a_cancelled_read_takes_nothing(run: Run) -> None:
    async def main() -> None:
        stream, peer = pair()
        with peer:
            peer.send(b"he")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.read_bytes(5), 0.01)
            assert not stream.reading()
            peer.send(b"llo")
            assert await stream.read_bytes(5) == b"hello"
            stream.close()

    run(main())


def test_fed_bytes_are_read_before_those_of_the_socket(run: Run) -> None:
    async def main() -> None:
        stream, peer = pair()
        with peer:
            stream._feed(b"first\nsec")
            peer.send(b"ond\n")
            assert await stream.read_until(b"\n") == b"first\n"
            assert await stream.read_until(b"\n") == b"second\n"
            stream.close()

    run(main())


def test_bytes_that_came_before_tls_do_not_pass_for_protected_ones(run: Run) -> None:
    async def main() -> None:
        stream, peer = pair()
        with peer:
            peer.send(b"STARTTLS\r\nEVIL\r\n")
            assert await stream.read_until(b"\r\n") == b"STARTTLS\r\n"
            with pytest.raises(ValueError, match="not idle"):
                stream.start_tls(True)
            stream.close()

    run(main())


def test_a_unix_socket_with_a_full_backlog_refuses_instead_of_hanging(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def main() -> None:
        with bind_unix_socket(path, backlog=0):
            streams, failures = [], []
            for _ in range(4):
                stream = IOStream(socket.socket(socket.AF_UNIX))
                try:
                    streams.append(await stream.connect(path))
                except StreamClosedError as e:
                    failures.append(e.real_error)
            assert streams and failures
            assert all(isinstance(e, BlockingIOError) for e in failures)
            for stream in streams:
                stream.close()

    run(main())


def test_closed_streams_are_freed_without_the_garbage_collector(run: Run) -> None:
    async def main() -> None:
        stream, peer = pair()
        stream.set_close_callback(lambda: None)
        await stream.write(b"ping")
        reading = stream.read_until(b"\n")
        peer.send(b"pong\n")
        assert await reading == b"pong\n"
        stream.close()
        peer.close()
        gone = weakref.ref(stream)
        del stream
        await turns(2)
        assert gone() is None

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


class CountingBytes(bytearray):
    searched = 0

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        self.searched += len(self) - int(start)
        return super().find(sub, start)


def test_a_trickled_line_is_searched_once() -> None:
    loop = asyncio.new_event_loop()
    read = ReadUntil(loop.create_future(), b"\r\n\r\n", None)
    buffer = CountingBytes()
    for _ in range(1000):
        buffer += b"\r"
        assert read.size(buffer) is None
    assert buffer.searched <= 4 * 1000
    buffer += b"\n\r\n"
    assert read.size(buffer) == 1003
    loop.close()
