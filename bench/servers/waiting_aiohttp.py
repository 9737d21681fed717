"""Long polls in aiohttp on uvloop: /wait/NAME is answered once somebody asks for /release."""

import asyncio
import sys

import uvloop
from aiohttp import web

waiting: set["asyncio.Future[None]"] = set()


async def wait(request: web.Request) -> web.Response:
    future: asyncio.Future[None] = asyncio.Future()
    waiting.add(future)
    await future
    return web.Response(text="Hello, " + request.match_info["name"])


async def count(request: web.Request) -> web.Response:
    return web.Response(text=str(len(waiting)))


async def release(request: web.Request) -> web.Response:
    answer = await count(request)
    for future in waiting:
        future.set_result(None)
    waiting.clear()
    return answer


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.get("/wait/{name}", wait), web.get("/count", count), web.get("/release", release)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), loop=uvloop.new_event_loop(), print=None)
