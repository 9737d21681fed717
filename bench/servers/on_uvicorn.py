"""uvicorn as all Starlette servers of the benches run it: uvloop and httptools, no access lines."""

import uvicorn
from starlette.applications import Starlette


def serve(app: Starlette, port: int) -> None:
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
