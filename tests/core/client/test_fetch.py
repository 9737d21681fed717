"""Fetches: bounds, bodies both ways, times, and what they leave behind."""

import asyncio
import gc
import gzip
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.client.servers import OK, Server, saying, serving
from tests.core.net.loops import Run
from zonda.httpclient import AsyncHTTPClient, HTTPRequest
from zonda.httputil import HTTPOutputError
from zonda.iostream import UnsatisfiableReadError
from zonda.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError, SimpleAsyncHTTPClient


def client_of(**kwargs: Any) -> Any:
    return SimpleAsyncHTTPClient(force_instance=True, **kwargs)


def fetch(run: Run, answer: Any, *, client: dict[str, Any] | None = None, **kwargs: Any) -> Any:
    async def main() -> Any:
        async with serving(answer) as server:
            own = client_of(**(client or {}))
            try:
                return await own.fetch(server.url + "/", **kwargs), server
            finally:
                own.close()

    return run(main())


def zipped(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


# ---- responses: bounds


def test_decompressed_size_is_bounded(run: Run) -> None:
    with pytest.raises(HTTPStreamClosedError, match="decompressed body too large"):
        fetch(run, saying(zipped(gzip.compress(b"a" * 100_000))), client={"max_body_size": 99_999})


def test_many_members_are_one_bound(run: Run) -> None:
    with pytest.raises(HTTPStreamClosedError, match="decompressed body too large"):
        fetch(run, saying(zipped(gzip.compress(b"a" * 1000) * 100)), client={"max_body_size": 99_999})


def test_a_bomb_is_streamed_flat_and_leaves_the_loop_its_turns(run: Run) -> None:
    bomb = zipped(gzip.compress(bytes(64 * 1024 * 1024)))
    seen = turns = 0

    def take(chunk: bytes) -> None:
        nonlocal seen
        seen += len(chunk)

    async def main() -> None:
        nonlocal turns
        async with serving(saying(bomb)) as server:
            client = client_of()
            fetching = client.fetch(server.url, streaming_callback=take)
            while not fetching.done():
                turns += 1
                await asyncio.sleep(0)
            await fetching
            client.close()

    tracemalloc.start()
    run(main())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 64 * 1024 * 1024
    assert peak < 8 * 1024 * 1024
    assert turns > 40


def test_a_slow_callback_holds_the_server_back(run: Run) -> None:
    sent = 0

    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1000):
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536
        return False

    async def main() -> None:
        begun = asyncio.Event()
        go_on = asyncio.Event()
        seen = 0

        async def take(chunk: bytes) -> None:
            nonlocal seen
            seen += len(chunk)
            begun.set()
            await go_on.wait()

        async with serving(answer) as server:
            client = client_of()
            fetching = client.fetch(server.url, streaming_callback=take)
            await begun.wait()
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.05)
            # The kernel's buffers on both sides, and one read.
            assert sent < 20 * 1024 * 1024
            go_on.set()
            await fetching
            assert seen == 65536000
            client.close()

    run(main())


def test_a_head_too_large(run: Run) -> None:
    with pytest.raises(UnsatisfiableReadError, match="headers too large"):
        fetch(run, saying(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2000), client={"max_header_size": 1000})


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ],
)
def test_malformed(run: Run, answer: bytes) -> None:
    with pytest.raises(HTTPStreamClosedError):
        fetch(run, saying(answer))


# ---- requests


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "a\0b"])
def test_nothing_splits_a_request(run: Run, bad: str) -> None:
    for kwargs in ({"headers": {"X": bad}}, {"headers": {bad: "x"}}, {"user_agent": bad}):
        with pytest.raises(ValueError, match="header"):
            fetch(run, saying(OK), **kwargs)
    with pytest.raises(ValueError, match="method"):
        fetch(run, saying(OK), method=bad, allow_nonstandard_methods=True)


def test_targets_are_encoded(run: Run) -> None:
    async def main() -> None:
        async with serving(saying(OK)) as server:
            client = client_of()
            await client.fetch(server.url + "/ü x?q=é#fragment")
            await client.fetch(server.url + "?q")
            client.close()
            lines = [head.split(b"\r\n")[0] for head in server.heads]
            assert lines == [b"GET /%C3%BC%20x?q=%C3%A9 HTTP/1.1", b"GET /?q HTTP/1.1"]

    run(main())


