"""A TCP server to subclass: the public module `zonda.tcpserver` (Tornado: `tornado.tcpserver`)."""

from zonda._core.base.face import show
from zonda._core.net.tcpserver import TCPServer

__all__ = ["TCPServer"]

show(__name__, globals(), __all__)
