"""A non-blocking HTTP server: the public module `zonda.httpserver` (`tornado.httpserver`)."""

from zonda._core.base.face import show
from zonda._core.server.httpserver import HTTPServer
from zonda._core.server.request import HTTPServerRequest

__all__ = ["HTTPServer"]

#: Tornado's older name.
HTTPRequest = HTTPServerRequest

show(__name__, globals(), __all__)
