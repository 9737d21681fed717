"""Signed values: byte for byte Tornado's, never an exception for what a client sent, linear."""

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.web import signing
from zonda._core.web.signing import (
    _create_signature_v1,
    _create_signature_v2,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)

SECRET = "secret"
KEYS: dict[int, str | bytes] = {0: "a", 1: "b", 7: b"c\xff"}
NOW = 1300000000

#: What Tornado 6.6.1 makes of "value" for the name "key" at NOW: secret, version, key version, bytes.
TORNADO: list[tuple[Any, int, int | None, bytes]] = [
    (SECRET, 1, None, b"dmFsdWU=|1300000000|015457b5e81203ad7a63281d7854c09f610f2c9f"),
    (
        SECRET,
        2,
        None,
        b"2|1:0|10:1300000000|3:key|8:dmFsdWU=|58e508a37c3a0dba6e66b2a901009c013d93b2218b13a5aeba9bb6825561f201",
    ),
    (
        SECRET,
        2,
        9,
        b"2|1:9|10:1300000000|3:key|8:dmFsdWU=|38285c4299f8e97f01d0a12d423c6f1e31d10b77ef804dd9a2023e9f6ecde355",
    ),
    (b"by\xfftes", 1, None, b"dmFsdWU=|1300000000|f45e672418dad4331035f26688adc5e7819270f8"),
    (
        b"by\xfftes",
        2,
        None,
        b"2|1:0|10:1300000000|3:key|8:dmFsdWU=|cbf7dad9a0cf65db70a66b28240f4bb20ca6de68d76a238501c474d54dea38c4",
    ),
    (
        KEYS,
        2,
        0,
        b"2|1:0|10:1300000000|3:key|8:dmFsdWU=|738de36fb9a9be36697edd4cc99a8a0e0957ebfdca9451fc67e502989c3dd7cf",
    ),
    (
        KEYS,
        2,
        7,
        b"2|1:7|10:1300000000|3:key|8:dmFsdWU=|2814cf7440990b57a1b8dc61ac08fb8a32a6a0549cc4a23960ccd119cda9f359",
    ),
]


def now() -> float:
    return NOW + 0.9


def decode(value: str | bytes | None, secret: Any = SECRET, **options: Any) -> bytes | None:
    return decode_signed_value(secret, "key", value, clock=now, **options)


def field(content: bytes) -> bytes:
    return b"%d:%b" % (len(content), content)


def signed_v2(
    key_version: bytes = b"0",
    timestamp: bytes = b"%d" % NOW,
    name: bytes = b"key",
    value: bytes = b"dmFsdWU=",
) -> bytes:
    text = b"|".join([b"2", field(key_version), field(timestamp), field(name), field(value), b""])
    return text + _create_signature_v2(SECRET, text)


def signed_v1(timestamp: bytes = b"%d" % NOW, value: bytes = b"dmFsdWU=") -> bytes:
    return b"|".join([value, timestamp, _create_signature_v1(SECRET, "key", value, timestamp)])


@pytest.mark.parametrize(("secret", "version", "key_version", "signed"), TORNADO)
def test_tornado_s_values_are_written_and_read(secret, version, key_version, signed):
    made = create_signed_value(secret, "key", "value", version, clock=now, key_version=key_version)
    assert made == signed
    assert decode(signed, secret) == b"value"
    assert decode(signed.decode(), secret) == b"value"
    assert get_signature_key_version(signed) == (None if version == 1 else key_version or 0)


@pytest.mark.parametrize("signed", [TORNADO[0][3], TORNADO[1][3]])
def test_no_byte_of_a_value_can_change(signed, expect_log):
    expect_log("zonda.general", "Invalid cookie signature", required=False)
    for at in range(len(signed)):
        for byte in (b"0", b"|", b"\xff", b""):
            changed = signed[:at] + byte + signed[at + 1 :]
            if changed != signed:
                assert decode(changed) is None, changed
        assert decode(signed[:at]) is None


def test_a_name_that_is_not_ascii_can_be_read_back():
    signed = create_signed_value(SECRET, "n\xe9|m", "v", clock=now)
    assert b"|5:n\xc3\xa9|m|" in signed
    assert decode_signed_value(SECRET, "n\xe9|m", signed, clock=now) == b"v"


