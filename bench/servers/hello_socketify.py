"""Hello in socketify: Python on uWebSockets (C++)."""

import sys
from typing import Any

from socketify import App, AppListenOptions


def hello(response: Any, request: Any) -> None:
    response.end("Hello, " + request.get_parameter(0))


if __name__ == "__main__":
    app = App()
    app.get("/hello/:name", hello)
    app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"), lambda config: None)
    app.run()
