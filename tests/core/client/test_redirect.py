"""Redirects: what may go to another origin, and where none may lead (CVE-2026-49853, CVE-2022-21712)."""

import asyncio
import ssl

import pytest

from tests.core.client.servers import OK, Server, saying, serving
from tests.core.net.loops import Run
from zonda._core.client.message import HTTPRequest, settled
from zonda._core.client.redirect import redirected
from zonda.httpclient import AsyncHTTPClient

SECRETS = {"Authorization": "a", "Cookie": "b", "Proxy-Authorization": "c", "X-Kept": "d", "Host": "first"}


def follow(url: str, location: str, code: int = 302, **kwargs: object) -> HTTPRequest:
    return redirected(settled(HTTPRequest(url, headers=dict(SECRETS), **kwargs)), code, location)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "location",
    [
        "http://b.example/",
        "//b.example/",
        "https://a.example/",
        "http://a.example:81/",
        "http://a.example.b.example/",
        "http://a.example@b.example/",
        "\\\\b.example",
    ],
)
def test_nothing_secret_goes_to_another_origin(location: str) -> None:
    follower = follow(
        "http://a.example/x",
        location,
        auth_username="me",
        auth_password="pw",
        client_cert="cert",
        client_key="key",
        ssl_options={"certfile": "cert", "keyfile": "key", "ca_certs": "ca"},
    )
    if location.startswith("\\"):
        # Not a change of origin at all: a path.
        assert follower.url.startswith("http://a.example/")
        return
    assert set(follower.headers) == {"X-Kept"}
    assert (
        follower.auth_username
        is follower.auth_password
        is follower.client_cert
        is follower.client_key
        is None
    )
    assert follower.ssl_options == {"ca_certs": "ca"}


def test_a_context_may_hold_a_certificate() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert follow("https://a.example/", "https://b.example/", ssl_options=context).ssl_options is None
    assert follow("https://a.example/", "/b", ssl_options=context).ssl_options is context


@pytest.mark.parametrize(
    "location", ["/y", "http://a.example/y", "http://a.example:80/y", "HTTP://A.example/y", "?q"]
)
def test_everything_goes_to_the_same_origin(location: str) -> None:
    follower = follow("http://u:p%40@a.example/x", location, client_cert="cert")
    assert set(follower.headers) == set(SECRETS) - {"Host"}
    assert (follower.auth_username, follower.auth_password, follower.client_cert) == ("u", "p@", "cert")


@pytest.mark.parametrize(
    "location", ["ftp://a/", "file:///etc/passwd", "javascript:alert(1)", "gopher://a/", "h:5"]
)
def test_only_http(location: str) -> None:
    with pytest.raises(ValueError, match="Unsupported url scheme"):
        follow("http://a.example/", location)


@pytest.mark.parametrize(
    ("code", "method", "after"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
    ],
)
def test_methods(code: int, method: str, after: str) -> None:
    request = HTTPRequest("http://a/", method=method, body=b"x", headers={"Content-Type": "t"})
    follower = redirected(settled(request), code, "/y")
    assert follower.method == after
    assert (follower.body is None) == (after == "GET")
    assert ("Content-Type" in follower.headers) == (after != "GET")
    # The caller's own request is as it was.
    assert (request.method, request.body, request.url) == (method, b"x", "http://a/")


def test_defaults_of_the_client_are_secrets_too(run: Run) -> None:
    async def main() -> None:
        async with serving(saying(OK)) as second:
            target = second.url.replace("127.0.0.1", "localhost")
            location = b"HTTP/1.1 302 Found\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n" % target.encode()
            async with serving(saying(location)) as first:
                client = AsyncHTTPClient(
                    force_instance=True,
                    defaults={"auth_username": "me", "auth_password": "pw", "allow_ipv6": False},
                )
                response = await client.fetch(first.url, headers={"Cookie": "secret"})
                assert response.effective_url == target + "/"
                client.close()
            assert b"Authorization: Basic" in first.heads[0]
            assert b"Authorization" not in second.heads[0] and b"Cookie" not in second.heads[0]

    run(main())


def test_a_ring_of_redirects_ends(run: Run) -> None:
    async def main() -> None:
        async with serving(
            saying(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
        ) as server:
            client = AsyncHTTPClient(force_instance=True)
            response = await client.fetch(server.url, raise_error=False)
            client.close()
            assert response.code == 302 and len(server.heads) == 6 and server.connections == 1

    run(main())


def test_request_timeout_is_for_all_of_them(run: Run) -> None:
    async def answer(
        server: Server, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.sleep(0.06)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with serving(answer) as server:
            client = AsyncHTTPClient(force_instance=True)
            response = await client.fetch(server.url, request_timeout=0.15, callback=lambda response: None)
            client.close()
            assert str(response.error) == "Timeout during request" and 1 <= len(server.heads) <= 3

    run(main())
