"""Connections that are open beside a load, or wait for their answers.

    idle_connections.py PORT CONNECTIONS served     each has had one answer to GET /hello/NAME
    idle_connections.py PORT CONNECTIONS waiting    each has asked for /wait/NAME, and waits

Prints `open` once all are so.  At a line on standard input (or its end), those that wait are released by GET
/release; prints how many got the right answer since the start.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

# What Chromium sends for a page.
BROWSER = (
    "Connection: keep-alive\r\n"
    'sec-ch-ua: "Chromium";v="130", "Not/A)Brand";v="24"\r\n'
    "sec-ch-ua-mobile: ?0\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: */*\r\n"
    "Referer: http://127.0.0.1/page\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.8\r\n"
    "Cookie: theme=dark; visitor={number}\r\n"
)
OPENING = 64  # at once
PATIENCE = 30.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200 ") or not lengths:
        raise RuntimeError(f"answered {head[:200]!r}")
    return await reader.readexactly(int(lengths[0].partition(b":")[2]))


def ask(streams: Streams, path: str, number: int) -> None:
    fields = BROWSER.format(number=number)
    streams[1].write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n".encode())


async def main() -> None:
    port, many, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    waits = kind == "waiting"
    path = "/wait" if waits else "/hello"
    right = 0
    places = asyncio.Semaphore(OPENING)

    async def check(number: int, streams: Streams) -> None:
        nonlocal right
        async with asyncio.timeout(PATIENCE):
            got = await body(streams[0])
        if got != f"Hello, someone-{number}".encode():
            raise RuntimeError(f"{path}/someone-{number} was answered {got[:100]!r}")
        right += 1

    async def begin(number: int) -> Streams:
        async with places:
            streams = await asyncio.open_connection("127.0.0.1", port)
            ask(streams, f"{path}/someone-{number}", number)
            if not waits:
                await check(number, streams)
            return streams

    all_streams = await asyncio.gather(*map(begin, range(many)))

    async def told(path: str) -> int:
        control = await asyncio.open_connection("127.0.0.1", port)
        ask(control, path, 0)
        count = await body(control[0])
        control[1].close()
        return int(count)

    if waits:
        async with asyncio.timeout(PATIENCE):
            while await told("/count") < many:  # noqa: ASYNC110 (in another process)
                await asyncio.sleep(0.05)
    print("open", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if waits:
        await told("/release")
        await asyncio.gather(*(check(number, streams) for number, streams in enumerate(all_streams)))
    print(right, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
