"""What is asked and what is answered: `HTTPRequest` and `HTTPResponse`."""

import datetime
import ssl
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, ClassVar

from zonda._core.base.clock import wall
from zonda._core.wire.dates import format_timestamp
from zonda._core.wire.headers import HTTPHeaders, headers_from_block
from zonda._core.wire.status import responses
from zonda.escape import utf8

from .errors import HTTPClientError


class HTTPRequest:
    """One request of a client.  Only `url` has to be given.

    `body` is bytes, or text that is sent as UTF-8; `body_producer(write)` writes it piece by piece instead,
    `write` returning an awaitable.  `auth_username`, `auth_password` are for Basic authentication.
    `connect_timeout` (for each connection, and for the queue) and `request_timeout` (the whole fetch,
    redirects included) are seconds, default 20, 0 = none.  `if_modified_since` is a `datetime` or
    seconds since 1970.  `follow_redirects` (default true) up to `max_redirects` (5).
    `decompress_response` (true) asks for gzip and undoes it; `use_gzip` is its older name.
    `network_interface` is a numeric address of ours.  `streaming_callback(bytes)` gets the body piece by
    piece, and the next one when what it returns, if awaitable, is done; `header_callback(str)` gets the
    lines of the final response's head.  `allow_nonstandard_methods` allows unknown methods, and bodies
    where the method has none.  `validate_cert` (true), `ca_certs`, `client_key`, `client_cert` (file
    names) or `ssl_options` (a dictionary, or an `ssl.SSLContext` in place of all four) set TLS up.
    `allow_ipv6` is true by default.  `expect_100_continue` sends the body when the server asks for it.
    `proxy_*` and `prepare_curl_callback` work with `curl_httpclient` alone.

    Source: Tornado documentation, `tornado.httpclient`.
    """

    #: What stands for an attribute that is None.
    _DEFAULTS: ClassVar[dict[str, Any]] = {
        "connect_timeout": 20.0,
        "request_timeout": 20.0,
        "follow_redirects": True,
        "max_redirects": 5,
        "decompress_response": True,
        "proxy_password": "",
        "allow_nonstandard_methods": False,
        "validate_cert": True,
    }

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: dict[str, str] | HTTPHeaders | None = None,
        body: bytes | str | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        auth_mode: str | None = None,
        connect_timeout: float | None = None,
        request_timeout: float | None = None,
        if_modified_since: float | datetime.datetime | None = None,
        follow_redirects: bool | None = None,
        max_redirects: int | None = None,
        user_agent: str | None = None,
        use_gzip: bool | None = None,
        network_interface: str | None = None,
        streaming_callback: Callable[[bytes], Awaitable[None] | None] | None = None,
        header_callback: Callable[[str], None] | None = None,
        prepare_curl_callback: Callable[[Any], None] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str | None = None,
        proxy_auth_mode: str | None = None,
        allow_nonstandard_methods: bool | None = None,
        validate_cert: bool | None = None,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
        body_producer: Callable[[Callable[[bytes], Any]], Awaitable[None] | None] | None = None,
        expect_100_continue: bool = False,
        decompress_response: bool | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        self.headers = headers
        if if_modified_since:
            # On a copy: the dictionary is the caller's.
            self.headers = HTTPHeaders(self.headers)
            self.headers["If-Modified-Since"] = format_timestamp(if_modified_since)
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port
        self.proxy_username = proxy_username
        self.proxy_password = proxy_password
        self.proxy_auth_mode = proxy_auth_mode
        self.url = url
        self.method = method
        self.body = body
        self.body_producer = body_producer
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.auth_mode = auth_mode
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self.user_agent = user_agent
        self.decompress_response = use_gzip if decompress_response is None else decompress_response
        self.network_interface = network_interface
        self.streaming_callback = streaming_callback
        self.header_callback = header_callback
        self.prepare_curl_callback = prepare_curl_callback
        self.allow_nonstandard_methods = allow_nonstandard_methods
        self.validate_cert = validate_cert
        self.ca_certs = ca_certs
        self.allow_ipv6 = allow_ipv6
        self.client_key = client_key
        self.client_cert = client_cert
        self.ssl_options = ssl_options
        self.expect_100_continue = expect_100_continue
        self.start_time = wall()

    @property
    def headers(self) -> Any:
        """The header fields; setting None makes them empty."""
        return self._headers

    @headers.setter
    def headers(self, value: dict[str, str] | HTTPHeaders | None) -> None:
        self._headers = HTTPHeaders() if value is None else value

    @property
    def body(self) -> Any:
        """The body, bytes or None; setting text encodes it."""
        return self._body

    @body.setter
    def body(self, value: bytes | str | None) -> None:
        self._body = utf8(value)


