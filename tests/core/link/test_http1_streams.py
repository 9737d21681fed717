"""Tornado's `HTTP1Connection` over streams: both sides, pipelined requests, what is left on the stream."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable
from typing import Any

import pytest

from zonda.http1connection import (
    HTTP1Connection,
    HTTP1ConnectionParameters,
    HTTP1ServerConnection,
    is_transfer_encoding_chunked,
    parse_hex_int,
    parse_int,
)
from zonda.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPOutputError,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from zonda.iostream import IOStream


class Collector(HTTPMessageDelegate):
    """Remembers a message."""

    def __init__(self) -> None:
        self.start_line: Any = None
        self.headers: Any = None
        self.body = b""
        self.ends: list[str] = []

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self.start_line = start_line
        self.headers = headers

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self.body += chunk
        return None

    def finish(self) -> None:
        self.ends.append("finish")

    def on_connection_close(self) -> None:
        self.ends.append("close")


class Echo(HTTPServerConnectionDelegate):
    """Answers each request with its method, path and body."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        class Message(Collector):
            def finish(self) -> None:
                text = f"{self.start_line.method} {self.start_line.path} ".encode() + self.body
                headers = HTTPHeaders({"Content-Length": str(len(text))})
                request_conn.write_headers(ResponseStartLine("", 200, "OK"), headers, text)
                request_conn.finish()

        return Message()

    def on_close(self, server_conn: object) -> None:
        self.closed.set()


def pair() -> tuple[IOStream, IOStream]:
    ours, theirs = socket.socketpair()
    return IOStream(ours), IOStream(theirs)


def run(main: Any) -> None:
    asyncio.run(asyncio.wait_for(main, 10))


def test_a_request_and_its_answer() -> None:
    async def main() -> None:
        client, server = pair()
        echo = Echo()
        serving = HTTP1ServerConnection(server)
        serving.start_serving(echo)
        for method, body in (("GET", b""), ("POST", b"abc"), ("POST", b"d" * 200_000)):
            connection = HTTP1Connection(client, True)
            connection.write_headers(RequestStartLine(method, "/x", ""), HTTPHeaders({"Host": "a"}))
            if body:
                await connection.write(body)
            connection.finish()
            answer = Collector()
            assert await connection.read_response(answer)
            assert answer.body == f"{method} /x ".encode() + body and answer.ends == ["finish"]
        await serving.close()
        assert echo.closed.is_set()
        client.close()

    run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        client, server = pair()
        echo = Echo()
        HTTP1ServerConnection(server).start_serving(echo)
        get = b"GET /%d HTTP/1.1\r\nHost: a\r\n%b\r\n"
        await client.write(get % (1, b"") + get % (2, b"") + get % (3, b"Connection: close\r\n"))
        answers = await client.read_until_close()
        assert [answers.index(b"GET /%d" % i) for i in (1, 2, 3)] == sorted(
            answers.index(b"GET /%d" % i) for i in (1, 2, 3)
        )
        await echo.closed.wait()

    run(main())


