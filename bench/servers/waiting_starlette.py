"""Long polls in Starlette on uvicorn: /wait/NAME is answered once somebody asks for /release."""

import asyncio
import sys

from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

waiting: set["asyncio.Future[None]"] = set()


async def wait(request: Request) -> PlainTextResponse:
    future: asyncio.Future[None] = asyncio.Future()
    waiting.add(future)
    await future
    return PlainTextResponse("Hello, " + request.path_params["name"])


async def count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(waiting)))


async def release(request: Request) -> PlainTextResponse:
    answer = await count(request)
    for future in waiting:
        future.set_result(None)
    waiting.clear()
    return answer


app = Starlette(routes=[Route("/wait/{name}", wait), Route("/count", count), Route("/release", release)])

if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
