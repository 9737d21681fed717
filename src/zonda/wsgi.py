"""WSGI applications on this server: the public module `zonda.wsgi` (`tornado.wsgi`)."""

from zonda._core.base.face import show
from zonda._core.server.request import HTTPServerRequest
from zonda._core.web.wsgi import WSGIContainer, to_wsgi_str

__all__ = ["WSGIContainer", "to_wsgi_str"]

#: Tornado's older name.
HTTPRequest = HTTPServerRequest

show(__name__, globals(), __all__)
