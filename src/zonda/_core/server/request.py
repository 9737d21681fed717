"""`HTTPServerRequest`: one request as handlers see it."""

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

from zonda._core.base.clock import monotonic
from zonda._core.link.delegates import HTTPConnection
from zonda._core.link.exchange import Exchange
from zonda._core.wire.cookies import is_cookie_name, parse_cookie, request_cookies
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.form_config import default_parse_body_config
from zonda._core.wire.form_file import HTTPFile
from zonda._core.wire.forms import parse_body_arguments
from zonda._core.wire.headers import HTTPHeaders, headers_from_block
from zonda._core.wire.startline import RequestStartLine
from zonda._core.wire.urls import split_host_and_port
from zonda.escape import parse_qs_bytes

_new = object.__new__


class _Computed:
    """An attribute that is computed when it is first read, unless it was set before."""

    __slots__ = ("_compute", "_name")

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    # There is no __set__: what the instance has is found before this is asked.
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = self._compute(instance)
        setattr(instance, self._name, value)
        return value


def _computed(compute: Callable[[Any], Any]) -> Any:
    return _Computed(compute)


def _headers(request: "HTTPServerRequest") -> HTTPHeaders:
    exchange = request._exchange
    return HTTPHeaders() if exchange is None else headers_from_block(exchange.head.block[2:])


def _host(request: "HTTPServerRequest") -> str:
    exchange = request._exchange
    if exchange is not None:
        return exchange.head.host or "127.0.0.1"
    host: str = request.headers.get("Host") or "127.0.0.1"
    return host


def _host_name(request: "HTTPServerRequest") -> str:
    return split_host_and_port(request.host.lower())[0]


def _remote_ip(request: "HTTPServerRequest") -> str | None:
    return _seen_by_proxy(request)[0]


def _protocol(request: "HTTPServerRequest") -> str:
    return _seen_by_proxy(request)[1]


def _seen_by_proxy(request: "HTTPServerRequest") -> tuple[str | None, str]:
    exchange = request._exchange
    if exchange is None:
        context = getattr(request.connection, "context", None)
        return getattr(context, "remote_ip", None), getattr(context, "protocol", "http")
    peer = exchange.peer
    if peer.proxy is None:
        return peer.ip, peer.protocol
    return peer.proxy.client(request.headers, peer.ip, peer.protocol)


def _arguments(request: "HTTPServerRequest") -> dict[str, list[bytes]]:
    return {name: list(values) for name, values in request.query_arguments.items()}


