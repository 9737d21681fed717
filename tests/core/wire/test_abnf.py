"""Parameters, quoted strings, lists and weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.abnf import (
    parse_parameters,
    parse_qvalues,
    quote,
    render_parameters,
    split_list,
    unquote,
)

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
TEXT = st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs")), max_size=20)


@given(NAMES, st.dictionaries(NAMES, TEXT, max_size=5))
def test_rendered_parameters_are_read_back(value, parameters):
    assert parse_parameters(render_parameters(value, parameters)) == (value, parameters)


@given(TEXT)
def test_quoting_is_undone(text):
    assert unquote(quote(text)) == text


@given(st.lists(TEXT.map(str.strip).filter(bool), max_size=6))
def test_quoted_elements_are_read_back(elements):
    rendered = [quote(e) for e in elements]
    assert split_list(", ".join(rendered)) == rendered


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Obtained from Tornado 6.6.1.
        ("form-data", ("form-data", {})), ("", ("", {})), ("x; a", ("x", {})), ("x; a=", ("x", {"a": ""})),
        ("x;a=b;a=c", ("x", {"a": "c"})), ("x; A=B", ("x", {"a": "B"})), ("x;;a=b", ("x", {"a": "b"})),
        ('x; a="b;c";d=e', ("x", {"a": "b;c", "d": "e"})), ('x; a="b', ("x", {"a": '"b'})),
        ('x; a="', ("x", {"a": '"'})), ('x; a=""', ("x", {"a": ""})), ("x; a=b=c", ("x", {"a": "b=c"})),
        ('x; a = "b" ', ("x", {"a": "b"})), ('x; a="C:\\x"', ("x", {"a": "C:\\x"})),
        ('x; a="b" c; d=e', ("x", {"a": '"b" c', "d": "e"})), ("x; *=b", ("x", {"*": "b"})),
        ("x; a=1; a*=utf-8''2", ("x", {"a": "2"})), ("x; a*=utf-8''2; a=1", ("x", {"a": "2"})),
        ("x; a*=UTF-8'en'%C3%A4", ("x", {"a": "\u00e4"})),
        # There Tornado loses its way.
        ('x; a="\\\\"; b=c', ("x", {"a": "\\", "b": "c"})),
    ],
)  # fmt: skip
def test_parameters(line, expected):
    assert parse_parameters(line) == expected


@pytest.mark.parametrize(
    "extended",
    ["utf-8", "utf-8'x", "''x", "foo''x", "utf-16''x", "idna''x", "zlib''x", "utf-8''%zz", "utf-8''%e9",
     "utf-8''a b", "us-ascii''%e9", "utf-8''%0d%0aX:%20y", "utf-8''a%00b", "utf-8''%", "utf-8''\u00e9"],
)  # fmt: skip
def test_extended_parameters_that_are_not_understood_leave_the_plain_one(extended):
    # `filename*` confusion: never half taken, never a control character through the encoding.
    assert parse_parameters(f"x; a=plain; a*={extended}") == ("x", {"a": "plain"})
    assert parse_parameters(f"x; a*={extended}; a=plain") == ("x", {"a": "plain"})
    assert parse_parameters(f"x; a*={extended}") == ("x", {})


def test_continuations_are_no_file_name():
    assert parse_parameters("x; a*0=evil; a*1=.exe; a=good") == (
        "x",
        {"a*0": "evil", "a*1": ".exe", "a": "good"},
    )


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    parse_parameters(text)
    split_list(text)
    parse_qvalues(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []), (",, ,", []), ("a", ["a"]), (" a ,b,", ["a", "b"]), ('"a,b", c', ['"a,b"', "c"]),
        ('W/"a,b","c"', ['W/"a,b"', '"c"']), ('a"b,c"d,e', ['a"b,c"d', "e"]),
        ('"a\\"b,c",d', ['"a\\"b,c"', "d"]),
        ('a,"b,c', ["a", '"b,c']), ('a,"b\\', ["a", '"b\\']), ("a\nb", ["a\nb"]), ('"\n",x', ['"\n"', "x"]),
    ],
)  # fmt: skip
def test_lists(value, expected):
    assert split_list(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("en", [("en", 1.0)]), ("a;q=0.5, b, c;q=0.9", [("b", 1.0), ("c", 0.9), ("a", 0.5)]),
        ("a, b;Q=1.000", [("a", 1.0), ("b", 1.0)]), ("a;q=0, b;q=0.0", []),
        ("a;q=x, b;q=nan, c;q=inf, d;q=-1, e;q=1.1, f;q=2, g;q=1e3, h;q=+1, i;q=.5, j;q=, k;q=\u0661", []),
        ("a;q=0.12345", [("a", 0.12345)]), (";q=1", []),
    ],
)  # fmt: skip
def test_weights(value, expected):
    assert parse_qvalues(value) == expected


def test_cost_is_linear():
    for make in (
        lambda n: "x" + "; a=b" * n,
        lambda n: 'x; a="' + ";" * n + '"',
        lambda n: 'x; a="' + "\\" * n,
        lambda n: 'x; a="' + '\\"' * n,
        lambda n: 'x; a="b"' * n,
        lambda n: "x" + ';a="' * n,
        lambda n: "x" + ";" * n + "=",
        lambda n: "x; a*=utf-8''" + "%41" * n,
        lambda n: "x; a*=utf-8''" + "%41" * n + "%",
        lambda n: "x; a=" + " " * n + "b",
        lambda n: "=" * n + ";" * n,
    ):
        assert_linear(make, parse_parameters, 300)
    for make in (
        lambda n: "a," * n,
        lambda n: '"a",' * n,
        lambda n: '"' + "\\" * n,
        lambda n: '"' + '\\"' * n,
        lambda n: '",' * n,
        lambda n: 'a"' * n,
    ):
        assert_linear(make, split_list, 300)
    assert_linear(lambda n: "a;q=0.5," * n, parse_qvalues, 50)
    assert_linear(lambda n: "a;q=0." + "1" * n, parse_qvalues, 300)
