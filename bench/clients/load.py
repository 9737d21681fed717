"""What every client of client.py does: 32 fetches at a time, answers checked, their cost counted."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

AT_ONCE = 32
WARM_UP_SECONDS = 1.0
#: As many addresses as no client remembers the parts of.
ADDRESSES = 5000

Fetch = Callable[[str], Awaitable[bytes]]


async def load(fetch: Fetch) -> None:
    """Prints microseconds of processor time per request, and requests.

    Arguments of the program: port, seconds, `same` (one address) or `varied` (addresses that change).
    """
    port, seconds, kind = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    names = ["world"] if kind == "same" else [f"someone-{number}" for number in range(ADDRESSES)]
    asked = [(f"http://127.0.0.1:{port}/hello/{name}", f"Hello, {name}".encode()) for name in names]
    done = 0

    async def work(until: float) -> None:
        nonlocal done
        while time.monotonic() < until:
            url, expected = asked[done % len(asked)]
            done += 1
            body = await fetch(url)
            if body != expected:
                raise RuntimeError(f"{url} gave {body[:100]!r}, expected {expected!r}")

    async def run(length: float) -> None:
        until = time.monotonic() + length
        await asyncio.gather(*(work(until) for _ in range(AT_ONCE)))

    await run(WARM_UP_SECONDS)
    done = 0
    before = time.process_time()
    await run(seconds)
    print((time.process_time() - before) / done * 1e6, done)
