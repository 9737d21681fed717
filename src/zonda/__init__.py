"""zonda: Tornado's public API on a new, fast inside, and what Tornado never had."""

import importlib
from typing import Any

#: zonda's own version.
__version__ = "0.1.0"

#: The version of Tornado whose public API this is; applications compare with it.
version = "6.6.1"
version_info = (6, 6, 1, 0)

#: What `from zonda import *` brings, as in Tornado.
__all__ = [
    "auth",
    "autoreload",
    "concurrent",
    "curl_httpclient",
    "escape",
    "gen",
    "http1connection",
    "httpclient",
    "httpserver",
    "httputil",
    "ioloop",
    "iostream",
    "locale",
    "locks",
    "log",
    "netutil",
    "options",
    "platform",
    "process",
    "queues",
    "routing",
    "simple_httpclient",
    "tcpclient",
    "tcpserver",
    "template",
    "testing",
    "util",
    "web",
]

#: The public modules: what Tornado's `__all__` leaves out, and what Tornado does not have, comes last.
_SUBMODULES = (*__all__, "websocket", "wsgi", "channels")

#: Functions, and the modules that bring them when they are asked for.
_FUNCTIONS = {
    "install_as_tornado": "zonda._tornado_name",
    "run": "zonda._run",
    "run_workers": "zonda._workers",
}


def __getattr__(name: str) -> Any:
    # PEP 562: `import zonda; zonda.web` works, and importing zonda alone stays cheap.
    if name in _SUBMODULES:
        return importlib.import_module("zonda." + name)
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'zonda' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_FUNCTIONS})