class HTTPServerRequest:
    """A single HTTP request.

    `method`, `uri`, `path`, `query`, `version`, `headers`, `body`, `remote_ip`, `protocol`, `host`,
    `arguments` (query and body together), `query_arguments`, `body_arguments`, `files`, `connection`.
    Arguments are lists of bytes, as sent.  What a handler does not read is not computed.

    Raises `HTTPInputError` for more query arguments than `Limits.arguments` allows.
    Source: Tornado documentation, `tornado.httputil`.
    """

    method: str
    uri: str
    path: str
    query: str = ""
    body: bytes = b""
    version: str = _computed(lambda request: request._exchange.head.version)
    _body_parsed = False
    _cookies: SimpleCookie | None = None
    #: What the Cookie field was when it was parsed, and its cookies.
    _parsed_cookies: tuple[str, dict[str, str]] = ("", {})
    _finish_time: float | None = None
    connection: Any = None
    headers: HTTPHeaders = _computed(_headers)
    host: str = _computed(_host)
    host_name: str = _computed(_host_name)
    remote_ip: str = _computed(_remote_ip)
    protocol: str = _computed(_protocol)
    query_arguments: dict[str, list[bytes]] = _computed(lambda request: {})
    arguments: dict[str, list[bytes]] = _computed(_arguments)
    body_arguments: dict[str, list[bytes]] = _computed(lambda request: {})
    files: dict[str, list[HTTPFile]] = _computed(lambda request: {})
    server_connection: object = _computed(
        lambda request: request._exchange and request._exchange.server_connection
    )

    def __init__(
        self,
        method: str | None = None,
        uri: str | None = None,
        version: str = "HTTP/1.0",
        headers: HTTPHeaders | None = None,
        body: bytes | None = None,
        host: str | None = None,
        files: dict[str, list[HTTPFile]] | None = None,
        connection: HTTPConnection | None = None,
        start_line: RequestStartLine | None = None,
        server_connection: object | None = None,
    ) -> None:
        if start_line is not None:
            method, uri, version = start_line
        if uri is None:
            raise ValueError("an HTTPServerRequest needs a uri, or a start_line")
        self.method = method or ""
        self.uri = uri
        self.version = version
        self.headers = headers if headers is not None else HTTPHeaders()
        if body:
            self.body = body
        if host:
            self.host = host
        if files is not None:
            self.files = files
        self.connection = connection
        self.server_connection = server_connection
        self._start_time = monotonic()
        self._exchange = connection if isinstance(connection, Exchange) else None
        self._split_uri(uri)

    def _split_uri(self, uri: str) -> None:
        self.path, _, self.query = uri.partition("?")
        self.query_arguments = self._parse_query() if self.query else {}

    def _parse_query(self) -> dict[str, list[bytes]]:
        most = default_parse_body_config().urlencoded.max_arguments
        try:
            return parse_qs_bytes(self.query, keep_blank_values=True, max_num_fields=most)
        except ValueError as error:
            raise HTTPInputError(f"Invalid query string: {error}") from None

    @property
    def cookies(self) -> SimpleCookie:
        """The request's cookies, as `http.cookies.Morsel` objects by name."""
        jar = self._cookies
        if jar is None:
            jar = self._cookies = request_cookies(self._cookie_text())
        return jar

    def _cookie(self, name: str) -> str | None:
        """The value of one cookie, without the objects of `cookies` unless somebody has asked for those."""
        jar = self._cookies
        if jar is not None:
            morsel = jar.get(name)
            return None if morsel is None else morsel.value
        text = self._cookie_text()
        parsed, values = self._parsed_cookies
        if text != parsed:
            values = parse_cookie(text)
            self._parsed_cookies = text, values
        return values[name] if name in values and is_cookie_name(name) else None

    def _cookie_text(self) -> str:
        # HTTP/2 clients send a field for each cookie (RFC 9113 section 8.2.3).
        return self._field("Cookie", "; ") or ""

    def _field(self, name: str, between: str = ",") -> str | None:
        """The values of a header, without taking all apart if nobody has yet; None if it is not there."""
        exchange = self._exchange
        if exchange is not None and "headers" not in self.__dict__:
            return exchange.head.joined(name.lower(), between)
        values = self.headers.get_list(name)
        return between.join(values) if values else None

    def full_url(self) -> str:
        """The URL of this request as the client wrote it: protocol, host, uri."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Seconds from the request's start to its end, or to now while it goes on."""
        end = self._finish_time
        return (monotonic() if end is None else end) - self._start_time

    def get_ssl_certificate(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """The client's TLS certificate: as a dictionary, or in DER with `binary_form`; None if there is none.

        Source: `ssl.SSLSocket.getpeercert`.
        """
        tls = self._exchange.peer.ssl_object if self._exchange is not None else None
        if tls is None:
            return None
        certificate: dict[str, Any] | bytes | None = tls.getpeercert(binary_form)
        return certificate

    def _parse_body(self) -> None:
        """Reads a form into `arguments`, `body_arguments` and `files`, once; raises `HTTPInputError`."""
        if self._body_parsed:
            return
        self._body_parsed = True
        body_arguments: dict[str, list[bytes]] = {}
        files: dict[str, list[HTTPFile]] = {}
        content_type = self.headers.get("Content-Type", "")
        parse_body_arguments(content_type, self.body, body_arguments, files, self.headers)
        self.body_arguments = body_arguments
        self.files = files
        for name, values in body_arguments.items():
            self.arguments.setdefault(name, []).extend(values)

    def __repr__(self) -> str:
        names = ("protocol", "host", "method", "uri", "version", "remote_ip")
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"


def request_of(exchange: Exchange) -> HTTPServerRequest:
    """The request of an exchange; the rest of the attributes come when they are asked for."""
    request = _new(HTTPServerRequest)
    head = exchange.head
    request.method = head.method
    request.uri = uri = head.target
    request.connection = request._exchange = exchange
    request._start_time = monotonic()
    request.body = exchange.body
    if "?" in uri:
        request._split_uri(uri)
    else:
        request.path = uri
    return request
