"""One request on libcurl: what libcurl is told of it, and what it tells of the answer."""

import contextvars
import functools
import logging
import unicodedata
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pycurl

from zonda import __version__
from zonda._core.wire.fields import is_token
from zonda._core.wire.headers import HTTPHeaders
from zonda.escape import utf8
from zonda.log import app_log

from .api import Callback
from .curl_body import _CurlStreamingBuffer
from .message import HTTPRequest

curl_log = logging.getLogger("zonda.curl_httpclient")

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_METHODS = _WITH_BODY | {"GET", "HEAD", "DELETE", "OPTIONS"}
_LINE_ENDS = frozenset("\r\n\0")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AUTH_MODES = {None: pycurl.HTTPAUTH_BASIC, "basic": pycurl.HTTPAUTH_BASIC, "digest": pycurl.HTTPAUTH_DIGEST}


class Transfer:
    """A fetch: one handle of libcurl's for each of its hops, so that nothing of one is left for another.

    Redirects are followed by our own rules (`redirect.py`), not by libcurl's, which keep the client
    certificate for another origin.
    """

    def __init__(
        self, client: Any, request: HTTPRequest, asked: HTTPRequest, callback: Callback, since: float
    ) -> None:
        self.client = client
        #: As it was given.
        self.asked = asked
        #: The hop under way, with the client's defaults.
        self.request = request
        self.callback = callback
        self.context = contextvars.copy_context()
        self.since = since
        self.started = since
        self.curl: Any = None
        self.timer: Any = None
        self._reset()

    def _reset(self) -> None:
        self.headers = HTTPHeaders()
        self.status = 0
        self.reason = ""
        #: Where this hop leads, if that is to be followed.
        self.location: str | None = None
        self.body = BytesIO()
        self.streamed: _CurlStreamingBuffer | None = None
        self.body_too_large = False
        #: Bytes of the body of a redirect.
        self.skipped = 0
        self.failure: BaseException | None = None
        self._lines: list[str] = []
        self._in_head = False

    def set_up(self, now: float) -> Any:
        """A handle for the present hop.  Raises `KeyError`, `ValueError` for what cannot be asked."""
        self._reset()
        self.curl = curl = pycurl.Curl()
        request = self.request
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.URL, utf8(request.url))
        _set_times(curl, request, now - self.since)
        _set_method(curl, request)
        curl.setopt(pycurl.HTTPHEADER, _field_lines(request))
        if request.decompress_response:
            curl.setopt(pycurl.ENCODING, "gzip,deflate")
        if request.network_interface:
            curl.setopt(pycurl.INTERFACE, request.network_interface)
        if not request.allow_ipv6:
            curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
        _set_proxy(curl, request)
        _set_authentication(curl, request)
        _set_tls(curl, request)
        if curl_log.isEnabledFor(logging.DEBUG):
            curl.setopt(pycurl.VERBOSE, 1)
            curl.setopt(pycurl.DEBUGFUNCTION, _log_debug)
        curl.setopt(pycurl.HEADERFUNCTION, self._take_line)
        if request.streaming_callback is not None:
            run: Any = self.context.run
            pass_on = functools.partial(run, request.streaming_callback)
            self.streamed = _CurlStreamingBuffer(self.client, curl, pass_on)
        curl.setopt(pycurl.WRITEFUNCTION, self._take_body)
        if request.prepare_curl_callback is not None:
            request.prepare_curl_callback(curl)
        return curl

    def close_hop(self) -> None:
        """The hop is over: its handle, and what it holds of us, goes."""
        if self.streamed is not None:
            self.body_too_large = self.streamed.body_too_large
            streamed, self.streamed = self.streamed, None
            streamed.detach()
        if self.curl is not None:
            curl, self.curl = self.curl, None
            curl.close()

    # ---- called by libcurl; what is raised here it would only print

    def _take_line(self, line: bytes) -> int | None:
        text = line.decode("latin-1")
        if not self._in_head:
            if not text.startswith("HTTP/"):
                return None  # a trailer, which is no field of the head
            # Each 1xx, and each answer to an attempt to log in, comes with a head of its own.
            self._in_head = True
            self.headers = HTTPHeaders()
            self._lines = []
            code, _, reason = text.partition(" ")[2].strip().partition(" ")
            self.status = int(code) if code.isascii() and code.isdigit() else 0
            self.reason = reason
        self._lines.append(text)
        if text in ("\r\n", "\n"):
            self._in_head = False
            self._head_received()
        elif len(self._lines) > 1:
            try:
                self.headers.parse_line(text)
            except Exception as error:
                self.failure = error
                return -1
        return None

    def _head_received(self) -> None:
        request = self.request
        if self.status in _REDIRECTS and request.follow_redirects and (request.max_redirects or 0) > 0:
            self.location = self.headers.get("Location")
        if self.status >= 200 and self.location is None and request.header_callback is not None:
            for line in self._lines:
                self.client.io_loop.add_callback(self.context.run, _guarded, request.header_callback, line)
        self._lines = []

    def _take_body(self, chunk: bytes) -> int | None:
        if self.location is not None:
            # Of no interest: another answer is awaited.  A long one costs the connection.
            self.skipped += len(chunk)
            return None if self.skipped <= self.client.max_body_size else 0
        if self.streamed is not None:
            return self.streamed.write(chunk)
        if self.body.tell() + len(chunk) > self.client.max_body_size:
            self.body_too_large = True
            return 0
        self.body.write(chunk)
        return None


