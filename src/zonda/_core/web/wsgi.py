"""`WSGIContainer`: applications of the synchronous standard (PEP 3333) on this server."""

import concurrent.futures
import functools
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from zonda._core.net.loop import IOLoop
from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import ResponseStartLine
from zonda._core.wire.status import responses
from zonda._core.wire.urls import split_host_and_port
from zonda.concurrent import DummyExecutor, dummy_executor
from zonda.log import access_log, app_log

from .application_settings import SERVER_NAME
from .start import run_later

#: What a WSGI application is: called with (environ, start_response), answers with pieces of the body.
WSGIApplication = Callable[[dict[str, Any], Callable[..., Callable[[bytes], Any]]], Iterable[bytes]]

#: Not for applications: Proxy would be read as the variable HTTP_PROXY by what the application starts
#: (CVE-2016-5385); how the body was framed is over, it is whole in `wsgi.input`.
_KEPT_BACK = frozenset({"Proxy", "Transfer-Encoding", "Content-Length", "Content-Type"})
#: Statuses whose answers have no body (RFC 9110, section 6.4.1).
_BODILESS = frozenset({204, 304})
_DEFAULT_TYPE = "text/html; charset=UTF-8"


def to_wsgi_str(s: bytes) -> str:
    """Bytes as PEP 3333 wants them in an environ: a `str` of the characters 0 to 255."""
    return s.decode("latin-1")


class WSGIContainer:
    """Serves a WSGI application: give it to `HTTPServer`, to a rule, or to `FallbackHandler`.

    The application runs on `executor`; without one it runs on the loop's thread, and nothing else
    runs meanwhile.  An application, all that it yields and its `close()` run in one thread.  The answer
    is sent when it is whole.  An application that fails, or does not call `start_response`, gets a line in
    the log and its client a 500.

    Source: Tornado documentation, `tornado.wsgi`; PEP 3333.
    """

    def __init__(
        self, wsgi_application: WSGIApplication, executor: concurrent.futures.Executor | None = None
    ) -> None:
        self.wsgi_application = wsgi_application
        self.executor: concurrent.futures.Executor = dummy_executor if executor is None else executor

    def __call__(self, request: HTTPServerRequest) -> None:
        """Answers a request whose body is there already."""
        run_later(self.handle_request(request))

    async def handle_request(self, request: HTTPServerRequest) -> None:
        """Runs the application and sends its answer."""
        run = functools.partial(_run, self.wsgi_application, self.environ(request))
        try:
            answer = await IOLoop.current().run_in_executor(self.executor, run)
            status, sent = self._send(request, answer)
        except Exception:
            # %.200r: an address is the client's, and can be long.
            app_log.error(
                "Uncaught exception in the WSGI application for %s %.200r",
                request.method,
                request.uri,
                exc_info=True,
            )
            status, sent = self._send(request, _failure())
        self._log(status, request)
        try:
            await sent
        except OSError:
            # The client has gone; nobody misses the answer.
            return

    def _send(self, request: HTTPServerRequest, answer: "_Answer") -> tuple[int, Awaitable[None]]:
        """Sends an answer; raises, and has sent nothing, if it is not fit for it."""
        start_line, headers, body = answer.printable(request.method)
        sent: Awaitable[None] = request.connection.write_headers(start_line, headers, body)
        request.connection.finish()
        return start_line.code, sent

    def environ(self, request: HTTPServerRequest) -> dict[str, Any]:
        """The variables of a request as PEP 3333 names them.

        A field whose name has an underscore is left out: in `HTTP_...` it could not be told from the one
        with a hyphen, which a proxy in front may have checked.  So is `Proxy`.
        """
        host, port = split_host_and_port(request.host)
        if port is None:
            port = 443 if request.protocol == "https" else 80
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": to_wsgi_str(unquote_to_bytes(request.path.encode("latin-1"))),
            "QUERY_STRING": request.query,
            "REMOTE_ADDR": request.remote_ip,
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": request.version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": request.protocol,
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": not isinstance(self.executor, DummyExecutor),
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        headers = request.headers
        if "Content-Type" in headers:
            environ["CONTENT_TYPE"] = headers["Content-Type"]
        if "Content-Length" in headers or request.body:
            # The body as the application gets it, whatever framed or compressed it.
            environ["CONTENT_LENGTH"] = str(len(request.body))
        for name in headers:
            if name not in _KEPT_BACK and "_" not in name:
                between = "; " if name == "Cookie" else ","
                environ["HTTP_" + name.upper().replace("-", "_")] = between.join(headers.get_list(name))
        return environ

    def _log(self, status_code: int, request: HTTPServerRequest) -> None:
        level = logging.INFO if status_code < 400 else logging.WARNING if status_code < 500 else logging.ERROR
        if access_log.isEnabledFor(level):
            summary = f"{request.method} {request.uri} ({request.remote_ip})"
            access_log.log(level, "%d %s %.2fms", status_code, summary, 1000.0 * request.request_time())


class _Answer:
    """What an application says and yields."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.fields: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        # Nothing is sent before all is there, so an error may always replace what was said before.
        self.status = status
        self.fields = headers
        return self.pieces.append

    def printable(self, method: str) -> tuple[ResponseStartLine, HTTPHeaders, bytes]:
        """First line, fields and body; raises `ValueError` for what cannot be sent."""
        if self.status is None:
            raise ValueError("the WSGI application did not call start_response")
        code_text, _, reason = self.status.partition(" ")
        if len(code_text) != 3 or not (code_text.isascii() and code_text.isdigit() and code_text >= "200"):
            raise ValueError(f"the WSGI application gave status {self.status!r}; '200 OK' is the form")
        code = int(code_text)
        headers = HTTPHeaders()
        for name, value in self.fields:
            headers.add(name, value)
        if "Transfer-Encoding" in headers:
            raise ValueError(
                "the WSGI application gave Transfer-Encoding; framing is the server's (PEP 3333)"
            )
        body = b"".join(self.pieces)
        if code in _BODILESS:
            body = b""
        else:
            length = headers.setdefault("Content-Length", str(len(body)))
            # The answer to HEAD has the length that GET's would have, and may have come without a body.
            if length != str(len(body)) and (body or method != "HEAD"):
                raise ValueError(f"the WSGI application gave {len(body)} bytes; Content-Length is {length!r}")
            headers.setdefault("Content-Type", _DEFAULT_TYPE)
        headers.setdefault("Server", SERVER_NAME)
        start_line = ResponseStartLine("HTTP/1.1", code, reason or responses.get(code, "Unknown"))
        return start_line, headers, b"" if method == "HEAD" else body


def _run(application: WSGIApplication, environ: dict[str, Any]) -> _Answer:
    """Calls an application, gathers what it yields, closes it."""
    answer = _Answer()
    pieces = application(environ, answer.start_response)
    try:
        answer.pieces.extend(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    return answer


def _failure() -> _Answer:
    answer = _Answer()
    answer.start_response("500 Internal Server Error", [("Content-Type", "text/plain; charset=UTF-8")])
    answer.pieces.append(b"500: Internal Server Error\n")
    return answer
