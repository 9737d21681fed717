"""File handlers of an IOLoop: which files are watched on the asyncio loop, for what, and who is told."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

# The values of epoll, which programs have written down as numbers.
NONE = 0
READ = 0x001
WRITE = 0x004
ERROR = 0x018


class Selectable(Protocol):
    """What a handler may be added for, besides a plain file descriptor."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


Handler = Callable[..., None]


def split_fd(fd: int | Selectable) -> tuple[int, int | Selectable]:
    """The number and the object of what a handler is added for."""
    if isinstance(fd, int):
        return fd, fd
    return fd.fileno(), fd


def close_fd(fd: int | Selectable) -> None:
    """Closes a number or an object; one that is closed already is no error."""
    with suppress(OSError):
        if isinstance(fd, int):
            os.close(fd)
        else:
            fd.close()


class FileHandlers:
    """The handlers, and what the loop watches for them.  `loop` must know `add_reader`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        #: fd -> (what the user gave, his handler)
        self.handlers: dict[int, tuple[int | Selectable, Handler]] = {}
        self.readers: set[int] = set()
        self.writers: set[int] = set()

    def add(self, fd: int | Selectable, handler: Handler, events: int) -> None:
        """Raises: `ValueError` if the file has a handler already."""
        number, fileobj = split_fd(fd)
        if number in self.handlers:
            raise ValueError(f"fd {number} added twice")
        self.handlers[number] = (fileobj, handler)
        try:
            self._watch(number, events)
        except BaseException:
            del self.handlers[number]
            raise

    def update(self, fd: int | Selectable, events: int) -> None:
        """Raises: `KeyError` if the file has no handler."""
        number, _ = split_fd(fd)
        if number not in self.handlers:
            raise KeyError(f"fd {number} has no handler")
        self._watch(number, events)

    def remove(self, fd: int | Selectable) -> None:
        number, _ = split_fd(fd)
        if self.handlers.pop(number, None) is not None:
            self._watch(number, NONE)

    def clear(self, close: bool) -> None:
        """Removes all, and closes them too if asked."""
        for number, (fileobj, _) in list(self.handlers.items()):
            self.remove(number)
            if close:
                close_fd(fileobj)

    def _watch(self, fd: int, events: int) -> None:
        # Plain numbers go to the asyncio loop: given a socket, uvloop would put off its close().
        if events & READ and fd not in self.readers:
            self._loop.add_reader(fd, self._ready, fd, READ)
            self.readers.add(fd)
        elif not events & READ and fd in self.readers:
            self._loop.remove_reader(fd)
            self.readers.remove(fd)
        if events & WRITE and fd not in self.writers:
            self._loop.add_writer(fd, self._ready, fd, WRITE)
            self.writers.add(fd)
        elif not events & WRITE and fd in self.writers:
            self._loop.remove_writer(fd)
            self.writers.remove(fd)

    def _ready(self, fd: int, events: int) -> None:
        fileobj, handler = self.handlers[fd]
        handler(fileobj, events)
