"""Hello in Starlette on uvicorn (uvloop and httptools), without uvicorn's access lines."""

import sys

from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, " + request.path_params["name"])


app = Starlette(routes=[Route("/hello/{name}", hello)])

if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