def _guarded(callback: Callable[[str], None], line: str) -> None:
    try:
        callback(line)
    except Exception:
        app_log.error("Exception in callback %r", callback, exc_info=True)


def _log_debug(kind: int, text: bytes) -> None:
    # libcurl's own words (kind 0) and no more: heads hold passwords, cookies and keys.
    if kind == 0:
        curl_log.debug("%s", text.decode("utf-8", "backslashreplace").rstrip())


def _set_times(curl: Any, request: HTTPRequest, spent: float) -> None:
    if request.connect_timeout:
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(1000 * request.connect_timeout)))
    if request.request_timeout:
        # For the whole fetch: what earlier hops and the queue have taken is gone.
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(1000 * (request.request_timeout - spent))))


def _set_method(curl: Any, request: HTTPRequest) -> None:
    method, body = request.method, request.body
    if not is_token(method):
        raise ValueError(f"a method is a token (RFC 9110, 9.1), not {method!r}")
    if request.body_producer is not None:
        raise ValueError("body_producer is for simple_httpclient; curl_httpclient takes a body")
    if not request.allow_nonstandard_methods:
        if method not in _METHODS:
            raise KeyError(f"unknown method {method}")
        if (body is not None) != (method in _WITH_BODY):
            raise ValueError(
                f"Body must {'not ' if body is None else ''}be None for method {method} "
                "(unless allow_nonstandard_methods is true)"
            )
    if method == "GET" and body is not None:
        raise ValueError("Body must be None for method GET")
    if method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif body is not None or method in _WITH_BODY:
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDS, b"" if body is None else body)
        if method != "POST":
            curl.setopt(pycurl.CUSTOMREQUEST, method)
    elif method != "GET":
        curl.setopt(pycurl.CUSTOMREQUEST, method)


def _field_lines(request: HTTPRequest) -> list[bytes]:
    headers = HTTPHeaders(request.headers)
    if request.user_agent:
        headers["User-Agent"] = request.user_agent
    headers.setdefault("User-Agent", f"zonda/{__version__}")
    lines = []
    for name, value in headers.get_all():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if not is_token(name) or not _LINE_ENDS.isdisjoint(text):
            raise ValueError(f"CR, LF, NUL or no name in a request header: {name!r}: {text!r}")
        # To libcurl `Name:` is to leave the field out, `Name;` to send it empty.
        lines.append(f"{name}: {text}".encode("latin-1") if text.strip() else f"{name};".encode("latin-1"))
    if request.body is not None and request.method != "POST" and "Content-Type" not in headers:
        lines.append(b"Content-Type:")  # that of a form, which libcurl would add
    if "Expect" not in headers:
        # libcurl asks by itself before large bodies.
        lines.append(b"Expect: 100-continue" if request.expect_100_continue else b"Expect:")
    return lines


def _set_proxy(curl: Any, request: HTTPRequest) -> None:
    if not (request.proxy_host and request.proxy_port):
        return
    curl.setopt(pycurl.PROXY, request.proxy_host)
    curl.setopt(pycurl.PROXYPORT, request.proxy_port)
    if request.proxy_username:
        curl.setopt(pycurl.PROXYUSERNAME, _credential(request.proxy_username))
        curl.setopt(pycurl.PROXYPASSWORD, _credential(request.proxy_password))
    curl.setopt(pycurl.PROXYAUTH, _auth_mode("proxy_auth_mode", request.proxy_auth_mode))


def _set_authentication(curl: Any, request: HTTPRequest) -> None:
    if request.auth_username is not None:
        curl.setopt(pycurl.USERNAME, _credential(request.auth_username))
        curl.setopt(pycurl.PASSWORD, _credential(request.auth_password))
        curl.setopt(pycurl.HTTPAUTH, _auth_mode("auth_mode", request.auth_mode))


def _credential(text: str | bytes | None) -> bytes:
    # RFC 7617, section 2.1.
    return text if isinstance(text, bytes) else unicodedata.normalize("NFC", text or "").encode()


def _auth_mode(name: str, mode: str | None) -> int:
    if mode not in _AUTH_MODES:
        raise ValueError(f"unsupported {name} {mode}; allowed are basic and digest")
    return int(_AUTH_MODES[mode])


def _set_tls(curl: Any, request: HTTPRequest) -> None:
    if request.ssl_options is not None:
        raise ValueError("ssl_options not supported in curl_httpclient")
    curl.setopt(pycurl.SSL_VERIFYPEER, 1 if request.validate_cert else 0)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if request.validate_cert else 0)
    if request.ca_certs is not None:
        curl.setopt(pycurl.CAINFO, request.ca_certs)
    if request.client_cert is not None:
        curl.setopt(pycurl.SSLCERT, request.client_cert)
    if request.client_key is not None:
        curl.setopt(pycurl.SSLKEY, request.client_key)
