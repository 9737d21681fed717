"""Signed values: what signed cookies hold.  Not encrypted: whoever has the cookie can read it.

Two forms, byte for byte those of Tornado:

    1   base64(value) "|" timestamp "|" HMAC-SHA1(secret, name + base64(value) + timestamp)
    2   "2" "|" field(key version) "|" field(timestamp) "|" field(name) "|" field(base64(value)) "|"
        HMAC-SHA256(secret, all of the above), where field(x) is the length of x, ":" and x

Form 1 is written only on request: nothing in it says where one part ends, so digits can move from
the value to the timestamp.  Reading never raises for what a client sent.

Source: Tornado documentation, `tornado.web` (signed cookies) and "Authentication and security".
"""

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from zonda._core.base.clock import wall
from zonda.escape import utf8
from zonda.log import gen_log

#: The form that is written unless the caller asks for another.
DEFAULT_SIGNED_VALUE_VERSION = 2
#: The oldest form that is read unless the caller asks for more.
DEFAULT_SIGNED_VALUE_MIN_VERSION = 1
MIN_SUPPORTED_SIGNED_VALUE_VERSION = 1
MAX_SUPPORTED_SIGNED_VALUE_VERSION = 2

#: One secret, or secrets by key version (an integer).
CookieSecret: TypeAlias = str | bytes | dict[int, str] | dict[int, bytes] | dict[int, str | bytes]

_SECONDS_OF_DAY = 86400
#: How far ahead of ours the clock of whoever signed a value in form 1 may be, in seconds.
_FUTURE = 31 * _SECONDS_OF_DAY
_DIGITS: Final = frozenset(b"0123456789")
#: Lengths, key versions and timestamps are shorter; longer ones are not turned into numbers.
_LONGEST_NUMBER = 20
#: The name may have any bytes, and its length says where it ends; behind it there is no other "|" than these.
_FORM_2: Final = re.compile(
    rb"2\|(\d{1,20}):(\d{1,20})\|(\d{1,20}):(\d{1,20})\|(\d{1,20}):(.*)\|(\d{1,20}):([^|]*)\|([^|]*)",
    re.DOTALL,
)
#: Of what a client sent, this much goes to the log.
_LOGGED = 100


def create_signed_value(
    secret: CookieSecret,
    name: str,
    value: str | bytes,
    version: int | None = None,
    clock: Callable[[], float] | None = None,
    key_version: int | None = None,
) -> bytes:
    """Signs `value` for the cookie `name`; a value signed for one name is not valid for another.

    `secret` is one secret or a dictionary of them by key version; `key_version` then says which one
    to sign with.  `clock` gives seconds since 1970 (by default `time.time`).  `version` is the form,
    1 or 2 (the default).

    Raises ValueError for another version, AssertionError for a dictionary without `key_version` or
    with version 1, KeyError for a key version that the dictionary does not have.
    """
    if version is None:
        version = DEFAULT_SIGNED_VALUE_VERSION
    timestamp = b"%d" % (clock or wall)()
    encoded = binascii.b2a_base64(utf8(value), newline=False)
    if version == 1:
        if isinstance(secret, dict):
            raise AssertionError("version 1 of signed values has one secret, a dictionary was given")
        return b"|".join([encoded, timestamp, _create_signature_v1(secret, name, encoded, timestamp)])
    if version != 2:
        raise ValueError(f"Unsupported version {version} of signed values, 1 and 2 are supported")
    if isinstance(secret, dict):
        if key_version is None:
            raise AssertionError("a dictionary of secrets needs a key_version to sign with")
        secret = secret[key_version]
    fields = [b"%d" % (key_version or 0), timestamp, utf8(name), encoded]
    signed = b"".join([b"2|", *(b"%d:%b|" % (len(field), field) for field in fields)])
    return signed + _create_signature_v2(secret, signed)


def decode_signed_value(
    secret: CookieSecret,
    name: str,
    value: str | bytes | None,
    max_age_days: float = 31,
    clock: Callable[[], float] | None = None,
    min_version: int | None = None,
) -> bytes | None:
    """The value that was signed, or None if there is none, it is malformed, forged or too old.

    `max_age_days` is the age from which a value is too old, `min_version` the oldest form to take
    (by default 1).  Raises ValueError for a `min_version` that does not exist.
    """
    if min_version is None:
        min_version = DEFAULT_SIGNED_VALUE_MIN_VERSION
    if min_version > MAX_SUPPORTED_SIGNED_VALUE_VERSION:
        raise ValueError(
            f"Unsupported min_version {min_version} of signed values, the newest is"
            f" {MAX_SUPPORTED_SIGNED_VALUE_VERSION}"
        )
    if not value:
        return None
    signed = utf8(value)
    version = _version(signed)
    if version < min_version:
        return None
    now = (clock or wall)()
    oldest = now - max_age_days * _SECONDS_OF_DAY
    if version == 1:
        return _decode_v1(secret, name, signed, oldest, now + _FUTURE)
    if version == 2:
        return _decode_v2(secret, name, signed, oldest)
    return None


