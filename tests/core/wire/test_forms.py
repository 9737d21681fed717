"""Bodies of forms, by media type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.form_config import ParseBodyConfig, ParseUrlEncodedConfig
from zonda._core.wire.forms import parse_body_arguments
from zonda._core.wire.headers import HTTPHeaders

URLENCODED = "application/x-www-form-urlencoded"
BODY = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--B--\r\n'


def parse(content_type, body, headers=None, config=None):
    arguments, files = {}, {}
    parse_body_arguments(content_type, body, arguments, files, headers, config=config)
    assert files == {}
    return arguments


@pytest.mark.parametrize("media_type", [URLENCODED, URLENCODED.upper(), URLENCODED + " ; charset=x"])
def test_urlencoded(media_type):
    assert parse(media_type, b"a=1&b=&c&a=%e9+") == {"a": [b"1", b"\xe9 "], "b": [b""], "c": [b""]}


@pytest.mark.parametrize(
    "media_type",
    [
        "multipart/form-data; boundary=B",
        'multipart/form-data; boundary="B"',
        "Multipart/Form-Data;x=y;Boundary=B",
    ],
)
def test_multipart(media_type):
    assert parse(media_type, BODY) == {"a": [b"v"]}


def test_quoted_boundary_may_hold_what_separates_parameters():
    assert parse('multipart/form-data; boundary="B;x=y"', BODY.replace(b"--B", b"--B;x=y")) == {"a": [b"v"]}


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", URLENCODED + "x", "multipart/mixed; boundary=B", "multipart/form-datax"]
)
def test_what_only_looks_like_a_form_is_none(media_type):
    assert parse(media_type, b"a=1") == {}


def test_arguments_are_extended():
    arguments = {"a": [b"0"]}
    parse_body_arguments(URLENCODED, b"a=1", arguments, {})
    assert arguments == {"a": [b"0", b"1"]}


@pytest.mark.parametrize(
    "media_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\u2603"],
)
def test_boundary_is_needed(media_type):
    with pytest.raises(HTTPInputError, match="multipart boundary"):
        parse(media_type, BODY)


@pytest.mark.parametrize("media_type", [URLENCODED, "multipart/form-data; boundary=B"])
def test_encoded_bodies_are_refused(media_type):
    with pytest.raises(HTTPInputError, match="Unsupported Content-Encoding: br"):
        parse(media_type, BODY, HTTPHeaders({"Content-Encoding": "br"}))
    assert parse("text/plain", BODY, HTTPHeaders({"Content-Encoding": "br"})) == {}


@pytest.mark.parametrize("field", [b"a=1", b"", b"a", b"a=", b"=", b"%26"])
def test_number_of_arguments_is_bounded(field):
    config = ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=5))
    parse(URLENCODED, b"&".join([field] * 5), config=config)
    with pytest.raises(HTTPInputError, match="Max number of fields exceeded"):
        parse(URLENCODED, b"&".join([field] * 6), config=config)


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused(body):
    parse(URLENCODED, body)


def test_cost_is_linear():
    config = ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=10**9))
    for make in (
        lambda n: b"a=1&" * n,
        lambda n: b"".join(b"a%d=1&" % i for i in range(n)),
        lambda n: b"a=" + b"%41" * n,
        lambda n: b"a=" + b"%" * n,
        lambda n: b"a=" + b"+" * n,
        lambda n: b"=" * n,
    ):
        assert_linear(make, lambda body: parse(URLENCODED, body, config=config), 100)
