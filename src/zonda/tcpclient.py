"""Connections by host name: the public module `zonda.tcpclient` (Tornado: `tornado.tcpclient`)."""

from zonda._core.base.face import show
from zonda._core.net.tcpclient import Connector as _Connector  # noqa: F401  # Tornado's tests use these two
from zonda._core.net.tcpclient import TCPClient
from zonda._core.net.tcpclient import format_addr as _format_addr  # noqa: F401

__all__ = ["TCPClient"]

show(__name__, globals(), __all__)
