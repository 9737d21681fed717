"""Lines over bare TCP, sent back as they came: TCPServer on one side, TCPClient on the other.

main.py                          serves on 127.0.0.1
main.py --connect hello there    sends each argument as a line, and prints what comes back
main.py --connect                the same with the lines of standard input
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

from zonda.ioloop import IOLoop
from zonda.iostream import IOStream, StreamClosedError
from zonda.log import app_log
from zonda.options import define, options, parse_command_line
from zonda.tcpclient import TCPClient
from zonda.tcpserver import TCPServer

LONGEST_LINE = 64 * 1024  # bytes; a stream closes by itself when a longer one comes
LONGEST_WAIT = 300.0  # seconds in which a client says nothing, or does not take what it is sent
PATIENCE = 10.0  # seconds in which the client expects a connection, and an answer


class EchoServer(TCPServer):
    async def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        app_log.info("%s:%d came", *address[:2])
        # Who closes, breaks off, sends too long a line or falls silent is seen off without an error.
        with contextlib.closing(stream), contextlib.suppress(StreamClosedError, TimeoutError):
            while True:
                async with asyncio.timeout(LONGEST_WAIT):
                    line = await stream.read_until(b"\n", max_bytes=LONGEST_LINE)
                    # Awaited before the next is read: for who does not read, no answers pile up here.
                    await stream.write(line)
        app_log.info("%s:%d went", *address[:2])


async def lines_to_send(arguments: list[str]) -> AsyncIterator[str]:
    for argument in arguments:
        yield argument
    loop = IOLoop.current()
    # A terminal can keep a read waiting for ever: in a thread the loop does not wait with it.
    while not arguments and (line := await loop.run_in_executor(None, sys.stdin.readline)):
        yield line.rstrip("\n")


async def talk(port: int, arguments: list[str]) -> None:
    client = TCPClient()
    stream = await client.connect("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(client), contextlib.closing(stream):
        async for line in lines_to_send(arguments):
            async with asyncio.timeout(PATIENCE):
                await stream.write(line.encode() + b"\n")
                answer = await stream.read_until(b"\n", max_bytes=LONGEST_LINE)
            print(answer.decode().rstrip("\n"), flush=True)


def main() -> None:
    define("port", default=8888, type=int, help="the port of 127.0.0.1")
    define("connect", default=False, help="be the client")
    arguments = parse_command_line()
    loop = IOLoop.current()
    with contextlib.suppress(KeyboardInterrupt):
        if options.connect:
            try:
                loop.run_sync(lambda: talk(options.port, arguments))
            except (OSError, StreamClosedError) as error:  # a time-out is an OSError
                sys.exit(f"No echo from 127.0.0.1:{options.port}: {error or 'no answer in time'}")
        else:
            EchoServer().listen(options.port, address="127.0.0.1")
            print(f"The echo is on 127.0.0.1:{options.port}", flush=True)
            loop.start()


if __name__ == "__main__":
    main()
