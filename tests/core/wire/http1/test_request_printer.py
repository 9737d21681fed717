"""Requests as they are printed: nothing an application says can split one (CVE-2020-7695 and its kind)."""

import pytest

from zonda._core.wire.errors import HTTPOutputError
from zonda._core.wire.http1.request_printer import BodyPrinter, print_request


def test_prints() -> None:
    fields = {"Host": "a", "X": ["1", "2"], "Raw": b"\xe4"}
    assert (
        print_request("GET", "/?q", fields)
        == b"GET /?q HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\nRaw: \xe4\r\n\r\n"
    )  # type: ignore[arg-type]


class Loud(str):
    def __str__(self) -> str:
        return "LOUD"


def test_of_a_subclass_of_str_its_text_is_sent() -> None:
    fields: dict[str, str | list[str]] = {"Host": "a", "X": Loud("quiet"), "Y": ["1", Loud("2")]}
    assert (
        print_request("GET", "/", fields) == b"GET / HTTP/1.1\r\nHost: a\r\nX: quiet\r\nY: 1\r\nY: 2\r\n\r\n"
    )


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "a\r\nX: y"])
def test_refuses_what_would_split(bad: str) -> None:
    for method, target, fields in [
        (f"GET{bad}", "/", {}),
        ("GET", f"/{bad}", {}),
        ("GET", "/", {f"X{bad}": "1"}),
        ("GET", "/", {"X": f"1{bad}2"}),
        ("GET", "/", {"X": ["1", f"2{bad}"]}),
        ("GET", "/", {"X": bad.encode()}),
    ]:
        with pytest.raises(ValueError, match=r"must be|CR, LF or NUL"):
            print_request(method, target, fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["", "/ x", "/\t", "/é", "/\x7f"])
def test_refuses_targets(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        print_request("GET", target, {})


@pytest.mark.parametrize("name", ["", "a b", "a:", "é"])
def test_refuses_names(name: str) -> None:
    with pytest.raises(ValueError, match="name of a request header"):
        print_request("GET", "/", {"Good": "1", name: "x"})


def test_refuses_what_is_no_text() -> None:
    with pytest.raises(TypeError, match="int"):
        print_request("GET", "/", {"X": 1})  # type: ignore[dict-item]
    with pytest.raises(UnicodeEncodeError):
        print_request("GET", "/", {"X": "€"})


def test_bodies() -> None:
    chunked = BodyPrinter({}, True)
    assert chunked.piece(b"abc") + chunked.piece(b"") + chunked.end() == b"3\r\nabc\r\n0\r\n\r\n"
    counted = BodyPrinter({"Content-Length": "3"}, False)
    assert counted.piece(b"ab") == b"ab"
    with pytest.raises(HTTPOutputError, match="1 bytes less"):
        counted.end()
    with pytest.raises(HTTPOutputError, match="more data"):
        counted.piece(b"cd")
