"""Byte ranges of a response: Range, Content-Range and If-Range (RFC 9110, section 14 and 13.1.5)."""

import datetime

from .dates import parse_http_date

#: Digits past which a position is behind the end of any file.
_MOST_DIGITS = 19


def parse_request_range(value: str) -> tuple[int | None, int | None] | None:
    """Reads a Range field that asks for one range of bytes.

    Returns `(start, end)` for a slice: `bytes=1-2` gives `(1, 3)`, `bytes=6-` gives `(6, None)`,
    `bytes=-6` gives `(-6, None)`, `bytes=-0` gives `(None, 0)`; a bare `bytes=26` counts as
    `bytes=26-`, as in Tornado.  Anything else, several ranges included, gives `None`: such a field
    is ignored (RFC 9110, 14.2).
    """
    unit, equals, spec = value.partition("=")
    if not equals or unit.strip(" \t") != "bytes":
        return None
    first, _, last = spec.partition("-")
    first, last = first.strip(" \t"), last.strip(" \t")
    if not (_is_position(first) and _is_position(last)) or not (first or last):
        return None
    if first:
        return _position(first), _position(last) + 1 if last else None
    length = _position(last)
    return (-length, None) if length else (None, 0)


def _is_position(text: str) -> bool:
    return not text or (text.isascii() and text.isdecimal())


def _position(digits: str) -> int:
    # int() of many digits costs more than it is worth, and Python refuses it past 4300.
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def resolve_range(requested: tuple[int | None, int | None], size: int) -> tuple[int, int] | None:
    """Cuts a range of `parse_request_range` to a representation of `size` bytes.

    Returns `(start, end)` with `0 <= start < end <= size`, or `None` if nothing of it is there
    (416 is due).  `(0, size)` is the whole.
    """
    start, end = requested
    if start is None:
        start = 0
    elif start < 0:
        start = max(0, size + start)
    end = size if end is None else min(end, size)
    return (start, end) if start < end else None


def content_range(start: int | None, end: int | None, total: int) -> str:
    """Renders Content-Range for the slice `start:end` (`None` = from the start, to the end)."""
    return f"bytes {start or 0}-{(total if end is None else end) - 1}/{total}"


def unsatisfied_range(total: int) -> str:
    """Renders the Content-Range of a 416 response."""
    return f"bytes */{total}"


def if_range_matches(value: str, etag: str | None, last_modified: datetime.datetime | None) -> bool:
    """Whether an If-Range field lets a Range be answered (RFC 9110, 13.1.5).

    An entity tag must be strong and equal, a date must be exactly `last_modified`, to the second.
    """
    value = value.strip(" \t")
    if value.startswith(('"', "W/")):
        return value == etag and not value.startswith("W/")
    moment = parse_http_date(value)
    return moment is not None and last_modified is not None and moment == last_modified.replace(microsecond=0)
