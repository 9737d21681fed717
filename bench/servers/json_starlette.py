"""JSON in Starlette on uvicorn: a path argument, a cookie signed by itsdangerous, an object of ten fields."""

import sys

from items import SECRET, cookies_wanted, item
from itsdangerous import BadSignature, TimestampSigner
from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

MAX_AGE = 31 * 86400
signer = TimestampSigner(SECRET)


async def show(request: Request) -> JSONResponse:
    try:
        visitor = signer.unsign(request.cookies["visitor"], max_age=MAX_AGE)
    except (KeyError, BadSignature):
        raise HTTPException(403) from None
    return JSONResponse(item(request.path_params["number"], visitor.decode()))


app = Starlette(routes=[Route("/item/{number:int}", show)])

if __name__ == "__main__" and not cookies_wanted(lambda visitor: signer.sign(visitor).decode()):
    serve(app, int(sys.argv[1]))
