"""HTTPHeaders beyond what Tornado's own tests ask."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire import fields
from zonda._core.wire.errors import HTTPInputError
from zonda._core.wire.headers import HTTPHeaders, headers_from_block

NAMES = st.text(alphabet="abcXYZ-_!0", min_size=1, max_size=8)
VALUES = st.text(alphabet=[chr(c) for c in range(0x21, 0x100) if c != 0x7F], max_size=12)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


def build(pairs):
    headers = HTTPHeaders()
    for name, value in pairs:
        headers.add(name, value)
    return headers


@given(PAIRS)
def test_what_is_rendered_is_parsed_back(pairs):
    headers = build(pairs)
    assert HTTPHeaders.parse(str(headers)) == headers
    assert list(HTTPHeaders.parse(str(headers).replace("\n", "\r\n")).get_all()) == list(headers.get_all())


@given(PAIRS)
def test_a_checked_block_gives_what_parse_gives(pairs):
    block = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    assert headers_from_block(block)._map == HTTPHeaders.parse(block)._map


def test_block_is_trimmed_of_space_and_tab_only():
    block = "a:\t x \t\r\nb:\xa0y\x85\r\nc:\r\n"
    assert list(headers_from_block(block).get_all()) == [("A", "x"), ("B", "\xa0y\x85"), ("C", "")]
    assert list(headers_from_block("").get_all()) == []


@given(PAIRS)
def test_copies_and_pickles_are_equal_and_apart(pairs):
    headers = build([*pairs, ("twin", "1"), ("twin", "2")])
    for twin in (
        headers.copy(),
        copy.copy(headers),
        copy.deepcopy(headers),
        pickle.loads(pickle.dumps(headers)),
    ):
        assert twin._map == headers._map
        twin.add("twin", "3")
        assert headers.get_list("twin") == ["1", "2"]
    assert HTTPHeaders(headers)._map == headers._map


def test_map_is_the_whole_state():
    headers = HTTPHeaders.__new__(HTTPHeaders)
    headers._map = {"A": "1", "B": ["2", "3"]}
    assert not hasattr(headers, "__dict__")
    assert dict(headers) == {"A": "1", "B": "2,3"}
    assert headers.get("b") == "2,3"
    assert headers.get("c") is None
    assert headers.get("c", "d") == "d"
    headers.add("a", "9")
    assert headers["A"] == "1,9"
    headers["a"] = "5"
    assert list(headers.get_all()) == [("A", "5"), ("B", "2"), ("B", "3")]
    del headers["b"]
    with pytest.raises(KeyError):
        headers["B"]
    assert len(headers) == 1


def test_the_same_value_twice_is_two_values():
    value = "same"
    assert build([("a", value), ("a", value)]).get_list("A") == [value, value]


def test_assigned_values_of_other_kinds_read_as_in_tornado():
    # Literals obtained from Tornado 6.6.1.
    headers = HTTPHeaders({"Canary": ["Coal Mine"]})
    assert headers["canary"] == ["Coal Mine"]
    assert list(headers.get_all()) == [("Canary", ["Coal Mine"])]
    assert HTTPHeaders(content_type="x")._map == {"Content_type": "x"}
    headers = HTTPHeaders(a=None)
    assert headers.get("a", "d") is None
    assert str(headers) == "A: None\n"
    headers = HTTPHeaders()
    headers.update(build([("a", "1"), ("a", "2")]))
    assert list(headers.get_all()) == [("A", "1,2")]


def test_bytes_are_taken_as_latin_1():
    headers = HTTPHeaders()
    headers.add("a", b"\xe9")  # type: ignore[arg-type]
    assert headers["a"] == "\xe9"


@pytest.mark.parametrize("text", ["\r", "\n", "\0", "\r\nSet-Cookie: a=b", "\x7f", "\u010a"])
def test_response_splitting_is_refused(text):
    # CVE-2020-7695, CVE-2025-67724; U+010A would be LF if it were cut to eight bits.
    headers = HTTPHeaders()
    with pytest.raises(HTTPInputError):
        headers.add("X-Name", "a" + text + "b")
    with pytest.raises(HTTPInputError):
        headers.add("X-Name" + text, "a")
    assert list(headers.get_all()) == []


@pytest.mark.parametrize(
    "line", ["a : b", " a: b", "\ta: b", "a", ":b", "a: b\rc: d", "a: b\n c: d", "a\xa0: b", "a\x00: b"]
)
def test_malformed_lines_are_refused(line):
    with pytest.raises(HTTPInputError):
        HTTPHeaders().parse_line(line)


def test_cost_of_repeated_fields_is_linear():
    assert_linear(lambda n: "X-Same: a\r\n" * n, headers_from_block, 200)
    assert_linear(lambda n: "X-Same: a\r\n" * n, HTTPHeaders.parse, 100)

    def read_between(n):
        headers = HTTPHeaders()
        for _ in range(n):
            headers.add("X-Same", "a")
            headers.get_list("X-Other")
            assert "X-Same" in headers

    assert_linear(lambda n: n, read_between, 100)


def test_cost_of_different_names_is_linear():
    def read_unknown(block: str) -> None:
        # Else a few names are known from the run before, and too many for the table are not.
        fields._prime()
        headers_from_block(block)

    assert_linear(lambda n: "".join(f"X-{i}: a\r\n" for i in range(n)), read_unknown, 100)
