"""RFC 9110, section 5: names and values of fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonda._core.wire import fields
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.fields import (
    canonical,
    check_field_name,
    check_field_value,
    has_control,
    is_field_value,
    is_token,
    normalize_name,
)

TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_token_is_tchar_and_nothing_else():
    assert [chr(c) for c in range(0x250) if is_token(chr(c))] == sorted(TCHAR)
    assert not is_token("")


def test_value_is_vchar_obs_text_space_and_tab():
    allowed = {c for c in range(0x250) if is_field_value(f"a{chr(c)}b")}
    assert allowed == {0x09} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100))


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "a\t", " "])
def test_value_has_no_white_space_at_its_ends(value):
    assert not is_field_value(value)
    with pytest.raises(HTTPInputError, match="Invalid header value"):
        check_field_value(value)


def test_decoded_values_may_hold_any_text_but_controls():
    check_field_value("\u2603 \tx", chars_are_bytes=False)
    for c in [*range(9), *range(10, 32), 127]:
        with pytest.raises(HTTPInputError):
            check_field_value(f"a{chr(c)}", chars_are_bytes=False)
        assert has_control(chr(c))


@given(st.text())
def test_normalizing_twice_changes_nothing(name):
    assert normalize_name(normalize_name(name)) == normalize_name(name)


@given(st.text(alphabet=TCHAR, min_size=1, max_size=30))
def test_case_does_not_matter(name):
    assert normalize_name(name.upper()) == normalize_name(name.lower()) == normalize_name(name)


def test_what_was_asked_before_does_not_make_a_bad_name_good():
    for name in ("b\u00e4d name", "", "a\r\nb"):
        normalize_name(name)
        assert name not in canonical
        with pytest.raises(HTTPInputError):
            check_field_name(name)


def test_table_of_names_is_bounded_and_keeps_the_common_ones():
    for i in range(3 * fields._CACHE_SIZE):
        normalize_name(f"x-made-up-{i}")
    normalize_name("x-" + "long" * 100)
    assert len(canonical) <= fields._CACHE_SIZE
    assert max(map(len, canonical)) <= fields._CACHE_NAME_LENGTH
    assert canonical["content-type"] == "Content-Type"


def test_errors_show_the_peers_bytes_escaped_and_cut():
    with pytest.raises(HTTPInputError) as raised:
        check_field_value("\r\n" * 50000)
    assert len(str(raised.value)) < 1000
    assert "\r" not in str(raised.value)
