"""`Exchange.send_file`: files as bodies, by the kernel where it can, at the pace of who reads."""

import asyncio
import errno
import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.core.link.harness import CHUNKED, GET, HELLO, MIB, Client, answer, get, listening, until
from tests.core.net.loops import Run
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.link.exchange import Exchange
from zonda._core.net.errors import StreamClosedError
from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import ResponseStartLine

SIZE = 24 * MIB


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "large"
    block = hashlib.sha512(b"zonda").digest() * 8192
    with path.open("wb") as file:
        for number in range(SIZE // len(block)):
            file.write(number.to_bytes(4, "big") + block[4:])
    return path


@pytest.fixture
def file(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb", buffering=0) as file:
        yield file  # type: ignore[misc]


class Sender:
    """Answers `/file` with a part of a file, anything else with its path."""

    def __init__(self, file: BinaryIO, offset: int = 0, count: int = SIZE, sized: bool = True) -> None:
        self.file = file
        self.offset = offset
        self.count = count
        self.sized = sized
        self.errors: list[BaseException] = []
        self.most = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.on_close = 0

    def __call__(self, exchange: Exchange) -> None:
        if exchange.head.target != "/file":
            answer(exchange)
            return
        task = asyncio.ensure_future(self._send(exchange))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _closed(self) -> None:
        self.on_close += 1

    async def _send(self, exchange: Any) -> None:
        exchange.on_close = self._closed
        fields = {"Content-Length": str(self.count)} if self.sized else {}
        exchange.write_headers(ResponseStartLine("", 200, "OK"), HTTPHeaders(fields))
        try:
            await exchange.send_file(self.file, self.offset, self.count)
            exchange.finish()
        except Exception as error:
            self.errors.append(error)

    async def ended(self) -> None:
        await until(lambda: not self.tasks)


def digest_of(path: Path, start: int = 0, end: int | None = None) -> bytes:
    return hashlib.sha1(path.read_bytes()[start:end]).digest()


async def digest(client: Client, size: int) -> bytes:
    """Of the bytes that come; in memory there is one piece."""
    digest = hashlib.sha1()
    while size:
        piece = await client.read(min(size, MIB))
        digest.update(piece)
        size -= len(piece)
    return digest.digest()


@pytest.mark.parametrize("unable", ["", "full", "errno", "absent"])
def test_a_file_between_other_answers(
    run: Run, file: BinaryIO, path: Path, sent: list[int], monkeypatch: pytest.MonkeyPatch, unable: str
) -> None:
    def refuse(*args: int) -> int:
        raise BlockingIOError() if unable == "full" else OSError(errno.EINVAL, "not with this file")

    if unable == "absent":
        monkeypatch.delattr(os, "sendfile")
    elif unable:
        monkeypatch.setattr(os, "sendfile", refuse)

    async def main() -> None:
        async with listening(Sender(file)) as listener:
            client = await listener.connect()
            # Pipelined: what stands behind the file waits for it.
            await client.send(get("/1") + get("/file") + get("/2"))
            assert (await client.read_answer())[2] == b"/1"
            assert b"Content-Length: %d\r\n" % SIZE in await client.read_until(b"\r\n\r\n")
            assert await digest(client, SIZE) == digest_of(path)
            assert (await client.read_answer())[2] == b"/2"
            await client.send(get("/file", fields="Connection: close\r\n"))
            await client.read_until(b"\r\n\r\n")
            assert await digest(client, SIZE) == digest_of(path)
            assert await client.read_all() == b""

    run(main())
    # Copied is little: what a socket has no room for, time and again.
    assert unable or sum(sent) > SIZE


@pytest.mark.parametrize(("start", "end"), [(0, 1), (1, 65538), (12345, 5 * MIB + 1), (SIZE - 3, SIZE)])
def test_a_part_of_a_file(run: Run, file: BinaryIO, path: Path, start: int, end: int) -> None:
    async def main() -> None:
        async with listening(Sender(file, start, end - start)) as listener:
            client = await listener.connect()
            await client.send(get("/file") + get("/2"))
            await client.read_until(b"\r\n\r\n")
            assert await digest(client, end - start) == digest_of(path, start, end)
            assert (await client.read_answer())[2] == b"/2"

    run(main())


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_file_without_a_length(run: Run, file: BinaryIO, path: Path, sent: list[int], version: str) -> None:
    async def main() -> None:
        async with listening(Sender(file, 0, 200_000, sized=False)) as listener:
            client = await listener.connect()
            await client.send(get("/file", version=version, fields="Connection: close\r\n"))
            await client.read_until(b"\r\n\r\n")
            body = await client.read_all()
            if version == "1.1":
                assert not sent
                pieces = []
                while body:
                    size, _, body = body.partition(b"\r\n")
                    pieces.append(body[: int(size, 16)])
                    body = body[int(size, 16) + 2 :]
                body = b"".join(pieces)
            assert hashlib.sha1(body).digest() == digest_of(path, 0, 200_000)

    run(main())


def test_a_slow_client_costs_little_memory_and_is_not_cut_off(run: Run, file: BinaryIO, path: Path) -> None:
    async def main() -> None:
        most = 0
        async with listening(Sender(file), replace(DEFAULT_LIMITS, stall_timeout=1.0)) as listener:
            client = await listener.connect(receive_buffer=65536)
            await client.send(get("/file", fields="Connection: close\r\n"))
            await client.read_until(b"\r\n\r\n")
            seen = hashlib.sha1()
            for _ in range(12):
                # At last the kernel has it all, and the connection is gone here.
                most = max([most, *(connection.unsent() for connection in listener.keeper.connections)])
                seen.update(await client.read(SIZE // 12))
                await asyncio.sleep(0.1)
            assert seen.digest() == digest_of(path)
            assert await client.read_all() == b""
            assert 0 < most <= 2 * 65537

    run(main())


def test_a_client_that_stalls_is_cut_off(run: Run, file: BinaryIO, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zonda.general")
    sender = Sender(file)

    async def main() -> None:
        async with listening(sender, replace(DEFAULT_LIMITS, stall_timeout=0.2)) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send(get("/file"))
            await until(lambda: listener.keeper.connections)
            await listener.empty()
            await sender.ended()

    run(main())
    assert [type(error) for error in sender.errors] == [StreamClosedError]
    assert "the client does not read" in caplog.text


@pytest.mark.parametrize("waiting", [False, True])
def test_a_client_that_goes_away(run: Run, file: BinaryIO, waiting: bool) -> None:
    sender = Sender(file)

    async def main() -> None:
        async with listening(sender) as listener:
            client = await listener.connect(receive_buffer=4096 if waiting else 0)
            await client.send(get("/file"))
            await client.read_until(b"\r\n\r\n")
            if waiting:
                await until(lambda: listener.connection.unsent())
            client.sock.close()
            await listener.empty()
            await sender.ended()

    run(main())
    assert [type(error) for error in sender.errors] in ([StreamClosedError], [])
    assert sender.on_close == 1


def test_a_client_that_resets_in_the_middle_of_a_call(
    run: Run, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.sendfile

    def sendfile(out: int, source: int, offset: int, count: int) -> int:
        if offset > 4 * MIB:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        return real(out, source, offset, count)

    monkeypatch.setattr(os, "sendfile", sendfile)
    sender = Sender(file)

    async def main() -> None:
        async with listening(sender) as listener:
            client = await listener.connect()
            await client.send(get("/file"))
            with pytest.raises((ConnectionResetError, AssertionError)):
                await client.read(SIZE)
            await listener.empty()
            await sender.ended()

    run(main())
    (error,) = sender.errors
    assert isinstance(error, StreamClosedError) and isinstance(error.real_error, BrokenPipeError)


def test_a_file_that_is_shorter_than_announced(run: Run, file: BinaryIO) -> None:
    sender = Sender(file, SIZE - 100_000, 100_001)

    async def main() -> None:
        async with listening(sender) as listener:
            client = await listener.connect()
            await client.send(get("/file") + GET)
            await client.read_until(b"\r\n\r\n")
            with pytest.raises((ConnectionResetError, AssertionError)):
                await client.read(100_001)
            await listener.empty()
            await sender.ended()

    run(main())
    (error,) = sender.errors
    assert isinstance(error, HTTPOutputError) and "1 bytes less" in str(error)


def test_more_of_a_file_than_announced_is_not_sent(run: Run, file: BinaryIO) -> None:
    async def main() -> None:
        errors: list[Exception] = []

        async def send(exchange: Any) -> None:
            exchange.write_headers(
                ResponseStartLine("", 200, "OK"), HTTPHeaders({"Content-Length": "100000"})
            )
            try:
                await exchange.send_file(file, 0, 100_001)
            except HTTPOutputError as error:
                errors.append(error)

        tasks = set()
        async with listening(lambda exchange: tasks.add(asyncio.ensure_future(send(exchange)))) as listener:
            client = await listener.connect()
            await client.send(GET)
            head = await client.read_until(b"\r\n\r\n")
            assert b"100000" in head
            with pytest.raises((ConnectionResetError, AssertionError)):
                await client.read(100_001)
            await until(lambda: errors)

    run(main())


def test_others_have_their_turn_while_a_client_takes_all_at_once(
    run: Run, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    began = asyncio.Event()

    def sendfile(out: int, source: int, offset: int, count: int) -> int:
        calls.append(count)
        began.set()
        return count

    monkeypatch.setattr(os, "sendfile", sendfile)
    turns = 0

    async def main() -> None:
        nonlocal turns
        sender = Sender(file)
        async with listening(sender) as listener:
            client = await listener.connect()
            await client.send(get("/file"))
            await began.wait()
            while sender.tasks:
                turns += 1
                await asyncio.sleep(0)

    run(main())
    assert max(calls) <= MIB and turns >= SIZE // MIB / 2


def test_a_request_that_goes_bad_stops_the_file(
    run: Run, file: BinaryIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "zonda.general")
    sender = Sender(file)

    async def main() -> None:
        async with listening(sender) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send(CHUNKED.replace(b"POST /", b"POST /file"))
            await client.read_until(b"\r\n\r\n")
            await until(lambda: listener.connection.unsent())
            await client.send(b"no chunk\r\n")
            await until(lambda: "invalid chunk size" in caplog.text)
            with pytest.raises((ConnectionResetError, AssertionError)):
                await client.read(SIZE)
            await sender.ended()

    run(main())
    assert [type(error) for error in sender.errors] == [StreamClosedError]


def test_a_file_is_sent_behind_what_was_gathered(run: Run, file: BinaryIO, path: Path) -> None:
    """The connection's own `send_file`, while writes are gathered and while some wait in the transport."""
    start = path.read_bytes()[:1000]

    async def main() -> None:
        async with listening(lambda exchange: None) as listener:
            client = await listener.connect(receive_buffer=4096)
            await client.send(GET)
            await until(lambda: listener.keeper.connections and listener.connection.current)
            connection = listener.connection
            connection.cork()
            connection.write(HELLO)
            size = connection.send_file(file, 0, 1000)
            if not size:
                # A loop that writes at the end of the turn: until then nothing may overtake it.
                assert connection.unsent()
                await until(lambda: not connection.unsent())
                size = connection.send_file(file, 0, 1000)
            connection.write(b"end")
            data = await client.read(len(HELLO) + size + 3)
            assert data == HELLO + start[:size] + b"end" and size
            while not connection.unsent():
                connection.write(b"x" * MIB)
            # A client that reads makes room in the kernel before the transport is told of it.
            await client.receive()
            assert connection.send_file(file, 0, 1000) == 0
            connection.abort()
            with pytest.raises(StreamClosedError):
                connection.send_file(file, 0, 1000)

    run(main())
