"""Prints HTTP/1 responses: status line, fields, chunks (RFC 9112 sections 4, 5 and 7.1)."""

from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.status import responses

#: Status lines of the usual answers, printed once: the reason, the line.
_STATUS_LINES: dict[int, tuple[str, str]] = {
    int(status): (reason, f"HTTP/1.1 {status} {reason}") for status, reason in responses.items() if reason
}

#: The last chunk, with no trailers.
LAST_CHUNK = b"0\r\n\r\n"


def print_head(status: int, reason: str | None, fields: dict[str, str | list[str]], connection: str) -> bytes:
    """The bytes of a response's head.

    An empty `reason` becomes the usual one.  `connection`, unless empty, is the value of a Connection
    field to add.  Here, and here alone, it is made sure that no name, value or reason can split the
    response: raises `ValueError` if any holds CR, LF or NUL, or what Latin-1 cannot print.
    """
    usual = _STATUS_LINES.get(status)
    lines = [usual[1] if usual and usual[0] == reason else _status_line(status, reason)]
    for name in fields:
        value = fields[name]
        if type(value) is str:
            lines.append(f"{name}: {value}")
        elif isinstance(value, list):
            lines += [field_line(name, one) for one in value]
        else:
            lines.append(field_line(name, value))
    if connection:
        lines.append(f"Connection: {connection}")
    # Looked for in all lines at once, before they get ends of their own.
    told = "".join(lines)
    if "\n" in told or "\r" in told or "\0" in told:
        raise ValueError(f"CR, LF or NUL in a response header: {culprit(lines)!r}")
    # The last line's end, and the empty line.
    lines.append("\r\n")
    try:
        return "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"a response header must fit Latin-1: {culprit(lines)!r}") from None


def field_line(name: str, value: str) -> str:
    """A field; of a subclass of `str` the text itself, whatever it formats to (a member of an `Enum`)."""
    return name + ": " + value


def _status_line(status: int, reason: str | None) -> str:
    return f"HTTP/1.1 {status} {reason or responses.get(status, 'Unknown')}"


def culprit(lines: list[str]) -> str:
    for line in lines:
        if any(c in line for c in "\r\n\0") or not line.isascii():
            return line
    return ""


def print_chunk(data: bytes) -> bytes:
    """One chunk; an empty one would end the body, so `data` must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def content_length(fields: dict[str, str | list[str]]) -> int | None:
    """The Content-Length that a response announces; raises `HTTPOutputError` unless it is digits."""
    value = fields.get("Content-Length")
    if value is None:
        return None
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise HTTPOutputError(f"only integer Content-Length is allowed, not {value!r}")
    return int(value)
