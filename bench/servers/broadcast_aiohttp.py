"""What anybody says goes to everybody, in aiohttp on uvloop."""

import sys

import uvloop
from aiohttp import WSMsgType, web

sockets: dict[web.WebSocketResponse, None] = {}


async def room(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    sockets[socket] = None
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for other in list(sockets):
                    await other.send_str(message.data)
    finally:
        del sockets[socket]
    return socket


if __name__ == "__main__":
    application = web.Application()
    application.add_routes([web.get("/echo", room)])
    web.run_app(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )
