"""Load of broadcast.py: connections that all get what one of them says.

    broadcast_clients.py PORT CONNECTIONS [TOPIC]

With TOPIC, the server is zonda and each connection subscribes to it.  Prints a line once all are open; then,
for each line of standard input, a number of seconds, publishes for so long and prints how often.  The next
message goes out when the last one has come everywhere: once, and everywhere the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import cast

import uvloop

HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
OPENING = 64  # at once
ARRIVAL_SECONDS = 20.0
TEXT, CLOSE, PING = 0x81, 0x88, 0x89


def masked(first: int, payload: bytes) -> bytes:
    key = os.urandom(4)
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([first]) + length + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


class Room:
    """Who is connected, and the message that is under way."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.members: list[Member] = []
        self.number = 0
        self.data: dict[str, object] = {}
        #: What comes of it, as the first who got it did.
        self.frame: bytes | None = None
        self.arrived = 0
        self.everywhere = asyncio.get_running_loop().create_future()

    async def publish(self) -> None:
        self.number += 1
        self.data = {"number": self.number, "text": f"{os.urandom(30).hex()} said somebody"}
        text = json.dumps({"publish": self.topic, "data": self.data} if self.topic else self.data)
        self.frame = None
        self.arrived = 0
        self.everywhere = asyncio.get_running_loop().create_future()
        self.members[0].transport.write(masked(TEXT, text.encode()))
        try:
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await self.everywhere
        except TimeoutError:
            raise RuntimeError(f"only {self.arrived} of {len(self.members)} got a message") from None

    def failed(self, why: str) -> None:
        if not self.everywhere.done():
            self.everywhere.set_exception(RuntimeError(why))

    def is_published(self, payload: bytes) -> bool:
        """Whether it is what was published; any two that are it have the same bytes."""
        told = json.loads(payload)
        if self.topic:
            return bool(told.get("topic") == self.topic and told.get("data") == self.data)
        return bool(told == self.data)


class Member(asyncio.Protocol):
    def __init__(self, room: Room) -> None:
        self.room = room
        self.last = 0
        self.rest = b""
        self.head: bytes | None = b""
        self.open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HANDSHAKE)

    def connection_lost(self, error: Exception | None) -> None:
        self.room.failed(f"a connection was lost: {error or 'the server closed it'}")

    def data_received(self, data: bytes) -> None:
        if data == self.room.frame and not self.rest:
            self.arrived()
        elif self.head is None:
            self.read(data)
        else:
            self.head += data
            if self.head.endswith(b"\r\n\r\n"):
                if not self.head.startswith(b"HTTP/1.1 101 "):
                    raise RuntimeError(f"no WebSocket: {self.head[:200]!r}")
                self.head = None
                if self.room.topic:
                    self.transport.write(masked(TEXT, b'{"subscribe":"%b"}' % self.room.topic.encode()))
                else:
                    self.open.set_result(None)

    def arrived(self) -> None:
        room = self.room
        if self.last == room.number:
            room.failed("a message came twice")
        self.last = room.number
        room.arrived += 1
        if room.arrived == len(room.members) and not room.everywhere.done():
            room.everywhere.set_result(None)

    def read(self, data: bytes) -> None:
        """What is not simply the message that others got before."""
        self.rest += data
        while len(self.rest) >= 4:
            long = self.rest[1] == 126
            start = 4 if long else 2
            end = start + (int.from_bytes(self.rest[2:4], "big") if long else self.rest[1])
            if len(self.rest) < end:
                return
            frame, self.rest = self.rest[:end], self.rest[end:]
            self.take(frame, frame[start:])

    def take(self, frame: bytes, payload: bytes) -> None:
        room = self.room
        if frame[0] == PING:
            self.transport.write(masked(0x8A, payload))
        elif frame[0] != TEXT:
            room.failed(f"a frame that nobody sent: {frame[:100]!r}")
        elif frame == room.frame:
            self.arrived()
        elif payload.startswith(b'{"subscribed":'):
            self.open.set_result(None)
        elif payload.startswith(b'{"published":') and self is room.members[0]:
            pass
        elif room.frame is None and room.is_published(payload):
            room.frame = frame
            self.arrived()
        else:
            room.failed(f"not what was published: {payload[:200]!r}")


async def join(room: Room, port: int, many: int) -> None:
    loop = asyncio.get_running_loop()

    async def open_some(number: int) -> None:
        for _ in range(number):
            _, member = await loop.create_connection(lambda: Member(room), "127.0.0.1", port)
            async with asyncio.timeout(ARRIVAL_SECONDS):
                await member.open
            room.members.append(member)

    shares = [many // OPENING + (at < many % OPENING) for at in range(OPENING)]
    await asyncio.gather(*map(open_some, shares))


async def main() -> None:
    port, many = int(sys.argv[1]), int(sys.argv[2])
    room = Room(sys.argv[3] if len(sys.argv) > 3 else "")
    await join(room, port, many)
    print("open", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        first = room.number
        until = loop.time() + float(line)
        while loop.time() < until:
            await room.publish()
        print(room.number - first, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
