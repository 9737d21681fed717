"""The way of an answer: pieces written, the head completed, everything handed to the connection once."""

import asyncio
import datetime
import re
from typing import TYPE_CHECKING, Any

from zonda._core.base.clock import wall
from zonda._core.net.errors import StreamClosedError
from zonda._core.net.futures import done_future
from zonda._core.wire.dates import format_timestamp, http_date
from zonda._core.wire.fields import canonical, is_token
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import ResponseStartLine
from zonda._core.wire.status import responses
from zonda.escape import json_encode, utf8

if TYPE_CHECKING:
    from .handler_like import Handler

#: Characters that a header value must not hold; what may stand there else is the wire's to say.
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: A phrase of which nothing can come loose: neither another header, nor markup in the error page.
_REASON = re.compile(r"[\t\x20-;=-~\x80-\xff]*")

#: Methods whose answers get an entity tag.
_TAGGED = frozenset({"GET", "HEAD"})

#: Fields that describe a body, and have no place where there is none (204, 304).
_REPRESENTATION = ("Content-Encoding", "Content-Language", "Content-Type")

_new = object.__new__

#: What answers began with last: the second, the server, the fields.
_usual: tuple[float, str, dict[str, str | list[str]]] = (0.0, "", {})


def header_value(value: Any) -> str:
    """A header value from what `set_header` takes: text, bytes, a whole number, a datetime.

    Raises `TypeError` for anything else, `ValueError` for control characters and what is not Latin-1.
    """
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        text = value
    elif isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, datetime.datetime):
        return format_timestamp(value)
    else:
        raise TypeError(f"Unsupported header value {value!r}: str, bytes, int and datetime are allowed")
    if _UNSAFE.search(text):
        raise ValueError(f"Unsafe header value {text[:200]!r}: control characters are not allowed")
    if max(text, default="") > "\xff":
        raise ValueError(f"Unsafe header value {text[:200]!r}: it must fit Latin-1")
    return text


def header_name(name: str) -> str:
    """Checks that a name of a header is a token; raises `ValueError`."""
    if name not in canonical and not is_token(name):
        raise ValueError(f"Unsafe header name {name[:200]!r}: a token is allowed")
    return name


def to_bytes(handler: "Handler", chunk: Any) -> bytes:
    """What `write` takes, as bytes; a dict as JSON."""
    if isinstance(chunk, dict):
        handler.set_header("Content-Type", "application/json; charset=UTF-8")
        chunk = json_encode(chunk)
    elif not isinstance(chunk, bytes | str):
        message = "write() only accepts bytes, unicode, and dict objects"
        if isinstance(chunk, list):
            message += ": lists are not accepted for security reasons, wrap them in a dict"
        raise TypeError(message)
    data: bytes = utf8(chunk)
    return data


def flush(handler: "Handler") -> "asyncio.Future[None]":
    """Sends what was written so far; the head with it, the first time."""
    chunk = b"".join(handler._write_buffer)
    handler._write_buffer = []
    connection = handler.request.connection
    if handler._headers_written:
        for transform in handler._transforms:
            chunk = transform.transform_chunk(chunk, handler._finished)
        # Of an answer to HEAD there is nothing but the head.
        if chunk and handler.request.method != "HEAD":
            future: asyncio.Future[None] = connection.write(chunk)
            return future
        return done_future(asyncio.get_running_loop())
    handler._headers_written = True
    headers = handler._headers
    for transform in handler._transforms:
        handler._status_code, headers, chunk = transform.transform_first_chunk(
            handler._status_code, headers, chunk, handler._finished
        )
        handler._headers = headers
    add_new_cookies(handler)
    if handler.request.method == "HEAD":
        chunk = b""
    start_line = ResponseStartLine("", handler._status_code, handler._reason)
    future = connection.write_headers(start_line, headers, chunk or None)
    return future


def add_new_cookies(handler: "Handler") -> None:
    cookies = handler._new_cookies
    if cookies:
        for cookie in cookies.values():
            handler._headers.add("Set-Cookie", cookie)


def clear_representation(handler: "Handler") -> None:
    for name in _REPRESENTATION:
        handler.clear_header(name)


def send(handler: "Handler") -> "asyncio.Future[None]":
    """Ends the answer: in one piece where nothing of it has been sent."""
    request = handler.request
    exchange = request._exchange
    connection = request.connection
    if handler._headers_written:
        future = flush(handler)
        connection.finish()
        return future
    # The body is whole: its tag, its length, and whether the client has it (304), go into the head.
    status = handler._status_code
    fields = handler._headers._map
    body = b"".join(handler._write_buffer)
    # A tag that the handler has set itself stands.
    if status == 200 and request.method in _TAGGED and "Etag" not in fields:
        handler.set_etag_header()
        if handler.check_etag_header():
            handler._write_buffer = []
            body = b""
            handler.set_status(304)
            status = 304
    as_announced = True
    if status == 200 or (status > 200 and status != 204 and status != 304):
        length = str(len(body))
        if fields.setdefault("Content-Length", length) != length:
            # The handler announced another length; of an answer to HEAD, perhaps rightly.
            as_announced = not body and request.method == "HEAD"
    elif body:
        raise RuntimeError(f"Cannot send body with {status}")
    else:
        clear_representation(handler)
    if exchange is None or exchange is not connection or handler._transforms or not as_announced:
        # Transforms may change all of it; of another length than announced, the framing finds out.
        future = flush(handler)
        connection.finish()
        return future
    handler._headers_written = True
    if handler._new_cookies is not None:
        add_new_cookies(handler)
    try:
        return exchange.respond(status, handler._reason, fields, body)
    except StreamClosedError:
        # The client went away: whoever waits for the answer learns of it, and nobody else has to.
        return exchange.drained()


def reason_of(status: int, reason: str | None) -> str:
    """The reason phrase of a status: the caller's, else the usual one; `Unknown` for an unsafe one."""
    if reason is None:
        return responses.get(status, "Unknown")
    return reason if _REASON.fullmatch(reason) else "Unknown"


def default_headers(server: str) -> HTTPHeaders:
    """What every answer begins with."""
    global _usual
    second, known, fields = _usual
    if not 0.0 <= wall() - second < 1.0 or known != server:
        second = float(int(wall()))
        fields = {
            "Server": server,
            "Content-Type": "text/html; charset=UTF-8",
            "Date": http_date(second),
        }
        _usual = second, server, fields
    headers: HTTPHeaders = _new(HTTPHeaders)
    headers._map = fields.copy()
    return headers


def days_from_now(days: float) -> datetime.datetime:
    """The moment that many days from now, in UTC."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
