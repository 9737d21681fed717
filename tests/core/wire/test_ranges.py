"""RFC 9110, section 14: one range of bytes."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.dates import http_date
from zonda._core.wire.ranges import (
    content_range,
    if_range_matches,
    parse_request_range,
    resolve_range,
    unsatisfied_range,
)

SIZES = st.integers(0, 50)


@given(st.integers(0, 60), st.none() | st.integers(0, 60), SIZES)
def test_a_range_is_the_slice_it_names(first, last, size):
    data = bytes(range(size))
    requested = parse_request_range(f"bytes={first}-{'' if last is None else last}")
    bounds = resolve_range(requested, size)
    wanted = data[first : None if last is None else last + 1]
    if bounds is None:
        assert wanted == b""
    else:
        assert data[bounds[0] : bounds[1]] == wanted != b""
        sent = content_range(*bounds, size)
        assert sent == f"bytes {bounds[0]}-{bounds[1] - 1}/{size}"


@given(st.integers(0, 60), SIZES)
def test_a_suffix_is_the_end(length, size):
    data = bytes(range(size))
    bounds = resolve_range(parse_request_range(f"bytes=-{length}"), size)
    wanted = data[-length:] if length else b""
    assert (data[slice(*bounds)] if bounds else b"") == wanted


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # Obtained from Tornado 6.6.1.
        ("bytes=1-2", (1, 3)), ("bytes=6-", (6, None)), ("bytes=-6", (-6, None)), ("bytes=-0", (None, 0)),
        ("bytes=26", (26, None)), ("bytes=10-3", (10, 4)), ("bytes = 0-1", (0, 2)), ("bytes=0 - 1", (0, 2)),
        ("bytes=0-1,2-3", None), ("items=0-1", None), ("asdf", None), ("bytes=a-b", None),
        ("bytes=-1-5", None),
        ("BYTES=0-1", None), ("", None), ("bytes=0-1=2", None), ("bytes=00-01", (0, 2)),
        # There Tornado takes what int() takes.
        ("bytes=+1-2", None), ("bytes=1_0-20", None), ("bytes=--5", None), ("bytes=1--5", None),
        ("bytes=\u0662-\u0663", None), ("bytes=", None), ("bytes=-", None), ("bytes", None),
        # Too large to be told apart, and behind every end.
        ("bytes=" + "9" * 20 + "-", (10**19, None)), ("bytes=1-" + "9" * 5000, (1, 10**19 + 1)),
        ("bytes=-" + "9" * 5000, (-(10**19), None)), ("bytes=" + "0" * 30 + "1-2", (1, 3)),
    ],
)  # fmt: skip
def test_range_fields(value, expected):
    assert parse_request_range(value) == expected


def test_many_ranges_are_ignored_at_linear_cost():
    # CVE-2025-62727
    assert parse_request_range("bytes=" + ",".join(f"{i}-{i}" for i in range(1000))) is None
    assert_linear(lambda n: "bytes=" + "0-0," * n, parse_request_range, 1000)
    assert_linear(lambda n: "bytes=" + "-" * n, parse_request_range, 1000)


def test_unsatisfied():
    assert resolve_range((5, None), 5) is None
    assert resolve_range((None, 0), 5) is None
    assert unsatisfied_range(26) == "bytes */26"
    assert content_range(None, None, 4) == "bytes 0-3/4"


def test_if_range():
    moment = datetime.datetime(1994, 11, 6, 8, 49, 37, 123, tzinfo=datetime.UTC)
    date = http_date(moment.timestamp())
    assert if_range_matches(' "a" ', '"a"', None)
    assert not if_range_matches('"a"', '"b"', None)
    assert not if_range_matches('"a"', None, None)
    assert not if_range_matches('W/"a"', 'W/"a"', None)
    assert not if_range_matches('"a"', 'W/"a"', None)
    assert if_range_matches(date, None, moment)
    assert not if_range_matches(date, None, moment + datetime.timedelta(seconds=1))
    assert not if_range_matches(date, None, None)
    assert not if_range_matches("nonsense", "nonsense", moment)
