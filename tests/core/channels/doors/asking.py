"""A server with one handler of channels, and clients on real sockets that write everything by hand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from tests.core.wire.ws.frames import frame
from zonda import web
from zonda._core.wire.sse import SSEReader
from zonda.channels import ChannelHandler, Hub
from zonda.httpserver import HTTPServer

#: Bytes of the kernel's buffers between a server and a client that is to be slow.
SMALL = 8192


class Open(ChannelHandler):
    """Everybody may do everything, but with topics whose name begins with "secret"."""

    made: list[Any]

    def initialize(self, hub=None, made=None):
        super().initialize(hub)
        if made is not None:
            made.append(self)

    async def authorize(self, topic):
        return not topic.startswith("secret")

    def authorize_publish(self, topic, data):
        return not topic.startswith("secret")


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class Connection:
    """A bare connection; `head` is that of the last answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in fields.items()}

    async def chunk(self) -> bytes:
        """The next chunk of a body; b"" at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    def wake(self) -> None:
        """Of a connection that was made slow: from here on it is read."""
        self.reader._limit = 1 << 24  # type: ignore[attr-defined]

    def close(self) -> None:
        self.writer.transport.abort()


class Stream:
    """A client of server-sent events."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.reader = SSEReader()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.comments = 0
        self._events: list[Any] = []

    async def event(self) -> Any:
        """The next event's object and id; None at the end."""
        while not self._events:
            chunk = await self.connection.chunk()
            if not chunk:
                return None
            self.comments += chunk.startswith(b":")
            self._events += self.reader.feed(chunk)
        event = self._events.pop(0)
        return json.loads(event.data), event.id

    async def object(self) -> Any:
        event = await self.event()
        return None if event is None else event[0]


class Socket:
    """A client's WebSocket."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.close_code = 0

    def say(self, *commands: Any) -> None:
        for command in commands:
            text = command if isinstance(command, str) else json.dumps(command)
            self.connection.writer.write(frame(0x81, text.encode()))

    async def frame(self) -> tuple[int, bytes]:
        """First byte and payload of the next frame that is no Ping."""
        reader = self.connection.reader
        while True:
            first, size = await reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            payload = await reader.readexactly(size)
            if first != 0x89:
                return first, payload

    async def object(self) -> Any:
        """The next object; None at the end, and then `close_code` says how."""
        first, payload = await self.frame()
        if first == 0x88:
            self.close_code = int.from_bytes(payload[:2], "big")
            return None
        return json.loads(payload)


class Served:
    def __init__(self, server: HTTPServer, address: Any, hub: Hub) -> None:
        self.server = server
        self.address = address
        self.hub = hub
        #: The handlers that were made, of `Open`.
        self.made: list[Any] = []
        self._connections: list[Connection] = []

    async def connect(self, *, slow: bool = False) -> Connection:
        sock = socket.socket()
        if slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.address)
        limit = 1 << 24
        if slow:
            # Nothing is read until the test does.
            limit = 1
        reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
        connection = Connection(reader, writer)
        self._connections.append(connection)
        return connection

    def _request(self, method: str, query: Any, headers: dict[str, str], body: bytes = b"") -> bytes:
        pairs = query.items() if isinstance(query, dict) else query
        lines = [f"{method} /c?{urlencode(list(pairs))} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def ask(self, query: Any = (), *, connection: Connection | None = None, **headers: str) -> Answer:
        """A GET's answer: a poll's, if nothing else is asked for."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._answer(self._request("GET", query, fields), connection)

    async def post(self, command: Any, query: Any = (), **headers: str) -> Answer:
        body = command if isinstance(command, bytes) else json.dumps(command).encode()
        fields = {"Content-Type": "application/json"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._answer(self._request("POST", query, fields, body), None)

    async def _answer(self, request: bytes, connection: Connection | None) -> Answer:
        connection = connection or await self.connect()
        connection.writer.write(request)
        status, headers = await connection.head()
        body = await connection.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(status, headers, body)

    async def begin(self, query: Any = (), **headers: str) -> Connection:
        """Sends a GET and does not wait for its answer."""
        connection = await self.connect()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.writer.write(self._request("GET", query, fields))
        return connection

    async def stream(self, query: Any, *, slow: bool = False, **headers: str) -> Stream:
        connection = await self.connect(slow=slow)
        fields = {"Accept": "text/event-stream"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.writer.write(self._request("GET", query, fields))
        stream = Stream(connection)
        stream.status, stream.headers = await connection.head() if not slow else (0, {})
        return stream

    async def socket(self, query: Any = (), *, slow: bool = False, **headers: str) -> Socket:
        connection = await self.connect(slow=slow)
        fields = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.writer.write(self._request("GET", query, fields))
        if not slow:
            status, _ = await connection.head()
            assert status == 101, status
        return Socket(connection)

    async def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self.server.stop()
        await self.server.close_all_connections()
        await self.hub.close()


@asynccontextmanager
async def serving(hub: Hub, handler: Any = Open, /, **settings: Any) -> AsyncIterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    listener.setblocking(False)
    kwargs: dict[str, Any] = {"hub": hub}
    served = Served(None, listener.getsockname(), hub)  # type: ignore[arg-type]
    if issubclass(handler, Open):
        kwargs["made"] = served.made
    settings.setdefault("log_function", lambda handler: None)
    server = HTTPServer(web.Application([("/c", handler, kwargs)], **settings))
    served.server = server
    server.add_socket(listener)
    try:
        yield served
    finally:
        await served.close()


async def until(condition: Callable[[], Any]) -> None:
    """Looks again and again, for five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what the kernel does is waited for
            await asyncio.sleep(0.001)