def test_a_large_body_is_sent_in_pieces(run: Run) -> None:
    size = 5_000_000

    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        body = await reader.readexactly(size)
        assert body == bytes(size)
        writer.write(OK)

    response, server = fetch(run, answer, method="PUT", body=bytes(size))
    assert response.body == b"ok" and b"Content-Length: 5000000" in server.heads[0]


def test_an_answer_before_the_body_ends_the_body(run: Run) -> None:
    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def produce(write: Callable[[bytes], Any]) -> None:
        await write(b"first")
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with serving(answer) as server:
            client = client_of()
            response = await client.fetch(server.url, method="POST", body_producer=produce, raise_error=False)
            assert response.code == 413 and len(client._pool) == 0
            client.close()

    run(main())


@pytest.mark.parametrize("chunks", [[b"12"], [b"12", b"3456"]])
def test_a_body_of_another_length_than_announced(run: Run, chunks: list[bytes]) -> None:
    async def produce(write: Callable[[bytes], Any]) -> None:
        for chunk in chunks:
            await write(chunk)

    with pytest.raises(HTTPOutputError, match="Content-Length"):
        fetch(run, saying(), method="POST", body_producer=produce, headers={"Content-Length": "4"})


def test_expect(run: Run) -> None:
    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        assert b"Expect: 100-continue" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await reader.readexactly(3) == b"abc"
        writer.write(OK)

    response, _ = fetch(run, answer, method="POST", body=b"abc", expect_100_continue=True)
    assert response.body == b"ok"


# ---- times


def test_time_outs_name_their_phase(run: Run) -> None:
    async def silent(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with serving(silent) as server:
            client = client_of(max_clients=1)
            first = client.fetch(server.url, request_timeout=0.1)
            with pytest.raises(HTTPTimeoutError, match=r"^Timeout in request queue$"):
                await client.fetch(server.url, connect_timeout=0.05)
            with pytest.raises(HTTPTimeoutError, match=r"^Timeout during request$"):
                await first
            assert not client.active and not client.queue
            client.close()

    run(main())


def test_a_connection_that_was_timed_out_is_closed(run: Run) -> None:
    async def silent(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        assert await reader.read(1) == b""
        gone.set()
        return False

    gone = asyncio.Event()

    async def main() -> None:
        async with serving(silent) as server:
            client = client_of()
            with pytest.raises(HTTPTimeoutError):
                await client.fetch(server.url, request_timeout=0.05)
            await gone.wait()
            client.close()

    run(main())


# ---- the interface of 2009, and what is left behind


def test_callback_in_place_of_raise_error(run: Run) -> None:
    seen: list[Any] = []

    async def main() -> None:
        async with serving(saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as server:
            client = client_of()
            await client.fetch(server.url, seen.append)
            await client.fetch(server.url, callback=seen.append)
            await client.fetch(HTTPRequest("http://127.0.0.1:1/"), seen.append)
            client.close()

    run(main())
    assert [response.code for response in seen] == [404, 404, 599]
    assert isinstance(seen[2].error, ConnectionRefusedError)


@pytest.mark.parametrize(
    "answer", [OK, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", zipped(gzip.compress(b"x"))]
)
def test_no_cycles(run: Run, answer: bytes) -> None:
    async def main() -> list[str]:
        async with serving(saying(answer)) as server:
            client = client_of()
            for _ in range(3):
                await client.fetch(server.url, raise_error=False)
            gc.collect()
            gc.disable()
            gc.set_debug(gc.DEBUG_SAVEALL)
            try:
                for _ in range(3):
                    await client.fetch(server.url, raise_error=False)
                await asyncio.sleep(0)
                gc.collect()
                return [repr(type(thing)) for thing in gc.garbage]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()
                client.close()

    assert run(main()) == []


def test_a_closed_client_fetches_nothing(run: Run) -> None:
    async def main() -> None:
        client = AsyncHTTPClient()
        assert AsyncHTTPClient() is client
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.fetch("http://127.0.0.1/")
        assert AsyncHTTPClient() is not client
        AsyncHTTPClient().close()

    run(main())
