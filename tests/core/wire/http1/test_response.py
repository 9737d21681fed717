"""Printing of responses: nothing that an application passes on can split one (RFC 9112 sections 4 and 5)."""

from enum import StrEnum

import pytest

from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.http1.response import LAST_CHUNK, content_length, print_chunk, print_head


def test_4_status_line_and_fields() -> None:
    fields: dict[str, str | list[str]] = {"A": "b", "Set-Cookie": ["c=d", "e=f"], "X": ""}
    assert print_head(200, "OK", fields, "close") == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nSet-Cookie: c=d\r\nSet-Cookie: e=f\r\nX: \r\nConnection: close\r\n\r\n"
    )
    assert print_head(404, "", {}, "") == b"HTTP/1.1 404 Not Found\r\n\r\n"
    assert print_head(404, None, {}, "") == b"HTTP/1.1 404 Not Found\r\n\r\n"
    assert print_head(799, "", {}, "") == b"HTTP/1.1 799 Unknown\r\n\r\n"
    assert print_head(200, "Fine", {}, "") == b"HTTP/1.1 200 Fine\r\n\r\n"
    assert print_head(200, "OK", {"X": "\xe4"}, "") == b"HTTP/1.1 200 OK\r\nX: \xe4\r\n\r\n"


@pytest.mark.parametrize(
    "evil", ["\r\n", "\n", "\r", "\0", "a\r\nSet-Cookie: b", "\r\n\r\n<html>", "\n\r", "\r\r\n\n"]
)
@pytest.mark.parametrize("where", ["reason", "name", "value", "one of values", "last value"])
def test_5_nothing_splits_a_response(evil: str, where: str) -> None:
    reason = evil if where == "reason" else "OK"
    fields: dict[str, str | list[str]] = {"A": "b"}
    if where == "name":
        fields[f"X{evil}"] = "y"
    elif where == "value":
        fields["X"] = f"y{evil}z"
    elif where == "one of values":
        fields["X"] = ["y", f"{evil}", "z"]
    elif where == "last value":
        fields["X"] = ["y", f"z{evil}"]
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        print_head(200, reason, fields, "")


@pytest.mark.parametrize("value", ["\u0100", "\u560d\u560a", "\u010a", "\ud800"])
def test_5_5_what_latin_1_cannot_print_is_refused(value: str) -> None:
    # U+560D U+560A are CR LF for whoever cuts code points to bytes.
    for fields in ({"X": value}, {"X": ["y", value]}, {f"X{value}": "y"}):
        with pytest.raises(ValueError, match="Latin-1"):
            print_head(200, "OK", fields, "")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Latin-1"):
        print_head(200, value, {}, "")


class Kind(StrEnum):
    A = "alpha"


class Loud(str):
    def __str__(self) -> str:
        return "LOUD"


@pytest.mark.parametrize(("value", "text"), [(Kind.A, b"alpha"), (Loud("quiet"), b"quiet")])
def test_of_a_subclass_of_str_its_text_is_sent(value: str, text: bytes) -> None:
    """As Tornado does; once its letters were sent, a field for each."""
    fields: dict[str, str | list[str]] = {"A": value, "B": [value, "b"]}
    assert print_head(200, "OK", fields, "") == (
        b"HTTP/1.1 200 OK\r\nA: %b\r\nB: %b\r\nB: b\r\n\r\n" % (text, text)
    )


def test_an_error_names_the_field() -> None:
    with pytest.raises(ValueError, match="Location"):
        print_head(302, "Found", {"A": "b", "Location": "/\r\nX: y"}, "")


def test_6_2_content_length_is_digits() -> None:
    assert content_length({}) is None
    assert content_length({"Content-Length": "12"}) == 12
    for value in ("", "+1", "-1", "1_0", "0x1", "1.0", " 1", "\u0661", "\xb2", ["1", "2"]):
        with pytest.raises(HTTPOutputError):
            content_length({"Content-Length": value})  # type: ignore[dict-item]


def test_7_1_chunks() -> None:
    assert print_chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
    assert LAST_CHUNK == b"0\r\n\r\n"
