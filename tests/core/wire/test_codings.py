"""Which coding a client gets (RFC 9110, 12.5.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.codings import accepted_codings

OFFERED = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        # Among equals the server's order stands.
        ("gzip, deflate, br, zstd", "br zstd gzip"),
        ("zstd, gzip", "zstd gzip"),
        ("GZIP ;Q=1,BR", "br gzip"),
        # The client's weights come first.
        ("br;q=0.1, gzip;q=0.2, zstd;q=0.15", "gzip zstd br"),
        ("br;q=0.999, gzip", "gzip br"),
        # The weight 0 refuses, whatever the asterisk says.
        ("br;q=0, *", "zstd gzip"),
        ("br;q=0.000, gzip;q=0, zstd;q=0.0", ""),
        ("gzip;q=0.5, *;q=0", "gzip"),
        # A client that lists two names and an asterisk would rather have one of the two.
        ("gzip, deflate, *", "gzip br zstd"),
        ("*", "br zstd gzip"),
        ("*;q=0.1, gzip;q=0.2", "gzip br zstd"),
        ("*;q=0", ""),
        # What it need not decode, if it likes that better.
        ("identity, gzip;q=0.5", ""),
        ("identity;q=0.5, br;q=0.4, gzip;q=0.6", "gzip"),
        ("identity, gzip", "gzip"),
        ("identity;q=0, gzip;q=0.001", "gzip"),
        ("identity;q=0", ""),
        ("identity", ""),
        ("x-gzip", "gzip"),
        ("x-gzip;q=0, gzip", "gzip"),
        ("deflate, compress", ""),
        ("brotli, xgzip, gzip2", ""),
        ("gzip;q=2, br;q=-1, zstd;q=a", ""),
        (", ,gzip,", "gzip"),
        ("", ""),
    ],
)
def test_what_is_taken(accept, taken):
    assert accepted_codings(accept, OFFERED) == taken.split()


def test_nothing_is_taken_that_is_not_offered():
    assert accepted_codings("br, gzip", ("gzip",)) == ["gzip"]
    assert accepted_codings("br, gzip", ()) == []


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    assert set(accepted_codings(text, OFFERED)) <= set(OFFERED)


def test_growth():
    assert_linear(lambda n: "gzip;q=0.5, " * n, lambda text: accepted_codings(text, OFFERED), 100)
