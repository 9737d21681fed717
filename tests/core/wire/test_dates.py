"""RFC 9110, 5.6.7: dates."""

import datetime
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.dates import format_timestamp, http_date, parse_http_date

SECONDS = st.integers(-60_000_000_000, 250_000_000_000)


@given(SECONDS)
def test_rendering_agrees_with_the_standard_library(seconds):
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)
    assert http_date(seconds) == email.utils.format_datetime(moment, usegmt=True)
    if moment.year >= 1000:  # before, year numbers are taken for abbreviations
        assert parse_http_date(http_date(seconds)) == moment


def test_fractions_are_cut_downwards():
    assert http_date(1.9) == "Thu, 01 Jan 1970 00:00:01 GMT"
    assert http_date(-0.5) == "Wed, 31 Dec 1969 23:59:59 GMT"


@pytest.mark.parametrize("value", ["x", None, b"1", object()])
def test_other_kinds_of_time_are_refused(value):
    with pytest.raises(TypeError, match="unknown timestamp type"):
        format_timestamp(value)


def test_years_past_9999_are_refused():
    assert format_timestamp(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT"
    with pytest.raises(ValueError):
        format_timestamp(253402300800)


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
     "Sun, 06 Nov 1994 09:49:37 +0100"],
)  # fmt: skip
def test_three_forms_are_read(text):
    assert parse_http_date(text) == datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "text",
    ["", "x", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", ",", "0", "Sun, 06 Nov",
     "Sun, 06 Nov 99999 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "a" * 65],
)  # fmt: skip
def test_other_text_is_no_date(text):
    assert parse_http_date(text) is None


@given(st.text(max_size=70))
def test_any_text_is_a_date_or_none(text):
    assert parse_http_date(text) is None or parse_http_date(text).tzinfo is datetime.UTC


def test_cost_is_bounded():
    assert_linear(lambda n: ":" * n, parse_http_date, 1000)
