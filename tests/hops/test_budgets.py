"""The budgets of the design, section 6.  One is raised only with a sentence of reason in the same commit."""

import asyncio

import pytest
import uvloop

from tests.hops.harness import run, run_echo
from zonda import web, websocket

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: hops\r\nAccept: */*\r\n\r\n"


class Plain(web.RequestHandler):
    def get(self) -> None:
        self.write("Hello, world")


class Coroutine(web.RequestHandler):
    async def get(self) -> None:
        self.write("Hello, world")


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(("handler", "calls", "tasks"), [(Plain, 30, 0), (Coroutine, 40, 1)])
def test_get_stays_in_its_budget(handler, calls, tasks, loop_factory):
    cost = run(loop_factory, web.Application([("/", handler)]), GET)
    assert cost.calls > 0
    assert (cost.calls <= calls, cost.tasks) == (True, tasks), str(cost)


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Echo(websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_websocket_echo_stays_in_its_budget(loop_factory):
    frame = b"\x81\x85\x01\x02\x03\x04" + bytes(b ^ k for b, k in zip(b"hello", b"\1\2\3\4\1", strict=True))
    cost = run_echo(loop_factory, web.Application([("/", Echo)]), HANDSHAKE, frame)
    assert (0 < cost.calls <= 10, cost.tasks) == (True, 0), str(cost)
