"""The line between a supervisor and one of its processes: a socket pair, one JSON object a line."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

from zonda.log import gen_log

#: Bytes of one line; what is said here is a word and an id.
_LINE_BYTES = 4096
#: Bytes that wait because the other side does not read.
_WAITING_BYTES = 262144


class ControlLine:
    """One end.  `open` makes it of a socket; `messages` ends when the other side is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sock: socket.socket) -> "ControlLine":
        """Takes over a connected Unix socket."""
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=_LINE_BYTES))

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message if the other side is there.  If too much waits, it is dropped and logged."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > _WAITING_BYTES:
            gen_log.warning("Dropped %s: %d bytes wait to be read", message, _WAITING_BYTES)
            return
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What the other side says; a line that is too long or no JSON object ends it like its going."""
        while True:
            try:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):
                    return
                message = json.loads(line)
            except (OSError, ValueError) as error:
                if not isinstance(error, OSError):
                    gen_log.error("Not a line of control: %s", error)
                return
            if isinstance(message, dict):
                yield message

    def close(self) -> None:
        self._writer.close()
