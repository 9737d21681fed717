"""`HTTPServer` over TLS, on both loops."""

import ssl
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import zonda
from tests.core.link.harness import GET, post
from tests.core.net.loops import Run
from tests.core.server.serving import LAST, ask, hello, say, serving
from zonda.httpserver import HTTPServer
from zonda.httputil import HTTPServerRequest

CERTIFICATES = Path(zonda.__file__).parent / "test_certs"
TLS = {"certfile": str(CERTIFICATES / "test.crt"), "keyfile": str(CERTIFICATES / "test.key")}


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_tls(run: Run) -> None:
    async def main() -> None:
        seen: list[Any] = []

        def serve(request: HTTPServerRequest) -> None:
            seen.append((request.protocol, request.get_ssl_certificate(), request.full_url()))
            hello(request)

        async with serving(serve, ssl_options=TLS) as server:
            data, _ = await ask(server, GET + LAST, trusting())
            assert data.count(b"hello") == 2
            assert seen[0] == ("https", None, "https://a/")

    run(main())


def test_tls_errors_are_readable(run: Run) -> None:
    async def main() -> None:
        async with serving(hello, ssl_options=TLS) as server:
            data, _ = await ask(server, b"NONSENSE\r\n\r\n", trusting())
            assert data.startswith(b"HTTP/1.1 400 ")

    run(main())


def test_a_large_body_over_tls(run: Run) -> None:
    async def main() -> None:
        async with serving(lambda r: say(r, str(len(r.body))), ssl_options=TLS) as server:
            data, _ = await ask(server, post(b"x" * 3_000_000, "Connection: close\r\n"), trusting())
            assert data.endswith(b"\r\n\r\n3000000")

    run(main())


def test_plain_http_spoken_to_a_tls_port_is_one_line_in_the_log(run: Run, expect_log: Any) -> None:
    expected = expect_log("zonda.general", "SSL Error")

    async def main() -> None:
        async with serving(hello, ssl_options=TLS) as server:
            client = await server.connect()
            await client.send(GET)
            try:
                assert b"HTTP/1.1 200" not in await client.read_all()
            except ConnectionResetError:
                pass
            data, _ = await ask(server, LAST, trusting())
            assert data.endswith(b"hello")
            assert not [c for c in server.server._keeper.connections if c.current]

    run(main())
    assert len(expected.records) == 1


def test_a_client_that_leaves_during_the_handshake(run: Run) -> None:
    async def main() -> None:
        async with serving(hello, ssl_options=TLS) as server:
            client = await server.connect()
            await client.send(b"\x16\x03\x01")
            client.sock.close()
            data, _ = await ask(server, LAST, trusting())
            assert data.endswith(b"hello")

    run(main())


def test_a_client_that_does_not_shake_hands_is_cut_off(run: Run) -> None:
    class Impatient(HTTPServer):
        def initialize(self, *args: Any, **kwargs: Any) -> None:
            super().initialize(*args, **kwargs)
            self._keeper.limits = replace(self._keeper.limits, handshake_timeout=0.1)

    async def main() -> None:
        async with serving(hello, cls=Impatient, ssl_options=TLS) as server:
            silent, slow = await server.connect(), await server.connect()
            await slow.send(b"\x16\x03\x01")
            for client in (silent, slow):
                with suppress(ConnectionResetError):
                    assert await client.read_all() == b""

    run(main())
