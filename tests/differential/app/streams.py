"""Bodies as they arrive, answers in pieces, waiting handlers, connections taken over."""

import asyncio
from typing import Any

from package import RequestHandler, gen, web
from records import Records


class WaitHandler(RequestHandler):
    """A coroutine of each kind; the body says which methods ran."""

    async def get(self, how: str = "") -> None:
        await asyncio.sleep(0)
        self.write("a")
        if how == "flush":
            await self.flush()
        await asyncio.sleep(0)
        self.write("b")
        if how == "finish":
            await self.finish("c")

    @gen.coroutine
    def post(self, how: str = "") -> Any:
        yield gen.moment
        self.write("yielded")

    async def put(self, how: str = "") -> str:
        return "ignored"


class PiecesHandler(RequestHandler):
    async def get(self, count: str) -> None:
        for n in range(int(count)):
            self.write(f"piece {n}\n")
            await self.flush()

    head = get


class DetachHandler(RequestHandler):
    async def get(self) -> None:
        stream = self.detach()
        await stream.write(b"HTTP/1.1 299 Detached\r\nContent-Length: 2\r\n\r\nok")
        stream.close()


class BodyHandler(RequestHandler):
    """Holds the body whole and says its length, in a coroutine."""

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.write(f"{len(self.request.body)}")

    put = post


def routes(records: Records) -> list[Any]:
    @web.stream_request_body  # type: ignore[misc]
    class StreamHandler(RequestHandler):
        """`/stream/HOW`: bytes counted as they come."""

        def prepare(self) -> None:
            self.received = b""
            records.note(f"prepare {self.request.body!r}")
            how = self.path_args[0]
            if how == "early":
                self.finish("early")
            elif how == "refuse":
                raise web.HTTPError(401)
            elif how == "small":
                self.request.connection.set_max_body_size(10)
            elif how == "large":
                self.request.connection.set_max_body_size(5_000)

        async def data_received(self, chunk: bytes) -> None:
            if self.path_args[0] == "wait":
                await asyncio.sleep(0)
            if self.path_args[0] == "fail":
                raise RuntimeError("broken")
            if self.path_args[0] == "http":
                raise web.HTTPError(418)
            self.received += chunk

        def post(self, how: str) -> None:
            self.write(f"{len(self.received)} {self.received[:20]!r} {self.get_argument('a', '-')}")

        put = get = post

        def on_finish(self) -> None:
            records.note("on_finish")

        def on_connection_close(self) -> None:
            records.note("on_connection_close")

    @web.stream_request_body  # type: ignore[misc]
    class AsyncPrepareHandler(RequestHandler):
        async def prepare(self) -> None:
            self.received = 0
            await asyncio.sleep(0)
            records.note("prepared")

        def data_received(self, chunk: bytes) -> None:
            self.received += len(chunk)

        async def post(self) -> None:
            await asyncio.sleep(0)
            self.write(f"{self.received}")

    class NoDataReceived(RequestHandler):
        def post(self) -> None:
            self.write("posted")

    return [
        (r"/wait(?:/(\w+))?", WaitHandler),
        (r"/pieces/(\d+)", PiecesHandler),
        (r"/detach", DetachHandler),
        (r"/body", BodyHandler),
        (r"/stream/(\w+)", StreamHandler),
        (r"/streamlater", AsyncPrepareHandler),
        (r"/nodata", web.stream_request_body(NoDataReceived)),
    ]
