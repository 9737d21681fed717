"""Ordinary requests leave no reference cycles: what they made is freed when they end, by counting alone."""

import asyncio
import gc
from collections import Counter

import pytest
import uvloop

from tests.serving import serving
from zonda import web


async def garbage_of(application, request: bytes, times: int = 3) -> Counter[str]:
    """The objects, by type, that only the cycle collector could free after `request` was answered."""
    async with serving(application) as exchange:
        for _ in range(times):  # what is made once and kept is no garbage
            answer = await exchange(request)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(times):
                assert (await exchange(request)).split(b"\r\n")[0] == answer.split(b"\r\n")[0]
            await asyncio.sleep(0)  # what the answered request still has scheduled
            gc.collect()
            return Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


class Main(web.RequestHandler):
    def get(self):
        self.set_cookie("seen", "yes")
        self.write({"hello": self.get_argument("name", "world")})

    async def put(self):
        await asyncio.sleep(0)
        self.write("done")

    def post(self):
        self.write(self.get_body_argument("text"))


class Cycle(web.RequestHandler):
    def get(self):
        self.me = self
        self.write("I am")


APPLICATION = web.Application([("/", Main), ("/cycle", Cycle)])

REQUESTS = {
    "GET": b"GET /?name=ada HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n",
    "coroutine": b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
    "POST": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 9\r\n\r\ntext=body",
    "404": b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("kind", REQUESTS)
def test_an_ordinary_request_leaves_no_cycle(kind, loop_factory, expect_log):
    if kind == "404":
        expect_log("zonda.access", "404")
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(garbage_of(APPLICATION, REQUESTS[kind])) == {}


def test_a_cycle_is_found():
    with asyncio.Runner() as runner:
        found = runner.run(
            garbage_of(APPLICATION, b"GET /cycle HTTP/1.1\r\nHost: localhost\r\n\r\n", times=3)
        )
    assert found[f"{__name__}.Cycle"] == 3
