"""`Http1Exchange`: how answers are framed, and what the application may not send."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.link.harness import GET, answer, get, listening, post, until
from tests.core.net.loops import Run
from zonda._core.link.exchange import Exchange
from zonda._core.net.errors import StreamClosedError
from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import ResponseStartLine

OK = ResponseStartLine("", 200, "OK")


def exchanged(run: Run, serve: Callable[[Any], None], request: bytes) -> bytes:
    """All that comes back for a request of a client that then ends its side."""

    async def main() -> bytes:
        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(request)
            client.end_sending()
            return await client.read_all()

    data = run(main())
    assert isinstance(data, bytes)
    return data


def written(*pieces: bytes, status: int = 200, **fields: str) -> Callable[[Any], None]:
    def serve(exchange: Any) -> None:
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        exchange.write_headers(ResponseStartLine("", status, ""), HTTPHeaders(names))
        for piece in pieces:
            exchange.write(piece)
        exchange.finish()

    return serve


def test_7_1_an_answer_without_length_is_chunked(run: Run) -> None:
    assert exchanged(run, written(b"ab", b"", b"c" * 20), GET) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nab\r\n14\r\n" + b"c" * 20 + b"\r\n0\r\n\r\n"
    )


def test_6_3_an_answer_to_http_1_0_ends_with_the_connection(run: Run) -> None:
    request = get(version="1.0", fields="Connection: keep-alive\r\n")
    assert exchanged(run, written(b"ab", b"cd"), request + request) == b"HTTP/1.1 200 OK\r\n\r\nabcd"


def test_6_2_an_answer_with_length(run: Run) -> None:
    assert exchanged(run, written(b"ab", b"cd", Content_Length="4"), GET * 2) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd" * 2
    )


@pytest.mark.parametrize("coding", ["chunked", "gzip", "gzip, chunked"])
def test_6_1_how_an_answer_is_framed_is_not_the_applications_to_say(run: Run, coding: str) -> None:
    # Found by comparing with Tornado: the pieces went out bare behind a head that said chunked.
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
    assert exchanged(run, written(b"ab", Transfer_Encoding=coding), GET) == chunked
    assert exchanged(run, written(b"ab", Transfer_Encoding=coding, Content_Length="2"), GET) == sized
    old = get(version="1.0")
    assert exchanged(run, written(b"ab", Transfer_Encoding=coding), old) == b"HTTP/1.1 200 OK\r\n\r\nab"

    def serve(exchange: Exchange) -> None:
        exchange.respond(200, "", {"Transfer-Encoding": coding, "Content-Length": "2"}, b"ab")

    assert exchanged(run, serve, GET) == sized


@pytest.mark.parametrize("status", [204, 304])
def test_6_3_answers_without_a_body(run: Run, status: int) -> None:
    data = exchanged(run, written(b"ignored", status=status), GET + GET)
    assert data.count(b"HTTP/1.1 ") == 2 and b"ignored" not in data and b"chunked" not in data

    def serve(exchange: Exchange) -> None:
        exchange.respond(status, "", {}, b"ignored")

    data = exchanged(run, serve, GET + GET)
    assert data.count(b"HTTP/1.1 ") == 2 and b"ignored" not in data


def test_6_3_an_answer_to_head_has_no_body(run: Run) -> None:
    head = get().replace(b"GET", b"HEAD")
    assert exchanged(run, answer, head + head) == b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" * 2
    assert exchanged(run, written(b"abcd", Content_Length="4"), head * 2) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" * 2
    )
    # Without a length the head is the whole answer too.
    assert exchanged(run, written(b"abcd"), head) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_an_interim_answer_may_come_first(run: Run) -> None:
    def serve(exchange: Any) -> None:
        exchange.write_headers(ResponseStartLine("", 103, ""), HTTPHeaders({"Link": "</a>"}))
        answer(exchange)

    assert exchanged(run, serve, GET) == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n/"
    )


@pytest.mark.parametrize(
    ("pieces", "length"), [([b"abc"], "2"), ([b"ab", b"c"], "2"), ([b"a"], "2"), ([], "2"), ([], "+1")]
)
def test_6_2_an_answer_is_as_long_as_it_says(run: Run, pieces: list[bytes], length: str) -> None:
    errors: list[Exception] = []

    def serve(exchange: Any) -> None:
        try:
            written(*pieces, Content_Length=length)(exchange)
        except HTTPOutputError as error:
            errors.append(error)
            exchange.abort()

    async def main() -> None:
        async with listening(serve) as listener:
            client = await listener.connect()
            await client.send(GET + GET)
            try:
                # Whatever comes, it does not look whole, and nothing follows it.
                assert (await client.read_all()).count(b"HTTP/1.1") <= 1
            except ConnectionResetError:
                pass
            await listener.empty()
        assert len(errors) == 1

    run(main())


def test_an_answer_that_splits_is_not_sent(run: Run) -> None:
    errors: list[str] = []

    def serve(exchange: Any) -> None:
        for attempt in (
            lambda: exchange.respond(302, "Found", {"Location": "/\r\nX: y"}, b""),
            lambda: exchange.respond(200, "OK\r\nX: y", {}, b""),
            lambda: exchange.write_headers(ResponseStartLine("", 200, "a\nb"), HTTPHeaders()),
        ):
            with pytest.raises(ValueError) as caught:
                attempt()
            errors.append(str(caught.value))
        exchange.respond(500, "", {"Content-Length": "0"}, b"")

    data = exchanged(run, serve, GET)
    assert data == b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    assert len(errors) == 3


def test_nothing_is_sent_to_who_has_gone(run: Run) -> None:
    async def main() -> None:
        kept: list[Any] = []
        async with listening(kept.append) as listener:
            client = await listener.connect()
            await client.send(GET)
            await until(lambda: kept)
            exchange = kept[0]
            exchange.abort()
            for future in (
                exchange.write_headers(OK, HTTPHeaders()),
                exchange.write(b"x"),
                exchange.drained(),
            ):
                with pytest.raises(StreamClosedError):
                    await future
            await listener.empty()
            with pytest.raises(StreamClosedError):
                await exchange.write(b"x")
            with pytest.raises(StreamClosedError):
                answer(exchange)
            exchange.finish()

    run(main())


def test_an_application_may_ask_for_the_end_of_the_connection(run: Run) -> None:
    def serve(exchange: Exchange) -> None:
        exchange.respond(200, "OK", {"Content-Length": "0", "Connection": "Close"}, b"")

    assert exchanged(run, serve, GET + post(b"x")) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n"
    )
