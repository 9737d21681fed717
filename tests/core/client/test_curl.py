"""The client on libcurl: what it keeps to itself, what it bounds, and what it leaves behind."""

import asyncio
import contextvars
import gzip
import logging
import ssl
from pathlib import Path

import pytest

pytest.importorskip("pycurl", reason="the extra `curl` is not installed")

from tests.core.client.servers import OK, saying, serving
from zonda.curl_httpclient import CurlAsyncHTTPClient, CurlError
from zonda.httpclient import AsyncHTTPClient, HTTPClientError

CERTS = Path(__import__("zonda").__file__).with_name("test_certs")


def client_of(**kwargs):
    return CurlAsyncHTTPClient(force_instance=True, **kwargs)


def fetch(run, answer, *, client=None, path="/", **kwargs):
    """The response, and the server that gave it."""

    async def main():
        async with serving(answer) as server:
            own = client_of(**(client or {}))
            try:
                return await own.fetch(server.url + path, **kwargs), server
            finally:
                own.close()

    return run(main())


def leading_to(url, code=302, fields=b""):
    return saying(
        b"HTTP/1.1 %d X\r\nLocation: %s\r\n%sContent-Length: 0\r\n\r\n" % (code, url.encode(), fields)
    )


SECRETS = {
    "field": {"headers": {"Authorization": "secret"}},
    "cookie": {"headers": {"Cookie": "a=secret"}},
    "proxy field": {"headers": {"Proxy-Authorization": "secret"}},
    "basic": {"auth_username": "me", "auth_password": "secret"},
}


@pytest.mark.parametrize("kwargs", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_what_is_secret_stays_with_its_origin(run, kwargs, code):
    async def main():
        async with serving(saying(OK)) as other, serving(leading_to(other.url, code)) as first:
            own = client_of()
            try:
                await own.fetch(first.url, **kwargs)
            finally:
                own.close()
            return first.heads[0].lower(), other.heads[0].lower()

    first, other = run(main())
    assert b"secret" in first or b"authorization: basic" in first
    assert b"authorization" not in other
    assert b"cookie" not in other


def test_credentials_in_the_url_stay_with_their_origin(run):
    async def main():
        async with serving(saying(OK)) as other, serving(leading_to(other.url)) as first:
            own = client_of()
            try:
                await own.fetch(first.url.replace("//", "//me:secret@"))
            finally:
                own.close()
            return first.heads[0], other.heads[0]

    first, other = run(main())
    assert b"\r\nAuthorization: Basic " in first
    assert b"Authorization" not in other


def test_a_client_certificate_stays_with_its_origin(run):
    seen = []

    async def tell(server, head, reader, writer):
        seen.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.write(
            OK if len(seen) > 1 else b"HTTP/1.1 302 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % there
        )

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CERTS / "test.crt")
    context.load_cert_chain(CERTS / "test.crt", CERTS / "test.key")
    context.verify_mode = ssl.CERT_OPTIONAL

    async def main():
        nonlocal there
        async with serving(tell, tls=context) as other, serving(tell, tls=context) as first:
            there = other.url.encode()
            own = client_of()
            try:
                files = {"client_cert": str(CERTS / "test.crt"), "client_key": str(CERTS / "test.key")}
                await own.fetch(first.url, validate_cert=False, **files)
            finally:
                own.close()

    there = b""
    run(main())
    assert seen[0]
    assert seen[1] is None


def test_certificates_are_checked_unless_told_not_to(run):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / "test.crt", CERTS / "test.key")

    async def main(**kwargs):
        async with serving(saying(OK), tls=context) as server:
            own = client_of()
            try:
                return await own.fetch(server.url, **kwargs)
            finally:
                own.close()

    with pytest.raises(CurlError):
        run(main())
    assert run(main(validate_cert=False)).code == 200


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/", "gopher://127.0.0.1/x"])
def test_only_http_is_spoken(run, url):
    with pytest.raises(ValueError, match="scheme"):
        fetch(run, leading_to(url))

    async def main():
        own = client_of()
        try:
            await own.fetch(url)
        finally:
            own.close()

    with pytest.raises(CurlError, match=r"[Pp]rotocol"):
        run(main())


def test_redirects_end(run):
    response, server = fetch(run, leading_to("/again"), max_redirects=3, raise_error=False)
    assert response.code == 302
    assert len(server.heads) == 4


def test_a_redirect_with_an_endless_body_is_followed(run):
    async def answer(server, head, reader, writer):
        if head.startswith(b"GET /next "):
            writer.write(OK)
            return None
        writer.write(b"HTTP/1.1 302 X\r\nLocation: /next\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await writer.drain()

    response, _ = fetch(run, answer, client={"max_body_size": 100_000})
    assert (response.body, response.effective_url[-5:]) == (b"ok", "/next")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_body_is_bounded_after_it_was_unpacked(run, streaming):
    body = gzip.compress(bytes(10_000_000))
    answer = saying(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    received = []
    kwargs = {"streaming_callback": received.append} if streaming else {}
    with pytest.raises(CurlError, match=r"max_body_size \(100000 bytes\)") as caught:
        fetch(run, answer, client={"max_body_size": 100_000}, **kwargs)
    assert caught.value.code == 599
    assert sum(map(len, received)) <= 100_000


@pytest.mark.parametrize(
    "headers", [{"A": "b\r\nC: d"}, {"A": "b\nC"}, {"A": "\0"}, {"A\r\nB": "c"}, {"A: b": "c"}]
)
def test_no_field_makes_another(run, headers):
    with pytest.raises(ValueError):
        fetch(run, saying(OK), headers=headers)


def test_an_empty_field_and_a_text_in_latin_1(run):
    _, server = fetch(run, saying(OK), headers={"Empty": "", "Name": "é"})
    assert b"\r\nEmpty:\r\n" in server.heads[0]
    assert "\r\nName: é\r\n".encode("latin-1") in server.heads[0]


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"method": "A B"}, "token"),
        ({"method": "GET", "body": b"x"}, "must be None"),
        ({"method": "POST"}, "must not be None"),
        ({"method": "PUT", "body_producer": print}, "body_producer"),
        ({"auth_username": "a", "auth_mode": "x"}, "unsupported auth_mode x"),
        ({"ssl_options": {}}, "ssl_options"),
    ],
)
def test_what_cannot_be_asked(run, kwargs, said):
    with pytest.raises(ValueError, match=said):
        fetch(run, saying(OK), **kwargs)