class _RequestProxy:
    """A request, with a client's defaults where it says nothing."""

    def __init__(self, request: HTTPRequest, defaults: dict[str, Any] | None) -> None:
        self.request = request
        self.defaults = defaults

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.request, name)
        if value is not None:
            return value
        return None if self.defaults is None else self.defaults.get(name)


def settled(request: HTTPRequest | _RequestProxy) -> HTTPRequest:
    """A copy in which the defaults stand where the request says nothing."""
    defaults: dict[str, Any] = HTTPRequest._DEFAULTS
    if isinstance(request, _RequestProxy):
        defaults = request.defaults or {}
        request = request.request
    copied = object.__new__(type(request))
    copied.__dict__ = attributes = request.__dict__.copy()
    for name, value in defaults.items():
        if name in attributes:
            if attributes[name] is None:
                attributes[name] = value
        elif getattr(copied, name, None) is None:
            # A property, or what stands on a class of the application's own.
            setattr(copied, name, value)
    return copied


class HTTPResponse:
    """The answer to a fetch.

    `request` is what was asked, before any redirect; `code` the status, 599 where none came; `reason` its
    phrase; `headers` an `HTTPHeaders`; `effective_url` where the answer came from; `buffer` the body as a
    file; `error` an exception, or None for a status of 200 to 299; `request_time` seconds from start to
    end, `start_time` seconds since 1970, `time_info` a dictionary of times of phases, in seconds.
    Source: Tornado documentation, `tornado.httpclient`.
    """

    #: The fields as they came, until they are read (see `RequestHead.block`).
    _block = ""
    _body: bytes | None = None
    _error: BaseException | None = None

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        headers: HTTPHeaders | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
    ) -> None:
        self.request: HTTPRequest = request.request if isinstance(request, _RequestProxy) else request
        self.code = code
        self.reason = reason or responses.get(code, "Unknown")
        self._headers = headers
        self.buffer = buffer
        self.effective_url = request.url if effective_url is None else effective_url
        #: Whether `error` says no more than `code` does.
        self._error_is_response_code = error is None and not 200 <= code < 300
        if error is not None:
            self._error = error
        self.request_time = request_time
        self.start_time = start_time
        self.time_info = time_info or {}

    @property
    def headers(self) -> HTTPHeaders:
        """The header fields."""
        if self._headers is None:
            self._headers = headers_from_block(self._block)
        return self._headers

    @headers.setter
    def headers(self, value: HTTPHeaders) -> None:
        self._headers = value

    @property
    def error(self) -> BaseException | None:
        """What went wrong, or None."""
        if self._error_is_response_code:
            # Made anew each time: kept, it and the response would hold each other.
            return HTTPClientError(self.code, self.reason, self)
        return self._error

    @error.setter
    def error(self, value: BaseException | None) -> None:
        self._error = value
        self._error_is_response_code = False

    @property
    def body(self) -> bytes:
        """The body; empty if it went to a `streaming_callback`."""
        if self._body is None:
            self._body = b"" if self.buffer is None else self.buffer.getvalue()
        return self._body

    def rethrow(self) -> None:
        """Raises `error`, if there is one."""
        error = self.error
        if error is not None:
            raise error

    def __repr__(self) -> str:
        return "HTTPResponse({})".format(",".join(f"{k}={v!r}" for k, v in sorted(vars(self).items())))
