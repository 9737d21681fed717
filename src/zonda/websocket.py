"""WebSockets, server and client: the public module `zonda.websocket` (`tornado.websocket`)."""

from zonda._core.base.face import show
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.client.websocket import WebSocketClientConnection, websocket_connect
from zonda._core.link.websocket import WebSocketConnection
from zonda._core.link.websocket_receiver import WebSocketClosedError, WebSocketError
from zonda._core.web.websocket import WebSocketHandler
from zonda._core.wire.ws.deflate import Compressor as _PerMessageDeflateCompressor  # noqa: F401
from zonda._core.wire.ws.deflate import Decompressor as _PerMessageDeflateDecompressor  # noqa: F401
from zonda._core.wire.ws.deflate import DecompressTooLargeError as _DecompressTooLargeError  # noqa: F401

#: Bytes; applications that set no size of their own read it.
_default_max_message_size = DEFAULT_LIMITS.websocket_message_bytes

#: Tornado's name for what `ws_connection` is.
WebSocketProtocol13 = WebSocketConnection

__all__ = [
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketHandler",
    "websocket_connect",
]

show(__name__, globals(), __all__)
