"""The budgets of the design, section 6.  One is raised only with a sentence of reason in the same commit."""

import asyncio

import pytest
import uvloop

from tests.core.wire.ws.frames import frame
from tests.hops.harness import count_publish, run, run_echo
from tests.shared import pure_python
from zonda import channels, web, websocket

pytestmark = pure_python("budgets count calls of Python")

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: hops\r\nAccept: */*\r\n\r\n"


class Plain(web.RequestHandler):
    def get(self) -> None:
        self.write("Hello, world")


class Coroutine(web.RequestHandler):
    async def get(self) -> None:
        self.write("Hello, world")


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(("handler", "calls", "tasks"), [(Plain, 30, 0), (Coroutine, 40, 1)])
@pytest.mark.parametrize("beside", [0, 20])
def test_get_stays_in_its_budget(handler, calls, tasks, loop_factory, beside):
    cost = run(loop_factory, web.Application([("/", handler)]), GET, beside)
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
@pytest.mark.parametrize("beside", [0, 20])
def test_a_websocket_echo_stays_in_its_budget(loop_factory, beside):
    frame = b"\x81\x85\x01\x02\x03\x04" + bytes(b ^ k for b, k in zip(b"hello", b"\1\2\3\4\1", strict=True))
    cost = run_echo(loop_factory, web.Application([("/", Echo)]), HANDSHAKE, frame, beside)
    assert (0 < cost.calls <= 10, cost.tasks) == (True, 0), str(cost)


class Open(channels.ChannelHandler):
    def authorize(self, topic: str) -> bool:
        return True


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("history", [0, 10])
def test_a_publish_costs_two_calls_for_each_subscriber(history, loop_factory):
    def cost(subscribers: int):
        hub = channels.Hub("local://", [channels.Topic("topic", history=history)])
        application = web.Application([("/", Open, {"hub": hub})])
        command = frame(0x81, b'{"subscribe":"topic"}')
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(count_publish(hub, application, HANDSHAKE, command, subscribers))

    few, many = cost(2), cost(12)
    assert (many.calls - few.calls, many.tasks) == (2 * 10, 0), str(many)
    assert 0 < few.calls - 2 * 2 <= 25, str(few)
