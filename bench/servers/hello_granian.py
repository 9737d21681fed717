"""Hello on granian's own interface, RSGI: no framework, one worker, uvloop."""

import sys
from typing import Any

PREFIX = "/hello/"


async def app(scope: Any, protocol: Any) -> None:
    headers = [("content-type", "text/plain; charset=utf-8")]
    if scope.method == "GET" and scope.path.startswith(PREFIX):
        protocol.response_str(200, headers, "Hello, " + scope.path[len(PREFIX) :])
    else:
        protocol.response_str(404, headers, "Not found")


if __name__ == "__main__":
    from granian import Granian
    from granian.constants import Interfaces, Loops

    Granian(
        "hello_granian:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        workers=1,
        log_enabled=False,
    ).serve()
