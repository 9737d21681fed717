"""Sockets, names and TLS: the public module `zonda.netutil` (Tornado: `tornado.netutil`)."""

from zonda._core.base.face import show
from zonda._core.net.listen import add_accept_handler, bind_sockets, bind_unix_socket
from zonda._core.net.resolve import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    is_valid_ip,
)
from zonda._core.net.tls import ssl_options_to_context, ssl_wrap_socket

__all__ = [
    "BlockingResolver",
    "DefaultExecutorResolver",
    "DefaultLoopResolver",
    "ExecutorResolver",
    "OverrideResolver",
    "Resolver",
    "ThreadedResolver",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "is_valid_ip",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]

show(__name__, globals(), __all__)
