"""`TCPServer` as a base class: the seam for other ways to accept, and multiple inheritance."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from zonda.netutil import bind_sockets
from zonda.tcpserver import TCPServer
from zonda.util import Configurable


class OtherWay(TCPServer, Configurable):
    """As `HTTPServer`: made by `initialize`, and without streams."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass  # `Configurable.__new__` has called `initialize`

    def initialize(self, **kwargs: Any) -> None:
        self.events: list[tuple[str, int]] = []
        TCPServer.__init__(self, **kwargs)

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return OtherWay

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return OtherWay

    def _start_accepting(self, sock: socket.socket) -> Callable[[], None]:
        fd = sock.fileno()
        self.events.append(("start", fd))
        return lambda: self.events.append(("stop", sock.fileno()))


def test_another_way_to_accept_is_started_and_stopped_once_per_socket() -> None:
    first, second = bind_sockets(0, "127.0.0.1") + bind_sockets(0, "127.0.0.1")
    fds = [first.fileno(), second.fileno()]
    server = OtherWay()
    server.add_sockets([first, second])
    assert list(server._sockets) == fds
    server.stop()
    server.stop()
    # Stopped while the socket is still open: who watches it has to let go first.
    assert server.events == [(word, fd) for word in ("start", "stop") for fd in fds]
    assert first.fileno() == second.fileno() == -1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"keyfile": "/nowhere.key"}, KeyError),
        ({"certfile": "/nowhere.crt"}, ValueError),
        ({"certfile": __file__, "keyfile": "/nowhere.key"}, ValueError),
    ],
)
def test_a_certificate_that_is_not_there_is_found_at_once(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        OtherWay(ssl_options=options)
