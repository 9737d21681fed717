"""What every program of crossing.py does.

    PROGRAM publish URL TOPIC      for each line of standard input, RATE COUNT: publishes, prints the seconds
    PROGRAM subscribe URL TOPIC    for each line, COUNT: prints what so many messages took, as JSON

Either prints `ready` first; the subscriber before each count, too.  A message says when it was published, in
nanoseconds of the monotonic clock: on Linux, one machine has one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

AT_ONCE = 32
PATIENCE = 20.0  # seconds


async def lines() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def publish_all(publish: Callable[[Any], Awaitable[Any]]) -> None:
    """Publishes at a rate, as requests of a server would: none waits for the one before, but only so many are
    served at a time.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        try:
            text = f"{os.urandom(20).hex()} said"
            await publish({"number": number, "sent": time.monotonic_ns(), "text": text})
        finally:
            places.release()

    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await lines():
        rate, count = map(int, line.split())
        start = loop.time()
        async with asyncio.timeout(count / rate + PATIENCE), asyncio.TaskGroup() as tasks:
            for number in range(count):
                wait = start + number / rate - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                await places.acquire()
                tasks.create_task(one(number))
        print(loop.time() - start, flush=True)


class Arrivals:
    """Called with what was published, when it has arrived."""

    def __init__(self) -> None:
        self._taken: dict[int, int] = {}
        self._count = 0
        self._complete = asyncio.Event()

    def __call__(self, data: Any) -> None:
        now = time.monotonic_ns()
        number = data["number"]
        if number in self._taken:
            raise RuntimeError(f"message {number} came twice")
        self._taken[number] = now - data["sent"]
        if len(self._taken) == self._count:
            self._complete.set()

    async def count(self) -> None:
        print("ready", flush=True)
        while line := await lines():
            self._taken = {}
            self._count = int(line)
            self._complete.clear()
            print("ready", flush=True)
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._complete.wait()
            except TimeoutError:
                raise RuntimeError(f"only {len(self._taken)} of {self._count} messages came") from None
            print(json.dumps(list(self._taken.values())), flush=True)
