"""Counts what one request costs: Python-level calls into zonda, and Tasks.

The request goes over a real loopback socket to a real `HTTPServer`, on a connection that is kept
alive and warm.  Client and server share a thread and a loop; only code in `src/zonda` is counted, so
the client is not.  A count does not depend on the machine, and hardly on the Python version.
"""

import asyncio
import statistics
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tests.serving import serving

INSIDE = str(Path(__file__).resolve().parents[2] / "src" / "zonda")
WARM_UP = 10
REQUESTS = 30


@dataclass(frozen=True)
class Cost:
    calls: int
    tasks: int
    #: Calls of one request by function, for the message of a test that fails.
    functions: Counter[str]

    def __str__(self) -> str:
        lines = [f"{self.calls} calls into zonda, {self.tasks} Task(s) for one request:"]
        lines += [f"{count:5} {name}" for name, count in self.functions.most_common()]
        return "\n".join(lines)


class _Calls:
    """A profile function that counts entries of frames of zonda's files."""

    def __init__(self, inside: str) -> None:
        self.inside = inside
        self.functions: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self.inside):
            self.functions[f"{code.co_filename.removeprefix(self.inside)[1:]}: {code.co_qualname}"] += 1


class _Tasks:
    """Counts Tasks made through the loop and, by the numbers in their names, past it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.made = 0
        loop.set_task_factory(self._make)

    def _make(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        self.made += 1
        return asyncio.Task(coroutine, loop=loop, **options)

    def number(self) -> int:
        """The number of the next unnamed Task; asking uses it up."""

        async def nothing() -> None:
            pass

        task = asyncio.Task(nothing())
        task.cancel()
        return int(task.get_name().removeprefix("Task-"))


async def count_calls(application: Any, request: bytes, inside: str = INSIDE, beside: int = 0) -> Cost:
    """The cost of `request` to `application`, on a warm kept-alive connection, in the running loop.

    `beside` are connections that say nothing.
    """
    async with serving(application, beside=beside) as exchange:
        for _ in range(WARM_UP):
            answer = await exchange(request)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return await _count(exchange, request, inside)


async def count_echo(
    application: Any, handshake: bytes, frame: bytes, inside: str = INSIDE, beside: int = 0
) -> Cost:
    """The cost of a message that a WebSocket of `application` sends back, in the running loop."""
    async with serving(application, _is_frame_or_head, beside) as exchange:
        answer = await exchange(handshake)
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        for _ in range(WARM_UP):
            await exchange(frame)
        return await _count(exchange, frame, inside)


def _is_frame_or_head(answer: bytes) -> bool:
    if answer.startswith(b"HTTP/"):
        return answer.endswith(b"\r\n\r\n")
    return len(answer) >= 2 and len(answer) == 2 + answer[1]


async def _count(exchange: Callable[[bytes], Awaitable[bytes]], request: bytes, inside: str) -> Cost:
    loop = asyncio.get_running_loop()
    calls, tasks = _Calls(inside), _Tasks(loop)
    per_request = []
    first_number = tasks.number()
    for _ in range(REQUESTS):
        calls.functions.clear()
        sys.setprofile(calls)
        try:
            await exchange(request)
        finally:
            sys.setprofile(None)
        per_request.append(calls.functions.total())
    past_loop = tasks.number() - first_number - 1
    loop.set_task_factory(None)
    # The commonest count: a timer that falls due once a second is no part of a request.
    return Cost(statistics.mode(per_request), round(max(tasks.made, past_loop) / REQUESTS), calls.functions)


def run(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], application: Any, request: bytes, beside: int = 0
) -> Cost:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(count_calls(application, request, beside=beside))


def run_echo(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    application: Any,
    handshake: bytes,
    frame: bytes,
    beside: int = 0,
) -> Cost:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(count_echo(application, handshake, frame, beside=beside))


async def count_publish(
    hub: Any, application: Any, handshake: bytes, command: bytes, subscribers: int
) -> Cost:
    """The cost of `hub.publish("topic", ...)` to WebSockets that sent `command`, in the running loop."""
    async with AsyncExitStack() as stack:
        exchanges = []
        for _ in range(subscribers):
            exchange = await stack.enter_async_context(serving(application, whole=_is_frame_or_head))
            assert (await exchange(handshake)).startswith(b"HTTP/1.1 101 ")
            assert b"subscribed" in await exchange(command)
            exchanges.append(exchange)

        async def publish(data: bytes) -> bytes:
            await hub.publish("topic", data.decode())
            return b"".join([await exchange(b"") for exchange in exchanges])

        for _ in range(WARM_UP):
            await publish(b"warm")
        cost = await _count(publish, b"counted", INSIDE)
    await hub.close()
    return cost
