"""`HTTP1ServerConnection`: Tornado's interface to a server's side of HTTP/1 over an `IOStream`."""

import asyncio

from zonda._core.net.errors import StreamClosedError
from zonda._core.net.iostream_socket import IOStream
from zonda.log import gen_log

from .delegates import HTTPServerConnectionDelegate
from .http1_streams import HTTP1Connection, HTTP1ConnectionParameters


class HTTP1ServerConnection:
    """Answers the requests of one connection, one after the other.

    `context` is what log lines call the client.
    Source: Tornado documentation, `tornado.http1connection`.
    """

    def __init__(
        self,
        stream: IOStream,
        params: HTTP1ConnectionParameters | None = None,
        context: object = None,
    ) -> None:
        self.stream = stream
        self.params = params or HTTP1ConnectionParameters()
        self.context = context
        self._serving: asyncio.Task[None] | None = None

    def start_serving(self, delegate: HTTPServerConnectionDelegate) -> None:
        """Begins to read requests; `delegate.start_request` is called for each."""
        assert isinstance(delegate, HTTPServerConnectionDelegate)
        self._serving = asyncio.ensure_future(self._serve(delegate))

    async def close(self) -> None:
        """Closes the connection, and waits until nothing of it runs any more."""
        self.stream.close()
        if self._serving is not None:
            await asyncio.wait([self._serving])

    async def _serve(self, delegate: HTTPServerConnectionDelegate) -> None:
        try:
            while True:
                connection = HTTP1Connection(self.stream, False, self.params, self.context)
                message = delegate.start_request(self, connection)
                if not await connection.read_response(message):
                    return
                await asyncio.sleep(0)
        except StreamClosedError:
            self.stream.close()
        except Exception:
            gen_log.error("Uncaught exception", exc_info=True)
            self.stream.close()
        finally:
            delegate.on_close(self)
