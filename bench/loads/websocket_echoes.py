"""Load of websocket.py: connections that each send a message, wait for its echo, and send the next.

    websocket_echoes.py PORT CONNECTIONS BYTES SECONDS

Prints how many echoes came.  With SECONDS 0 it opens the connections, prints a line, and holds them until its
standard input ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

import uvloop

HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def text_frame(size: int) -> bytes:
    payload = bytes(ord("a") + number % 26 for number in range(size))
    key = os.urandom(4)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


class Client(asyncio.Protocol):
    def __init__(self, size: int) -> None:
        self.frame = text_frame(size)
        self.expected = size + (2 if size < 126 else 4)
        self.waiting = 0
        self.echoes = 0
        self.head = b""
        self.open = asyncio.get_running_loop().create_future()
        self.running = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if not self.open.done():
            self.head += data
            if self.head.endswith(b"\r\n\r\n"):
                if self.head.startswith(b"HTTP/1.1 101 "):
                    self.open.set_result(None)
                else:
                    self.open.set_exception(RuntimeError(f"no WebSocket: {self.head[:200]!r}"))
            return
        self.waiting -= len(data)
        if self.waiting <= 0:
            self.echoes += 1
            if self.running:
                self.send()

    def send(self) -> None:
        self.running = True
        self.waiting = self.expected
        self.transport.write(self.frame)


async def main() -> None:
    port, connections, size, seconds = (int(argument) for argument in sys.argv[1:])
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(size), "127.0.0.1", port)
        await client.open
        clients.append(client)
    if not seconds:
        print("open", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        return
    for client in clients:
        client.send()
    await asyncio.sleep(seconds)
    print(sum(client.echoes for client in clients))


if __name__ == "__main__":
    uvloop.run(main())
