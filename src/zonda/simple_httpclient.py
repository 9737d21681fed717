"""The default client: the public module `zonda.simple_httpclient` (Tornado: `tornado.simple_httpclient`)."""

from zonda._core.base.face import show
from zonda._core.client.errors import HTTPStreamClosedError, HTTPTimeoutError
from zonda._core.client.simple import SimpleAsyncHTTPClient

__all__ = ["HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]

show(__name__, globals(), __all__)
