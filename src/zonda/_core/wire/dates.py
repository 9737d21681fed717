"""Dates as HTTP writes them (RFC 9110, 5.6.7).  Times come in as arguments: no clock here."""

import calendar
import datetime
import functools
import math
import numbers
from time import struct_time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECONDS_OF_DAY = 86400
_EPOCH = datetime.date(1970, 1, 1).toordinal()
#: No valid form is longer; the standard library's parser is not asked about anything longer.
_LONGEST = 64


@functools.lru_cache(maxsize=128)
def _day(day: int) -> str:
    date = datetime.date.fromordinal(_EPOCH + day)
    return f"{_DAYS[date.weekday()]}, {date.day:02d} {_MONTHS[date.month - 1]} {date.year:04d} "


def http_date(seconds: float) -> str:
    """Renders seconds since 1970-01-01 UTC as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`.

    Fractions are cut off downwards.  Raises `ValueError` or `OverflowError` outside years 1 to 9999.
    """
    day, rest = divmod(math.floor(seconds), _SECONDS_OF_DAY)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_day(day)}{hour:02d}:{minute:02d}:{second:02d} GMT"


def format_timestamp(
    ts: int | float | tuple[int, ...] | struct_time | datetime.datetime,
) -> str:
    """Renders a time as HTTP wants it.

    `ts` is seconds since 1970 UTC, a time tuple in UTC, or a `datetime` (naive ones are UTC, aware
    ones are converted).  Raises `TypeError` for anything else, `ValueError` for times out of range.
    Source: Tornado documentation, `tornado.httputil`.
    """
    if isinstance(ts, numbers.Real):
        return http_date(float(ts))
    if isinstance(ts, (tuple, struct_time)):
        return http_date(calendar.timegm(ts))
    if isinstance(ts, datetime.datetime):
        return http_date(calendar.timegm(ts.utctimetuple()))
    raise TypeError(f"unknown timestamp type: {ts!r}")


def parse_http_date(value: str) -> datetime.datetime | None:
    """Reads an IMF-fixdate, an RFC 850 date or an asctime date; `None` if it is none of these.

    The result is aware, in UTC.
    """
    if len(value) > _LONGEST:
        return None
    # Half of `email` comes along, which a server without dates to read never needs.
    from email.utils import parsedate_tz

    try:
        parsed = parsedate_tz(value)
        if parsed is None:
            return None
        moment = datetime.datetime(*parsed[:6], tzinfo=datetime.UTC)
        return moment - datetime.timedelta(seconds=parsed[9] or 0)
    except (ValueError, OverflowError, IndexError, TypeError):
        # The standard library's parser lets these out for some malformed dates.
        return None
