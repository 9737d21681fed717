"""A connection that leaves its transport: the stream goes on where that stopped, also under TLS."""

import asyncio
import socket
import ssl
from typing import Any

import pytest

from tests.core.net.loops import Run
from zonda._core.net.detached import stream_of
from zonda.testing import AsyncHTTPSTestCase

#: More than any buffer on the way.
LARGE = b"0123456789" * 200_000


class _Holder(asyncio.Protocol):
    """Hands its transport over with the first bytes it gets."""

    def __init__(self, taken: "asyncio.Future[tuple[Any, bytes]]") -> None:
        self._taken = taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.pause_reading()
        self._taken.set_result((self._transport, data))


async def _detached(tls: bool) -> tuple[Any, asyncio.StreamReader, asyncio.StreamWriter, Any]:
    loop = asyncio.get_running_loop()
    taken: asyncio.Future[tuple[Any, bytes]] = loop.create_future()
    server_side = client_side = None
    if tls:
        options = AsyncHTTPSTestCase.default_ssl_options()
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.load_cert_chain(options["certfile"], options["keyfile"])
        client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client_side.check_hostname = False
        client_side.verify_mode = ssl.CERT_NONE
    server = await loop.create_server(
        lambda: _Holder(taken), "127.0.0.1", 0, family=socket.AF_INET, ssl=server_side
    )
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_side)
    writer.write(b"first ")
    transport, unread = await taken
    return stream_of(transport, unread, loop), reader, writer, server


@pytest.mark.parametrize("tls", [False, True])
def test_the_stream_begins_with_what_was_unread_and_goes_both_ways(run: Run, tls: bool) -> None:
    async def main() -> None:
        stream, reader, writer, server = await _detached(tls)
        writer.write(b"second")
        assert await stream.read_bytes(12) == b"first second"
        sending = stream.write(LARGE)
        assert await reader.readexactly(len(LARGE)) == LARGE
        await sending
        writer.write(LARGE)
        assert await stream.read_bytes(len(LARGE)) == LARGE
        stream.close()
        assert await reader.read() == b""
        writer.close()
        server.close()

    run(main())


@pytest.mark.parametrize("tls", [False, True])
def test_what_was_written_arrives_though_the_stream_is_closed_at_once(run: Run, tls: bool) -> None:
    async def main() -> None:
        stream, reader, writer, server = await _detached(tls)
        stream.write(b"the whole answer")
        stream.close()
        assert await reader.read() == b"the whole answer"
        writer.close()
        server.close()

    run(main())


@pytest.mark.parametrize("tls", [False, True])
def test_the_end_of_the_client_is_the_end_of_the_stream(run: Run, tls: bool) -> None:
    async def main() -> None:
        stream, _, writer, server = await _detached(tls)
        writer.close()
        assert await stream.read_until_close() == b"first "
        server.close()

    run(main())