@pytest.mark.parametrize(
    "bad",
    [
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n",
        b"GET /bad HTTP/1.1\nHost: a\n\n",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /bad HTTP/1.1\r\n\r\n",
        b"GET /bad HTTP/2.0\r\nHost: a\r\n\r\n",
    ],
)
def test_nothing_is_read_behind_a_bad_request(bad: bytes) -> None:
    async def main() -> None:
        client, server = pair()
        echo = Echo()
        HTTP1ServerConnection(server).start_serving(echo)
        await client.write(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + bad + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        answers = await client.read_until_close()
        assert answers.count(b"HTTP/1.1 200 OK") == 1 and b"GET /1 " in answers
        assert answers.count(b"HTTP/1.1 400 ") == 1 and b"/2" not in answers
        await echo.closed.wait()

    run(main())


@pytest.mark.parametrize("packed", [gzip.compress(bytes(100_000)), gzip.compress(bytes(1000)) * 100])
def test_a_bomb_is_bounded(packed: bytes) -> None:
    async def main() -> None:
        for limit, fits in ((100_000, True), (99_999, False)):
            client, server = pair()
            params = HTTP1ConnectionParameters(decompress=True, max_body_size=limit, chunk_size=1000)
            head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
            await server.write(head + packed)
            answer = Collector()
            await HTTP1Connection(client, True, params).read_response(answer)
            assert (answer.ends == ["finish"]) == fits and len(answer.body) <= limit
            client.close()
            server.close()

    run(main())


def test_what_follows_a_message_stays_on_the_stream() -> None:
    async def main() -> None:
        client, server = pair()
        connection = HTTP1Connection(client, True)

        class Detaching(Collector):
            def finish(self) -> None:
                super().finish()
                connection.detach()

        await server.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nnext")
        answer = Detaching()
        assert await connection.read_response(answer) is False
        assert answer.body == b"a" and answer.ends == ["finish"]
        assert await client.read_bytes(4) == b"next"
        client.close()
        server.close()

    run(main())


@pytest.mark.parametrize("size", [2, 70_000])
def test_bodies_are_bounded_both_ways_of_framing(size: int) -> None:
    async def main() -> None:
        for head, body in (
            (b"Content-Length: %d\r\n" % size, b"x" * size),
            (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)),
            (b"", b"x" * size),
        ):
            for limit, fits in ((size, True), (size - 1, False)):
                client, server = pair()
                params = HTTP1ConnectionParameters(max_body_size=limit)
                writing = server.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)
                answer = Collector()
                reading = HTTP1Connection(client, True, params).read_response(answer)
                server.close() if not head else None
                await reading
                assert (answer.ends == ["finish"]) == fits, (head, limit)
                writing.cancel()
                client.close()
                server.close()

    run(main())


def test_time_to_read_is_bounded() -> None:
    async def main() -> None:
        for params, data in (
            (HTTP1ConnectionParameters(header_timeout=0.02), b"HTTP/1.1 200"),
            (HTTP1ConnectionParameters(body_timeout=0.02), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"),
        ):
            client, server = pair()
            await server.write(data)
            answer = Collector()
            assert await HTTP1Connection(client, True, params).read_response(answer) is False
            assert answer.ends == ["close"] and client.closed()
            server.close()

    run(main())


def test_what_is_written_cannot_be_split_or_miscounted() -> None:
    async def main() -> None:
        client, server = pair()
        connection = HTTP1Connection(client, True)
        with pytest.raises(ValueError, match="header"):
            connection.write_headers(RequestStartLine("GET", "/", ""), HTTPHeaders({"X": "a\r\nb"}))
        connection.write_headers(
            RequestStartLine("PUT", "/", ""), HTTPHeaders({"Content-Length": "3"}), b"ab"
        )
        with pytest.raises(HTTPOutputError):
            connection.finish()
        with pytest.raises(HTTPOutputError):
            connection.write(b"cd")
        client.close()
        server.close()

    run(main())


def test_integers_are_ascii_digits() -> None:
    assert parse_int("0012") == 12 and parse_hex_int("fF") == 255
    for bad in ("", "+1", "-1", " 1", "1_0", "0x1", "¹", "१"):
        with pytest.raises(ValueError):
            parse_int(bad)
        with pytest.raises(ValueError):
            parse_hex_int(bad)


def test_transfer_encoding() -> None:
    assert not is_transfer_encoding_chunked(HTTPHeaders())
    assert is_transfer_encoding_chunked(HTTPHeaders({"Transfer-Encoding": "Chunked"}))
    for bad in (
        {"Transfer-Encoding": "gzip, chunked"},
        {"Transfer-Encoding": "chunked", "Content-Length": "1"},
    ):
        with pytest.raises(HTTPInputError):
            is_transfer_encoding_chunked(HTTPHeaders(bad))
