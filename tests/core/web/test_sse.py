"""Streams of events that a handler writes itself."""

import asyncio

import pytest

from tests.core.channels.doors.asking import serving, until
from tests.core.net.loops import FACTORIES, runner
from zonda import web
from zonda.channels import Hub
from zonda.iostream import StreamClosedError


@pytest.fixture(params=sorted(FACTORIES))
def run(request):
    return runner(FACTORIES[request.param])


class Streams(web.RequestHandler):
    def initialize(self, hub):
        pass


async def whole(stream):
    body = b""
    while chunk := await stream.connection.chunk():
        body += chunk
    return body


def test_events_are_sent_as_they_are_written(run):
    class Numbers(Streams):
        async def get(self):
            begin = int(self.last_event_id or 0)
            for number in range(begin + 1, begin + 3):
                await self.send_event(f"{number}\nlines", event="number", id=str(number))
            await self.send_event({"done": True}, retry=100)

    async def main():
        async with serving(Hub("local://"), Numbers, compress_response=True) as served:
            stream = await served.stream({}, Accept_Encoding="gzip")
            assert stream.headers["content-type"] == "text/event-stream"
            assert stream.headers["cache-control"] == "no-store"
            assert stream.headers["x-accel-buffering"] == "no"
            assert await whole(stream) == (
                b"id: 1\nevent: number\ndata: 1\ndata: lines\n\n"
                b"id: 2\nevent: number\ndata: 2\ndata: lines\n\n"
                b'retry: 100\ndata: {"done": true}\n\n'
            )
            again = await served.stream({}, Last_Event_ID="2")
            assert b"id: 3\n" in await whole(again)

    run(main())


def test_the_head_goes_before_the_first_event(run):
    class Silent(Streams):
        async def get(self):
            self.set_header("X-Ours", "yes")
            await self.start_sse()
            await self.settings["go"].wait()

    async def main():
        go = asyncio.Event()
        async with serving(Hub("local://"), Silent, go=go) as served:
            stream = await served.stream({})
            assert (stream.status, stream.headers["x-ours"]) == (200, "yes")
            go.set()
            assert await whole(stream) == b""

    run(main())


def test_who_writes_learns_that_the_client_is_gone(run):
    ends = []

    class Endless(Streams):
        async def get(self):
            try:
                while True:
                    await self.send_event("x" * 10_000)
            except StreamClosedError as error:
                ends.append(error)

    async def main():
        async with serving(Hub("local://"), Endless) as served:
            stream = await served.stream({})
            await stream.connection.chunk()
            stream.connection.close()
            await until(lambda: ends)

    run(main())


def test_what_was_begun_otherwise_is_no_stream_and_what_is_no_event_is_not_sent(run):
    class Wrong(Streams):
        async def get(self):
            with pytest.raises(ValueError, match="id of an event"):
                self.send_event("x", id="1\n2")
            self.write("not a stream")
            await self.flush()
            with pytest.raises(RuntimeError, match="begins with its head"):
                self.start_sse()

    async def main():
        async with serving(Hub("local://"), Wrong) as served:
            stream = await served.stream({})
            assert stream.headers["content-type"].startswith("text/html")
            assert await whole(stream) == b"not a stream"

    run(main())