def get_signature_key_version(value: str | bytes) -> int | None:
    """The key version that a value says it was signed with, unproven; None if it names none."""
    signed = utf8(value)
    if _version(signed) != 2:
        return None
    fields = _fields_v2(signed)
    return None if fields is None else int(fields[0])


def _version(signed: bytes) -> int:
    if signed[:2] == b"2|":
        # What we write, told without a search.
        return 2
    # Form 1 does not say its number.  Its value is base64, which might begin with digits too, so only
    # a number that no base64 of a useful value looks like (up to three digits) counts.
    bar = signed.find(b"|", 0, 4)
    if bar < 1 or signed[0] == ord("0"):
        return 1
    number = _number(signed[:bar])
    return 1 if number is None else number


def _number(digits: bytes) -> int | None:
    if 0 < len(digits) <= _LONGEST_NUMBER and _DIGITS.issuperset(digits):
        return int(digits)
    return None


def _decode_v1(secret: CookieSecret, name: str, signed: bytes, oldest: float, newest: float) -> bytes | None:
    parts = signed.split(b"|", 3)
    if len(parts) != 3 or isinstance(secret, dict):
        return None
    encoded, timestamp, signature = parts
    if not hmac.compare_digest(signature, _create_signature_v1(secret, name, encoded, timestamp)):
        gen_log.warning("Invalid cookie signature %r", signed[:_LOGGED])
        return None
    moment = _number(timestamp)
    if moment is None:
        return None
    if moment < oldest:
        gen_log.warning("Expired cookie %r", signed[:_LOGGED])
        return None
    if moment > newest:
        # Digits moved from the value to the timestamp make a time far ahead; zeros are no ordinary start.
        gen_log.warning("Cookie timestamp in future; possible tampering %r", signed[:_LOGGED])
        return None
    if timestamp.startswith(b"0"):
        gen_log.warning("Tampered cookie %r", signed[:_LOGGED])
        return None
    return _from_base64(encoded)


def _decode_v2(secret: CookieSecret, name: str, signed: bytes, oldest: float) -> bytes | None:
    fields = _fields_v2(signed)
    if fields is None:
        return None
    key_version, timestamp, signed_name, encoded, signature = fields
    if isinstance(secret, dict):
        key = int(key_version)
        if key not in secret:
            return None
        secret = secret[key]
    if not hmac.compare_digest(
        signature, _create_signature_v2(secret, signed[: len(signed) - len(signature)])
    ):
        return None
    if signed_name != utf8(name):
        return None
    if int(timestamp) < oldest:
        return None
    return _from_base64(encoded)


def _fields_v2(signed: bytes) -> tuple[bytes, ...] | None:
    """Key version, timestamp, name, value and signature; None if the form is not kept."""
    match = _FORM_2.fullmatch(signed)
    if match is None:
        return None
    key_length, key, time_length, timestamp, name_length, name, length, encoded, signature = match.groups()
    if (
        int(key_length) != len(key)
        or int(time_length) != len(timestamp)
        or int(name_length) != len(name)
        or int(length) != len(encoded)
    ):
        return None
    return key, timestamp, name, encoded, signature


def _from_base64(encoded: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error:
        return None


def _create_signature_v1(secret: str | bytes, *parts: str | bytes) -> bytes:
    signer = hmac.new(utf8(secret), digestmod=hashlib.sha1)
    for part in parts:
        signer.update(utf8(part))
    return signer.hexdigest().encode()


def _create_signature_v2(secret: str | bytes, s: str | bytes) -> bytes:
    signer = _keyed(secret).copy()
    signer.update(utf8(s))
    return signer.hexdigest().encode()


@lru_cache(maxsize=16)
def _keyed(secret: str | bytes) -> hmac.HMAC:
    """What a secret begins every signature with; to work it out is half of a signature's cost."""
    return hmac.new(utf8(secret), digestmod="sha256")