def test_trailers_are_no_fields_of_the_head(run):
    answer = saying(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: head\r\n\r\n2\r\nok\r\n0\r\n"
        b"A: tail\r\nB: tail\r\n\r\n"
    )
    response, _ = fetch(run, answer)
    assert response.body == b"ok"
    assert response.headers.get_list("A") == ["head"]
    assert "B" not in response.headers


def test_the_head_of_the_answer_comes_without_those_before_it(run):
    lines = []
    answer = saying(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK)
    response, _ = fetch(run, answer, header_callback=lines.append)
    assert "Link" not in response.headers
    assert lines == ["HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n", "\r\n"]


def test_time_runs_out(run):
    async def silent(server, head, reader, writer):
        await asyncio.Event().wait()

    with pytest.raises(CurlError, match=r"[Tt]ime") as caught:
        fetch(run, silent, request_timeout=0.05)
    assert caught.value.errno == 28


def test_time_runs_out_over_all_redirects_together(run):
    async def slow(server, head, reader, writer):
        await asyncio.wait([asyncio.ensure_future(reader.read(1))], timeout=0.04)
        writer.write(b"HTTP/1.1 302 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
        return False

    with pytest.raises(CurlError, match=r"[Tt]ime"):
        fetch(run, slow, request_timeout=0.1, max_redirects=50)


def test_those_who_wait_for_their_turn_give_up(run):
    async def silent(server, head, reader, writer):
        await asyncio.Event().wait()

    async def main():
        async with serving(silent) as server:
            own = client_of(max_clients=1)
            try:
                first = own.fetch(server.url, request_timeout=0.3)
                second = own.fetch(server.url, request_timeout=0.05)
                with pytest.raises(CurlError, match="Timeout in request queue"):
                    await second
                assert not first.done()
                with pytest.raises(CurlError, match=r"[Tt]imed? ?out"):
                    await first
            finally:
                own.close()

    run(main())


def test_connections_are_kept(run):
    async def main():
        async with serving(saying(OK)) as server:
            own = client_of(max_clients=3)
            try:
                await asyncio.gather(*(own.fetch(server.url) for _ in range(20)))
                return server.connections, len(server.heads)
            finally:
                own.close()

    connections, heads = run(main())
    assert heads == 20
    assert connections <= 3


def test_closing_with_requests_under_way_leaves_nothing(run):
    arrived = asyncio.Event()

    async def silent(server, head, reader, writer):
        arrived.set()
        await asyncio.Event().wait()

    async def main():
        async with serving(silent) as server:
            own = client_of(max_clients=1)
            futures = [own.fetch(server.url) for _ in range(3)]
            await arrived.wait()
            own.close()
            own.close()
            with pytest.raises(RuntimeError, match="closed"):
                own.fetch(server.url)
            return [future.done() for future in futures]

    assert run(main()) == [False] * 3


def test_callbacks_see_the_context_of_their_fetch(run):
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    async def main():
        async with serving(saying(OK)) as server:
            own = client_of()
            variable.set("mine")
            try:
                await own.fetch(
                    server.url,
                    streaming_callback=lambda chunk: seen.append(variable.get()),
                    header_callback=lambda line: seen.append(variable.get()),
                )
            finally:
                own.close()

    run(main())
    assert set(seen) == {"mine"}


def test_a_callback_that_raises_is_logged(run, expect_log):
    expect_log("zonda.application", "Exception in callback")

    def header_callback(line):
        raise ZeroDivisionError

    response, _ = fetch(run, saying(OK), header_callback=header_callback)
    assert response.body == b"ok"


def test_the_log_of_libcurl_holds_no_secrets(run, caplog):
    with caplog.at_level(logging.DEBUG, "zonda.curl_httpclient"):
        fetch(run, saying(OK), headers={"Cookie": "a=secret"}, auth_username="me", auth_password="secret")
    assert any(record.name == "zonda.curl_httpclient" for record in caplog.records)
    assert "secret" not in caplog.text
    assert "bWU6c2VjcmV0" not in caplog.text  # me:secret


def test_it_can_be_configured(run):
    async def main():
        AsyncHTTPClient.configure("zonda.curl_httpclient.CurlAsyncHTTPClient", max_clients=2)
        try:
            async with serving(saying(OK)) as server:
                client = AsyncHTTPClient()
                assert type(client) is CurlAsyncHTTPClient
                assert client.max_clients == 2
                response = await client.fetch(server.url)
                client.close()
                return response.body
        finally:
            AsyncHTTPClient.configure(None)

    assert run(main()) == b"ok"


def test_its_error_is_a_clients_error():
    error = CurlError(7, "no connection")
    assert isinstance(error, HTTPClientError)
    assert (error.errno, error.code, str(error)) == (7, 599, "HTTP 599: no connection")
