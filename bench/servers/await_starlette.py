"""Hello in Starlette on uvicorn by a coroutine that lets others go first, once."""

import asyncio
import sys

from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    await asyncio.sleep(0)
    return PlainTextResponse("Hello, " + request.path_params["name"])


app = Starlette(routes=[Route("/hello/{name}", hello)])

if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
