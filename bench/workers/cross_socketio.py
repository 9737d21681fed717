"""Emits in one process, and has it arrive in another, with python-socketio's AsyncRedisManager.

Arrived is what its manager has read, and is about to send to the clients of its process.
"""

import asyncio
import sys
from typing import Any

import socketio
import uvloop
from roles import Arrivals, publish_all


class Manager(socketio.AsyncRedisManager):
    arrived: Arrivals

    async def _handle_emit(self, message: Any) -> None:
        (data,) = message["data"]
        self.arrived(data)
        await super()._handle_emit(message)


async def main() -> None:
    role, url, topic = sys.argv[1:]
    manager = socketio.AsyncRedisManager(url) if role == "publish" else Manager(url)
    server = socketio.AsyncServer(client_manager=manager, async_mode="asgi")
    # As the server does before its first client.
    server.manager_initialized = True
    manager.initialize()
    if role == "publish":
        await publish_all(lambda data: server.emit("message", data, room=topic))
        return
    assert isinstance(manager, Manager)
    manager.arrived = Arrivals()
    await asyncio.sleep(1)  # nobody says when Redis has subscribed it
    await manager.arrived.count()


if __name__ == "__main__":
    uvloop.run(main())
