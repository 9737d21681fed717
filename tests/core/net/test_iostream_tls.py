"""TLS streams where TLS itself waits the other way round."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import zonda
from tests.core.net.loops import Run
from zonda.iostream import IOStream, SSLIOStream

CERTIFICATES = Path(zonda.__file__).parent / "test_certs"


class Crossed(ssl.SSLSocket):
    """Cannot write, or read, before it has done the opposite: a renegotiation, a key update."""

    writing_waits = reading_waits = False
    attempts = 0
    held = b""

    def send(self, data: Any, flags: int = 0) -> int:
        self.attempts += 1
        if self.writing_waits:
            raise ssl.SSLWantReadError
        return super().send(data, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        self.attempts += 1
        if self.reading_waits:
            # It empties the kernel's buffer before it finds out: no event for reading will follow.
            self.held = super().recv(65536)
            self.reading_waits = False
            raise ssl.SSLWantWriteError
        if self.held:
            buffer[: len(self.held)], count = self.held, len(self.held)
            self.held = b""
            return count
        return super().recv_into(buffer, nbytes, flags)


async def pair() -> tuple[SSLIOStream, SSLIOStream]:
    """A server's stream over a `Crossed` socket, and its client's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "test.crt", CERTIFICATES / "test.key")
    context.sslsocket_class = Crossed
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    server = IOStream(ours).start_tls(True, context)
    client = IOStream(theirs).start_tls(False, {"cert_reqs": ssl.CERT_NONE})
    return await server, await client


def test_a_write_that_has_to_read_first_does_not_spin(run: Run) -> None:
    async def main() -> None:
        server, client = await pair()
        sock = server.socket
        sock.writing_waits = True
        sock.attempts = 0
        written = server.write(b"late")
        for _ in range(100):
            await asyncio.sleep(0)
        assert sock.attempts <= 2
        sock.writing_waits = False
        client.write(b"go")
        await written
        assert await client.read_bytes(4) == b"late"
        assert await server.read_bytes(2) == b"go"
        server.close()
        client.close()

    run(main())


def test_a_read_that_has_to_write_first_goes_on(run: Run) -> None:
    async def main() -> None:
        server, client = await pair()
        reading = server.read_bytes(4)
        server.socket.reading_waits = True
        await client.write(b"data")
        assert await reading == b"data"
        server.close()
        client.close()

    run(main())
