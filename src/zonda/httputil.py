"""HTTP's vocabulary, for servers and clients: the public module `zonda.httputil` (`tornado.httputil`)."""

from typing import Any
from urllib.parse import urlencode as urlencode

from zonda._core.base.face import show
from zonda._core.link.delegates import (
    HTTPConnection,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
)
from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.abnf import parse_parameters as _parse_header
from zonda._core.wire.abnf import render_parameters as _encode_header
from zonda._core.wire.cookies import parse_cookie
from zonda._core.wire.dates import format_timestamp
from zonda._core.wire.errors import HTTPInputError, HTTPOutputError
from zonda._core.wire.form_config import (
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    default_parse_body_config,
    set_parse_body_config,
)
from zonda._core.wire.form_file import HTTPFile
from zonda._core.wire.forms import parse_body_arguments
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.multipart import parse_multipart_form_data
from zonda._core.wire.ranges import content_range as _get_content_range
from zonda._core.wire.ranges import parse_request_range as _parse_request_range
from zonda._core.wire.startline import (
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)
from zonda._core.wire.status import responses
from zonda._core.wire.urls import encode_username_password, qs_to_qsl, split_host_and_port, url_concat

#: Optional white space of RFC 9110, 5.6.3.
HTTP_WHITESPACE = " \t"

__all__ = [
    "HTTP_WHITESPACE",
    "HTTPConnection",
    "HTTPFile",
    "HTTPHeaders",
    "HTTPInputError",
    "HTTPMessageDelegate",
    "HTTPOutputError",
    "HTTPServerConnectionDelegate",
    "HTTPServerRequest",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "RequestStartLine",
    "ResponseStartLine",
    "encode_username_password",
    "format_timestamp",
    "parse_body_arguments",
    "parse_cookie",
    "parse_multipart_form_data",
    "parse_request_start_line",
    "parse_response_start_line",
    "qs_to_qsl",
    "responses",
    "set_parse_body_config",
    "split_host_and_port",
    "url_concat",
]

# Names that programs reach for although they are not documented.
_PRIVATE = (_encode_header, _get_content_range, _parse_header, _parse_request_range)

show(__name__, globals(), __all__)


def __getattr__(name: str) -> Any:
    if name == "_DEFAULT_PARSE_BODY_CONFIG":
        # Looked up each time: set_parse_body_config() replaces it.
        return default_parse_body_config()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
