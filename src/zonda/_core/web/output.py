"""The way of an answer: pieces written, the head completed, everything handed to the connection once."""

import asyncio
import datetime
import re
from http.client import responses
from typing import TYPE_CHECKING, Any

from zonda._core.base.clock import wall
from zonda._core.link.exchange import Exchange
from zonda._core.wire.dates import format_timestamp, http_date
from zonda._core.wire.fields import canonical, check_field_name
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import ResponseStartLine
from zonda.escape import json_encode, utf8

if TYPE_CHECKING:
    from .handler_like import Handler

#: Characters that a header value must not hold; what may stand there else is the wire's to say.
_UNSAFE = re.compile(r"[\x00-\x1f]")

#: Fields that describe a body, and have no place where there is none (204, 304).
_REPRESENTATION = ("Content-Encoding", "Content-Language", "Content-Type")


class _Date:
    """The Date field, printed once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        second = int(wall())
        if second != self._second:
            self._text = http_date(second)
            self._second = second
        return self._text


date_now = _Date().now


def header_value(value: Any) -> str:
    """A header value from what `set_header` takes: text, bytes, a whole number, a datetime.

    Raises `TypeError` for anything else, `ValueError` for control characters.
    """
    if isinstance(value, str):
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
    return text


def header_name(name: str) -> str:
    """Checks that a name of a header is a token; raises `ValueError`."""
    if name not in canonical:
        check_field_name(name)
    return name


def write(handler: "Handler", chunk: str | bytes | dict[Any, Any]) -> None:
    if handler._finished:
        raise RuntimeError("Cannot write() after finish()")
    if type(chunk) is not bytes:
        if isinstance(chunk, dict):
            chunk = json_encode(chunk)
            handler.set_header("Content-Type", "application/json; charset=UTF-8")
        elif not isinstance(chunk, bytes | str):
            message = "write() only accepts bytes, unicode, and dict objects"
            if isinstance(chunk, list):
                message += (
                    ". Lists not accepted for security reasons; see "
                    "http://www.tornadoweb.org/en/stable/web.html#tornado.web.RequestHandler.write"
                )
            raise TypeError(message)
        chunk = utf8(chunk)
    handler._write_buffer.append(chunk)


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
        return done()
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
    cookies = handler.__dict__.get("_new_cookies")
    if cookies:
        for cookie in cookies.values():
            handler._headers.add("Set-Cookie", cookie)


def complete_head(handler: "Handler") -> None:
    """Etag, 304, Content-Length: what an answer says of a body that is whole."""
    status = handler._status_code
    if status == 200 and handler.request.method in ("GET", "HEAD"):
        handler.set_etag_header()
        if handler.check_etag_header():
            handler._write_buffer = []
            handler.set_status(304)
            status = 304
    if status in (204, 304) or 100 <= status < 200:
        if handler._write_buffer:
            raise RuntimeError(f"Cannot send body with {status}")
        clear_representation(handler)
    elif "Content-Length" not in handler._headers._map:
        length = sum(map(len, handler._write_buffer))
        handler._headers._map["Content-Length"] = str(length)


def clear_representation(handler: "Handler") -> None:
    for name in _REPRESENTATION:
        handler.clear_header(name)


def send(handler: "Handler") -> "asyncio.Future[None]":
    """Ends the answer: in one piece where nothing of it has been sent."""
    request = handler.request
    connection = request.connection
    if not handler._headers_written and not handler._transforms and isinstance(connection, Exchange):
        handler._headers_written = True
        if "_new_cookies" in handler.__dict__:
            add_new_cookies(handler)
        buffer = handler._write_buffer
        body = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        handler._write_buffer = []
        fields = handler._headers._map
        if fields.get("Content-Length", "") != str(len(body)) and body:
            # The handler announced another length: let the framing find out.
            connection.write_headers(
                ResponseStartLine("", handler._status_code, handler._reason), handler._headers, body
            )
            connection.finish()
        else:
            connection.respond(handler._status_code, handler._reason, fields, body)
        return done()
    future = flush(handler)
    connection.finish()
    return future


def done() -> "asyncio.Future[None]":
    """A future that is done."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def reason_of(status: int, reason: str | None) -> str:
    """The reason phrase of a status; raises `ValueError` for control characters in one of the caller's."""
    if reason is None:
        return responses.get(status, "Unknown")
    if _UNSAFE.search(reason):
        raise ValueError(f"Unsafe reason phrase {reason[:200]!r}: control characters are not allowed")
    return reason


def default_headers(server: str) -> HTTPHeaders:
    """What every answer begins with."""
    headers = HTTPHeaders.__new__(HTTPHeaders)
    headers._map = {"Server": server, "Content-Type": "text/html; charset=UTF-8", "Date": date_now()}
    return headers


def days_from_now(days: float) -> datetime.datetime:
    """The moment that many days from now, in UTC."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
