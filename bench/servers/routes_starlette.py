"""Hello in Starlette behind as many routes as the first argument says; the second is the port."""

import sys

from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, " + request.path_params["name"])


if __name__ == "__main__":
    app = Starlette(routes=[Route(f"/place-{number}/{{name}}", hello) for number in range(int(sys.argv[1]))])
    serve(app, int(sys.argv[2]))
