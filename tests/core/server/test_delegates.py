"""Tornado's delegates and plain callbacks on exchanges: what they are told, and what their failures do."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.link.harness import CHUNKED, GET, get, post, until
from tests.core.net.loops import Run
from tests.core.server.serving import LAST, ask, hello, serving
from zonda.httpserver import HTTPServer
from zonda.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)


class Recorder(HTTPServerConnectionDelegate):
    """Says all that it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.connections: list[object] = []
        self.wait_for: Callable[[str], Any] = lambda what: None

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        self.connections.append(server_conn)
        return RecordedMessage(self, request_conn)

    def on_close(self, server_conn: object) -> None:
        self.told.append("closed")
        assert server_conn in self.connections


class RecordedMessage(HTTPMessageDelegate):
    def __init__(self, recorder: Recorder, connection: HTTPConnection) -> None:
        self._recorder = recorder
        self._connection = connection

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
        self._recorder.told.append((start_line.method, start_line.path, headers.get("X")))
        return self._recorder.wait_for("head")

    def data_received(self, chunk: bytes) -> Any:
        self._recorder.told.append(chunk)
        return self._recorder.wait_for("data")

    def finish(self) -> None:
        self._recorder.told.append("finish")
        self._connection.write_headers(
            ResponseStartLine("", 200, ""), HTTPHeaders({"Content-Length": "2"}), b"ok"
        )
        self._connection.finish()

    def on_connection_close(self) -> None:
        self._recorder.told.append("gone")


def test_a_delegate_is_told_of_each_part_in_order(run: Run) -> None:
    async def main() -> None:
        recorder = Recorder()
        async with serving(recorder, chunk_size=4) as server:
            client = await server.connect()
            await client.send(get("/a", "X: y\r\n") + post(b"hello") + CHUNKED + b"1\r\nx\r\n0\r\n\r\n")
            for _ in range(3):
                assert (await client.read_answer())[2] == b"ok"
            assert len(set(map(id, recorder.connections))) == 1
            client.sock.close()
            await until(lambda: "closed" in recorder.told)
        assert recorder.told == [
            ("GET", "/a", "y"),
            "finish",
            ("POST", "/", None),
            b"hell",
            b"o",
            "finish",
            ("POST", "/", None),
            b"x",
            "finish",
            "closed",
        ]

    run(main())


@pytest.mark.parametrize("slow", ["head", "data"])
def test_a_delegate_may_wait(run: Run, slow: str) -> None:
    async def main() -> None:
        recorder = Recorder()

        def wait_for(what: str) -> Any:
            async def wait() -> None:
                await asyncio.sleep(0.01)
                recorder.told.append(f"{what} done")

            return wait() if what == slow else None

        recorder.wait_for = wait_for
        async with serving(recorder) as server:
            client = await server.connect()
            await client.send(get() + post(b"abc"))
            for _ in range(2):
                assert (await client.read_answer())[2] == b"ok"
        if slow == "head":
            expected = [
                ("GET", "/", None),
                "head done",
                "finish",
                ("POST", "/", None),
                "head done",
                b"abc",
                "finish",
            ]
        else:
            expected = [("GET", "/", None), "finish", ("POST", "/", None), b"abc", "data done", "finish"]
        assert recorder.told[: len(expected)] == expected

    run(main())


@pytest.mark.parametrize("where", ["head", "data"])
@pytest.mark.parametrize("later", [False, True])
def test_a_delegate_that_fails_ends_its_connection_and_no_other(
    run: Run, where: str, later: bool, expect_log: Any
) -> None:
    expected = expect_log("zonda.application", "Uncaught exception")

    async def main() -> None:
        recorder = Recorder()

        def wait_for(what: str) -> Any:
            async def fail() -> None:
                raise RuntimeError("no")

            if what != where:
                return None
            if later:
                return fail()
            raise RuntimeError("no")

        recorder.wait_for = wait_for
        async with serving(recorder) as server:
            client = await server.connect()
            await client.send(post(b"abc"))
            try:
                assert await client.read_all() == b""
            except ConnectionResetError:
                pass
            await until(lambda: recorder.told[-1] == "closed")
            assert recorder.told[-2] == "gone" and "finish" not in recorder.told
            recorder.wait_for = lambda what: None
            client = await server.connect()
            await client.send(GET)
            assert (await client.read_answer())[2] == b"ok"

    run(main())
    assert len(expected.records) == 1


@pytest.mark.parametrize("later", [False, True])
def test_a_delegate_may_refuse_its_input(run: Run, later: bool) -> None:
    async def main() -> None:
        recorder = Recorder()

        def wait_for(what: str) -> Any:
            async def fail() -> None:
                raise HTTPInputError("not so")

            if later:
                return fail()
            raise HTTPInputError("not so")

        recorder.wait_for = wait_for
        async with serving(recorder) as server:
            client = await server.connect()
            await client.send(post(b"abc"))
            assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")
            assert "finish" not in recorder.told

    run(main())


def test_a_server_may_wrap_its_delegate(run: Run) -> None:
    class Wrapping(HTTPServer):
        started = 0
        ended = 0

        def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
            type(self).started += 1
            return super().start_request(server_conn, request_conn)

        def on_close(self, server_conn: object) -> None:
            type(self).ended += 1
            super().on_close(server_conn)

    async def main() -> None:
        for callback in (hello, Recorder()):
            async with serving(callback, cls=Wrapping) as server:
                client = await server.connect()
                await client.send(GET + post(b"x"))
                await client.read_answer()
                await client.read_answer()
        assert Wrapping.started == 4 and Wrapping.ended == 2

    run(main())


def test_a_callback_that_fails_ends_its_connection_and_no_other(run: Run, expect_log: Any) -> None:
    expect_log("zonda.application", "Uncaught exception")

    async def main() -> None:
        def serve(request: HTTPServerRequest) -> None:
            if request.path == "/bad":
                raise RuntimeError("no")
            hello(request)

        async with serving(serve) as server:
            client = await server.connect()
            await client.send(get("/bad"))
            try:
                assert await client.read_all() == b""
            except ConnectionResetError:
                pass
            assert (await ask(server, LAST))[0].endswith(b"hello")

    run(main())


def test_a_form_past_its_bound_is_refused(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with serving(hello) as server:
            body = b"&".join(b"a=%d" % i for i in range(1001))
            fields = "Content-Type: application/x-www-form-urlencoded\r\n"
            data, _ = await ask(server, post(body, fields))
            assert data.startswith(b"HTTP/1.1 400 ")
            data, _ = await ask(server, get("/?" + body.decode()))
            assert data.startswith(b"HTTP/1.1 400 ")

    run(main())
    assert len([r for r in caplog.records if r.name.startswith("zonda")]) == 2
