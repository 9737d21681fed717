"""Serves the browser's client."""

from functools import cache
from pathlib import Path

from zonda._core.web.handler import RequestHandler


class ClientScriptHandler(RequestHandler):
    """Serves `zonda.js`, an ES module without dependencies: `(r"/zonda.js", ClientScriptHandler)`.

    A browser asks each time whether it has changed, and is told so by its entity tag.
    """

    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(_script())

    head = get


@cache
def _script() -> bytes:
    return Path(__file__).with_name("zonda.js").read_bytes()
