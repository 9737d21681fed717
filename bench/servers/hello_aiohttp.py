"""Hello in aiohttp on uvloop: one application, one route, its own runner."""

import sys

import uvloop
from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, " + request.match_info["name"])


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/hello/{name}", hello)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), loop=uvloop.new_event_loop(), print=None)
