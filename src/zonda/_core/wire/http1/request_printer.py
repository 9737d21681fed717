"""Prints HTTP/1 requests: request line, fields, framed bodies (RFC 9112 sections 3, 5 and 6)."""

from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.fields import is_token

from .response import LAST_CHUNK, content_length, culprit, field_line, print_chunk


def print_request(method: str, target: str, fields: dict[str, str | list[str]]) -> bytes:
    """The bytes of a request's head; `fields` are in the form of `HTTPHeaders`.

    Values may be `bytes` too: they are sent as they are.  Here, and here alone, it is made sure that no
    part of a request can split it.  Raises `ValueError` if the method or a name is no token, if the
    target holds anything but visible ASCII, or a value CR, LF or NUL; `UnicodeEncodeError`, which is
    one, for what Latin-1 cannot print; `TypeError` if a value is neither text nor bytes.
    """
    # Names and method hold the same characters: one look does for all.
    if not is_token(method + "".join(fields)) or not method or "" in fields:
        if not is_token(method):
            raise ValueError(f"the method of a request must be a token, not {method!r}")
        raise ValueError(f"the name of a request header must be a token, not {_bad_name(fields)!r}")
    if not target.isascii() or not target.isprintable() or " " in target or not target:
        raise ValueError(f"the target of a request must be visible ASCII characters, not {target!r}")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in fields.items():
        if type(value) is str:
            lines.append(f"{name}: {value}")
        elif isinstance(value, list):
            lines += [field_line(name, _text(one)) for one in value]
        else:
            lines.append(field_line(name, _text(value)))
    text = "\r\n".join(lines) + "\r\n\r\n"
    ends = len(lines) + 1
    if text.count("\n") != ends or text.count("\r") != ends or "\0" in text:
        raise ValueError(f"CR, LF or NUL in a request header: {culprit(lines)!r}")
    return text.encode("latin-1")


def _bad_name(fields: dict[str, str | list[str]]) -> str:
    return next((name for name in fields if not is_token(name)), "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(f"the value of a request header must be str or bytes, not {type(value).__name__}")


class BodyPrinter:
    """Frames the body of a request: chunked, or as many bytes as Content-Length says."""

    __slots__ = ("_chunked", "_remaining")

    def __init__(self, fields: dict[str, str | list[str]], chunked: bool) -> None:
        """Raises `HTTPOutputError` for a Content-Length that is no number."""
        self._remaining = content_length(fields)
        self._chunked = chunked

    def piece(self, data: bytes) -> bytes:
        """What to send for a piece of the body.  Raises `HTTPOutputError` for more than was announced."""
        if self._remaining is not None:
            self._remaining -= len(data)
            if self._remaining < 0:
                raise HTTPOutputError("Tried to write more data than Content-Length")
        return print_chunk(data) if self._chunked and data else bytes(data)

    def end(self) -> bytes:
        """What to send at the end.  Raises `HTTPOutputError` for less than was announced."""
        if self._remaining:
            raise HTTPOutputError(f"Tried to write {self._remaining} bytes less than Content-Length")
        return LAST_CHUNK if self._chunked else b""