def test_version_1_and_a_dictionary_of_secrets():
    """A client that sends a value in form 1 gets no value, and no exception."""
    assert decode(signed_v1(), KEYS) is None
    with pytest.raises(AssertionError):
        create_signed_value(KEYS, "key", "v", version=1, key_version=0)
    with pytest.raises(AssertionError):
        create_signed_value(KEYS, "key", "v")


def test_min_version():
    assert decode(signed_v1(), min_version=2) is None
    assert decode(signed_v1(), min_version=1) == b"value"
    with pytest.raises(ValueError, match="min_version 3"):
        decode(signed_v1(), min_version=3)


@pytest.mark.parametrize("timestamp", [b"", b"-5", b"+1300000000", b" 1300000000", b"1_3", b"1e9", b"9" * 30])
def test_a_timestamp_is_digits(timestamp):
    assert decode(signed_v1(timestamp)) is None
    assert decode(signed_v2(timestamp=timestamp)) is None


def test_age(expect_log):
    day = 86400
    kept, lost = b"%d" % (NOW - 31 * day + 1), b"%d" % (NOW - 31 * day)
    assert decode(signed_v1(kept)) == decode(signed_v2(timestamp=kept)) == b"value"
    assert decode(signed_v2(timestamp=lost)) is None
    expired = expect_log("zonda.general", "Expired cookie")
    assert decode(signed_v1(lost)) is None
    assert len(expired.records) == 1


def test_digits_moved_from_value_to_timestamp(expect_log):
    """In form 1 nothing says where the value ends: the timestamp must be a likely one."""
    expect_log("zonda.general", "Cookie timestamp in future")
    assert decode(signed_v1(b"5678%d" % NOW, b"1234")) is None
    expect_log("zonda.general", "Tampered cookie")
    assert decode(signed_v1(b"0%d" % NOW)) is None


@pytest.mark.parametrize("value", [b"dmFsdWU", b"!!!!", b"dm Fs", b"dmFsdWU=\n", b"dmFsdWU=xx", b"\xff"])
def test_a_value_is_base64(value):
    assert decode(signed_v1(value=value)) is None
    assert decode(signed_v2(value=value)) is None


@pytest.mark.parametrize("key_version", [b"", b"x", b"-1", b"+1", b"1" * 30, "\u0661".encode()])
def test_a_key_version_is_digits(key_version):
    signed = signed_v2(key_version)
    assert decode(signed) is None
    assert get_signature_key_version(signed) is None


def test_an_unknown_key_version_is_no_value():
    signed = create_signed_value(KEYS, "key", "value", clock=now, key_version=7)
    assert decode(signed, {0: "a"}) is None


@given(st.binary(max_size=200) | st.text("0123456789:|a=\u0661", max_size=80))
def test_nothing_a_client_sends_raises(value):
    watched = signing.gen_log.disabled
    signing.gen_log.disabled = True
    try:
        for text in (value, b"2|" + value if isinstance(value, bytes) else "2|" + value):
            assert decode(text) is None
            assert decode(text, KEYS) is None
            get_signature_key_version(text)
    finally:
        signing.gen_log.disabled = watched


@pytest.mark.parametrize("signed", [signed_v1(), signed_v2()])
def test_signatures_are_compared_in_constant_time(signed, monkeypatch):
    compared: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    def spy(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(signing.hmac, "compare_digest", spy)
    assert decode(signed) == b"value"
    signature = signed.rpartition(b"|")[2]
    assert compared == [(signature, signature)]


def test_log_lines_are_short_and_escaped(expect_log):
    log = expect_log("zonda.general", "Invalid cookie signature")
    assert decode(b"\n\x1b[2J" * 10000 + b"|1|x") is None
    message = log.records[0].getMessage()
    assert len(message) < 1000
    assert message.isprintable()


@pytest.mark.parametrize(
    "make",
    [
        lambda n: create_signed_value(SECRET, "key", b"x" * n, clock=now),
        lambda n: b"2|" + b"1:0|" * n,
        lambda n: b"2|" + b"1" * n,
        lambda n: b"|" * n,
        lambda n: b"2|1:0|%d:" % n + b"1" * n + b"|",
    ],
)
def test_growth(make):
    assert_linear(make, decode, 1000)
