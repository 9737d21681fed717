"""RFC 9112, sections 3 and 4: first lines."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.startline import (
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
    parse_response_start_line,
)

TARGET = st.text(alphabet=[chr(c) for c in range(0x21, 0x100) if c != 0x7F], min_size=1)
REASON = st.text(alphabet=[chr(c) for c in [9, *range(0x20, 0x7F), *range(0x80, 0x100)]])


@given(st.text(alphabet="GETPOS-!~", min_size=1), TARGET, st.sampled_from("0123456789"))
def test_requests_are_read_back(method, target, minor):
    line = RequestStartLine(method, target, "HTTP/1." + minor)
    assert parse_request_start_line(" ".join(line)) == line


@given(st.integers(0, 999), REASON)
def test_responses_are_read_back(code, reason):
    parsed = parse_response_start_line(f"HTTP/1.1 {code:03d} {reason}")
    assert parsed == ResponseStartLine("HTTP/1.1", code, reason or None)


@pytest.mark.parametrize(
    "line",
    [
        "", "GET", "GET /", "GET  HTTP/1.1", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
        "GET / a HTTP/1.1", "G(T / HTTP/1.1", "GET /\0 HTTP/1.1", "GET /\t HTTP/1.1", "GET / HTTP/1.1\r",
        "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.10", "GET / HTTP/1.\u0661", "GET / RTSP/1.0",
        "GET /\u2603 HTTP/1.1", "GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.1\n",
    ],
)  # fmt: skip
def test_other_request_lines_are_refused(line):
    with pytest.raises(HTTPInputError):
        parse_request_start_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "", "HTTP/1.1", "HTTP/1.1 200", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK",
        "HTTP/1.1 200OK", "HTTP/1.1 abc OK", "HTTP/1.1 \u0662\u0660\u0660 OK", "HTTP/1.1 +20 OK",
        "HTTP/1.1 200 a\rb", "HTTP/1.1 200 a\0", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 \u2603",
        "HTTP/2.0 200 OK", "ICY 200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK",
    ],
)  # fmt: skip
def test_other_status_lines_are_refused(line):
    with pytest.raises(HTTPInputError):
        parse_response_start_line(line)


def test_start_lines_are_tuples_that_can_be_pickled():
    line = ResponseStartLine("HTTP/1.1", 200, "OK")
    assert pickle.loads(pickle.dumps(line)) == ("HTTP/1.1", 200, "OK")


def test_cost_is_linear():
    def attempt(line):
        with pytest.raises(HTTPInputError):
            parse_request_start_line(line)

    assert_linear(lambda n: "GET " + "/ " * n + "HTTP/1.1", attempt, 1000)
