"""The harness counts what there is to count: the budgets can fail."""

import asyncio

import pytest
import uvloop

from tests.hops.harness import run
from tests.shared import pure_python
from zonda import web
from zonda.escape import utf8

pytestmark = pure_python("calls of Python are counted")

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def nothing() -> None:
    pass


class Base(web.RequestHandler):
    def get(self) -> None:
        self.extra()
        self.write("Hello, world")

    def extra(self) -> None:
        pass


class FiveCalls(Base):
    def extra(self) -> None:
        for _ in range(5):
            utf8("x")


class TaskOfTheLoop(Base):
    def extra(self) -> None:
        asyncio.get_running_loop().create_task(nothing(), name="named")


class TaskPastTheLoop(Base):
    def extra(self) -> None:
        self.application.settings["kept"] = asyncio.Task(nothing())


def cost(handler):
    return run(uvloop.new_event_loop, web.Application([("/", handler)]), GET)


def test_five_calls_more_cost_five_more():
    few, many = cost(Base), cost(FiveCalls)
    assert (many.calls - few.calls, many.tasks - few.tasks) == (5, 0)
    assert many.functions["escape.py: utf8"] - few.functions["escape.py: utf8"] == 5


@pytest.mark.parametrize("handler", [TaskOfTheLoop, TaskPastTheLoop])
def test_a_task_is_counted(handler):
    assert cost(handler).tasks - cost(Base).tasks == 1


def test_a_count_repeats_exactly():
    assert cost(Base) == cost(Base)


def test_an_answer_that_is_no_success_is_an_error_of_the_test(expect_log):
    expect_log("zonda.access", "404")
    with pytest.raises(AssertionError, match="404"):
        run(uvloop.new_event_loop, web.Application([]), GET)
