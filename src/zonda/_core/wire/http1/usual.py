"""The parser of usual heads, and what else the readers of a server's connections share."""

from collections.abc import Callable

import httptools

#: Hosts that are remembered, of so many bytes at most (a name of DNS and a port); then all are forgotten.
_HOSTS = 256
_LONGEST_HOST = 260


class Shared:
    """What the readers of one thread have together: the connections of a server are many, and mostly wait."""

    __slots__ = ("feed_usual", "hosts", "unfinished")

    def __init__(self) -> None:
        #: How the parser of usual heads is fed, made when it is first needed: nothing of a head stays in it.
        self.feed_usual: Callable[[bytes], None] | None = None
        #: What is empty once a usual head ended.
        self.unfinished: list[bool] = []
        #: Values of Host that were found good: each itself, and as it follows the field's name.
        self.hosts: dict[str, tuple[str, str]] = {}

    def remember_host(self, known: tuple[str, str]) -> None:
        host = known[0]
        if len(host) <= _LONGEST_HOST:
            if len(self.hosts) >= _HOSTS:
                self.hosts.clear()
            self.hosts[host] = known


class _UsualCallbacks:
    """Fails at the begin of a second message, a body, a chunk: methods of empty lists, which raise."""

    def __init__(self, unfinished: list[bool]) -> None:
        nothing: list[bytes] = []
        self.on_message_begin = unfinished.pop
        self.on_message_complete = unfinished.pop
        self.on_body = nothing.remove
        self.on_chunk_header = nothing.pop


def usual_parser(unfinished: list[bool]) -> Callable[[bytes], None]:
    # What another parser has left there when it failed is not of this one's message.
    unfinished.clear()
    feed: Callable[[bytes], None] = httptools.HttpRequestParser(_UsualCallbacks(unfinished)).feed_data
    return feed
