"""WSGI applications: what they are told, what becomes of their answers, and of their failures."""

import asyncio
import concurrent.futures
import socket
import threading
from wsgiref.validate import validator

import pytest

from zonda.httpserver import HTTPServer
from zonda.httputil import HTTPHeaders, HTTPServerRequest
from zonda.web import Application, FallbackHandler
from zonda.wsgi import WSGIContainer, to_wsgi_str

HEAD = b"Host: site.example:81\r\nConnection: close\r\n"


def ask(served, request: bytes) -> bytes:
    """What a server answers to one request on a connection of its own."""

    async def run() -> bytes:
        server = HTTPServer(served)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        server.add_socket(listener)
        try:
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(request)
            answer = await reader.read()
            writer.close()
            return answer
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(asyncio.wait_for(run(), 30))


def environ_of(request: bytes) -> dict:
    seen = {}

    def application(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    assert ask(WSGIContainer(application), request).startswith(b"HTTP/1.1 200 ")
    return seen


def answering(status, fields, pieces):
    def application(environ, start_response):
        start_response(status, fields)
        return pieces

    return WSGIContainer(application)


GET = b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n"


def test_a_request_as_pep_3333_tells_it():
    request = b"POST /a%20b%2Fc%C3%A9?x=1&y HTTP/1.1\r\n" + HEAD
    request += b"X-Foo: 1\r\nX-Foo: 2\r\nCookie: a=b\r\nCookie: c=d\r\nContent-Type: t/t\r\n"
    seen = environ_of(request + b"Content-Length: 3\r\n\r\nabc")
    said = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": to_wsgi_str("/a b/cé".encode()),
        "QUERY_STRING": "x=1&y",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "site.example",
        "SERVER_PORT": "81",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "t/t",
        "CONTENT_LENGTH": "3",
        "HTTP_X_FOO": "1,2",
        "HTTP_COOKIE": "a=b; c=d",
        "wsgi.url_scheme": "http",
        "body": b"abc",
    }
    assert {name: seen.get(name) for name in said} == said


def test_a_field_cannot_pass_itself_off_as_another():
    seen = environ_of(b"GET / HTTP/1.1\r\n" + HEAD + b"X-User: a\r\nX_User: b\r\nProxy: evil\r\n\r\n")
    assert seen["HTTP_X_USER"] == "a"
    assert "HTTP_PROXY" not in seen


def test_a_chunked_body_is_told_with_its_length():
    request = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    seen = environ_of(request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert seen["CONTENT_LENGTH"] == "5"
    assert seen["body"] == b"abcde"
    assert "HTTP_TRANSFER_ENCODING" not in seen


@pytest.mark.parametrize(("protocol", "port"), [("http", "80"), ("https", "443")])
def test_the_port_that_host_leaves_out(protocol, port):
    request = HTTPServerRequest("GET", "/", headers=HTTPHeaders({"Host": "[::1]"}))
    request.protocol, request.remote_ip = protocol, "::1"
    environ = WSGIContainer(answering("200 OK", [], [])).environ(request)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("[::1]", port)


def test_fields_of_one_name_stay_apart():
    answer = ask(answering("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], [b"x"]), GET)
    assert b"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n" in answer


def test_what_is_written_comes_before_what_is_yielded():
    def application(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one ")
        yield b"two "
        yield b"three"

    answer = ask(WSGIContainer(application), GET)
    assert answer.endswith(b"\r\n\r\none two three")
    assert b"\r\nContent-Length: 13\r\n" in answer


@pytest.mark.parametrize(
    ("status", "fields", "request_line", "rest"),
    [
        ("200 OK", [], b"HEAD", b"Content-Length: 3\r\n"),
        ("200 OK", [("Content-Length", "3")], b"HEAD", b"Content-Length: 3\r\n"),
        ("204 No Content", [], b"GET", b"HTTP/1.1 204 No Content\r\n"),
        ("304 Not Modified", [], b"GET", b"HTTP/1.1 304 Not Modified\r\n"),
    ],
)
def test_an_answer_without_body(status, fields, request_line, rest):
    container = answering(status, fields, [b"abc"])
    answer = ask(container, request_line + b" / HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert rest in answer


def test_head_may_be_answered_without_a_body():
    container = answering("200 OK", [("Content-Length", "3")], [])
    assert b"Content-Length: 3\r\n" in ask(container, b"HEAD / HTTP/1.1\r\n" + HEAD + b"\r\n")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (WSGIContainer(lambda environ, start_response: [b"x"]), "start_response"),
        (WSGIContainer(lambda environ, start_response: 1 / 0), "division"),
        (answering("OK", [], []), "status 'OK'"),
        (answering("101 Switching Protocols", [], []), "status '101"),
        (answering("200 OK\r\nX: y", [], []), "LF"),
        (answering("200 OK", [("A", "b\r\nC: d")], []), "'A|C: d"),
        (answering("200 OK", [("A\r\nB", "c")], []), "A"),
        (answering("200 OK", [("Transfer-Encoding", "chunked")], []), "Transfer-Encoding"),
        (answering("200 OK", [("Content-Length", "10")], [b"abc"]), "3 bytes"),
        (answering("200 OK", [], ["text"]), "str"),
    ],
)
def test_a_failure_is_answered_and_logged(container, reason, expect_log):
    seen = expect_log("zonda.application", "Uncaught exception in the WSGI application for GET '/'")
    expect_log("zonda.access", r"500 GET / \(127.0.0.1\)")
    answer = ask(container, GET)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"division" not in answer
    assert any(part in str(seen.records[0].exc_info[1]) for part in reason.split("|"))


def test_what_is_yielded_is_closed_when_it_fails(expect_log):
    expect_log("zonda.application", "Uncaught exception")
    expect_log("zonda.access", "500")
    closed = []

    class Pieces:
        def __iter__(self):
            yield b"one"
            raise RuntimeError

        def close(self):
            closed.append(True)

    ask(answering("200 OK", [], Pieces()), GET)
    assert closed == [True]


def test_one_request_stays_in_one_thread_of_the_executor():
    threads = []

    class Pieces:
        def __iter__(self):
            threads.append(threading.current_thread())
            yield b"x"

        def close(self):
            threads.append(threading.current_thread())

    def application(environ, start_response):
        threads.append(threading.current_thread())
        assert environ["wsgi.multithread"] is True
        start_response("200 OK", [])
        return Pieces()

    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        assert ask(WSGIContainer(application, executor), GET).startswith(b"HTTP/1.1 200 ")
    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()


def test_behind_a_route():
    @validator
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"from WSGI"]

    site = Application([(r"/old/.*", FallbackHandler, {"fallback": WSGIContainer(application)})])
    assert ask(site, b"GET /old/page HTTP/1.1\r\n" + HEAD + b"\r\n").endswith(b"\r\n\r\nfrom WSGI")
