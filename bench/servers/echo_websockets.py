"""WebSocket echo in websockets, on uvloop."""

import asyncio
import sys
from contextlib import suppress

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError


async def echo(connection: ServerConnection) -> None:
    # It logs a traceback for every client that goes without a Close frame.
    with suppress(ConnectionClosedError):
        async for message in connection:
            await connection.send(message)


async def main() -> None:
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), compression=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
