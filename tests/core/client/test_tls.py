"""TLS: who is believed, and what is kept apart."""

import ssl
from pathlib import Path
from typing import Any

import pytest

import zonda
from tests.core.client.servers import OK, Server, saying, serving
from tests.core.net.loops import Run
from zonda.simple_httpclient import SimpleAsyncHTTPClient

CERTIFICATE = Path(zonda.__file__).parent / "test_certs" / "test.crt"
KEY = CERTIFICATE.with_suffix(".key")


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    return context


def with_server(run: Run, work: Any) -> Server:
    async def main() -> Server:
        async with serving(saying(OK), server_context()) as server:
            client = SimpleAsyncHTTPClient(force_instance=True, defaults={"allow_ipv6": False})
            try:
                await work(client, server.url.replace("127.0.0.1", "localhost"))
            finally:
                client.close()
            return server

    return run(main())  # type: ignore[no-any-return]


def test_a_certificate_that_nobody_vouches_for(run: Run, expect_log: Any) -> None:
    expect_log("zonda.general", "SSL Error connecting to 127.0.0.1")

    async def work(client: Any, url: str) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.fetch(url)

    with_server(run, work)


def test_a_certificate_for_another_name(run: Run, expect_log: Any) -> None:
    expect_log("zonda.general", "SSL Error connecting to 127.0.0.1")

    async def work(client: Any, url: str) -> None:
        client.resolver = _Localhost()
        with pytest.raises(ssl.SSLCertVerificationError, match=r"foo\.example"):
            await client.fetch(url.replace("localhost", "foo.example"), ca_certs=str(CERTIFICATE))

    with_server(run, work)


class _Localhost:
    async def resolve(self, host: str, port: int, family: int) -> Any:
        return [(2, ("127.0.0.1", port))]

    def close(self) -> None: ...


def test_connections_of_other_settings_are_not_used(run: Run) -> None:
    """A connection made without checking must not serve a request that wants the check."""

    async def work(client: Any, url: str) -> None:
        for _ in range(2):
            assert (await client.fetch(url, validate_cert=False)).body == b"ok"
        for _ in range(2):
            assert (await client.fetch(url, ca_certs=str(CERTIFICATE))).body == b"ok"
        for _ in range(2):
            assert (await client.fetch(url, ssl_options={"cert_reqs": ssl.CERT_NONE})).body == b"ok"

    assert with_server(run, work).connections == 3
