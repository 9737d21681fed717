"""The budgets of the design, section 6.  One is raised only with a sentence of reason in the same commit."""

import asyncio

import pytest
import uvloop

from tests.hops.harness import run
from zonda import web

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
