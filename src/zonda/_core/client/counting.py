"""What a WebSocket has carried, for programs that ask its client."""

from typing import Any

from zonda._core.link.websocket import WebSocketConnection


class CountingConnection(WebSocketConnection):
    """Counts bytes: what messages have, and what they and their frames take on the wire."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire_bytes_in = self._wire_bytes_out = 0
        self._message_bytes_in = self._message_bytes_out = 0

    def data_received(self, data: bytes) -> None:
        self._wire_bytes_in += len(data)
        super().data_received(data)

    def write(self, data: bytes, later: bool = False) -> None:
        self._wire_bytes_out += len(data)
        super().write(data, later)
