"""Cookies read and written (RFC 6265)."""

import datetime
import http.cookies
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.cookies import parse_cookie, render_set_cookie, request_cookies

NAMES = st.text(
    alphabet=string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~:", min_size=1, max_size=12
).filter(lambda name: name.lower() not in http.cookies.Morsel._reserved and name.lower() != "partitioned")
VALUES = st.text(alphabet=[chr(c) for c in range(0x21, 0x100)], max_size=20)


@given(NAMES, VALUES)
def test_what_is_set_comes_back(name, value):
    pair = render_set_cookie(name, value).split("; ")[0]
    assert parse_cookie(pair) == {name: value}
    assert request_cookies(pair)[name].value == value


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_several_come_back(cookies):
    header = "; ".join(render_set_cookie(name, value) for name, value in cookies.items())
    assert parse_cookie(header) == cookies


@given(st.text(max_size=60))
def test_any_text_is_read(text):
    parse_cookie(text)
    request_cookies(text)


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        # Obtained from Tornado 6.6.1.
        ("a=b;a", {"a": "b", "": "a"}), ('a="b', {"a": '"b'}), ('a=b"', {"a": 'b"'}), ('a="', {"a": '"'}),
        ('a=""', {"a": ""}), ("=", {}), ("a==b", {"a": "=b"}), ('a="\\101\\8\\"', {"a": "A8\\"}),
        ('a="x\\"', {"a": "x\\"}), ("a=b,c=d", {"a": "b,c=d"}), ('a="\u00e9\\351"', {"a": "\u00e9\u00e9"}),
    ],
)  # fmt: skip
def test_cookie_fields(cookie, expected):
    assert parse_cookie(cookie) == expected


def test_nameless_cookie_forges_no_named_one():
    # CVE-2023-23934
    assert parse_cookie("=__Host-a=bad; __Host-a=good") == {"": "__Host-a=bad", "__Host-a": "good"}


@pytest.mark.parametrize("blank", ["\xa0", "\x85", "\x1f", "\x0b", "\x0c", "\u2003"])
def test_only_space_and_tab_are_white_space(blank):
    # What a browser takes for a part of the name must not become the name of a protected cookie.
    assert "__Host-a" not in parse_cookie(f"{blank}__Host-a=bad")
    assert parse_cookie(f"a={blank}b")["a"] == f"{blank}b"


def test_request_cookies_are_morsels_and_leave_out_what_is_none():
    # Obtained from Tornado 6.6.1.
    jar = request_cookies('a=b; /=x; path=y; c=d; a b=c; e="q"; $x=1; \u00e9=1; =z; u=\u00e9')
    assert {name: (m.value, m.coded_value) for name, m in jar.items()} == {
        "a": ("b", "b"), "c": ("d", "d"), "e": ("q", "q"), "$x": ("1", "1"), "u": ("\u00e9", '"\\351"'),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        # Obtained from Tornado 6.6.1.
        ("b", "a=b"), ("", 'a=""'), ("a,b", 'a="a\\054b"'), ("a;b", 'a="a\\073b"'), ('a"b', 'a="a\\"b"'),
        ("a=b", 'a="a=b"'), ("a\\b", 'a="a\\\\b"'), ("\u00e9", 'a="\\351"'), ("a:b", "a=a:b"),
        ("(a)", 'a="(a)"'), ("a\x7fb", 'a="a\\177b"'), ("'a'", "a='a'"), ('"q"', 'a="\\"q\\""'),
    ],
)  # fmt: skip
def test_values_are_quoted(value, rendered):
    assert render_set_cookie("a", value) == rendered


@pytest.mark.parametrize(
    ("options", "rendered"),
    [
        # Obtained from Tornado 6.6.1.
        ({"domain": "x.y"}, "a=b; Domain=x.y; Path=/"),
        ({"domain": "", "samesite": ""}, "a=b; Path=/"),
        ({"path": None}, "a=b"),
        (
            {"httponly": True, "secure": True, "samesite": "Lax", "domain": "d", "path": "/p", "max_age": 3,
             "expires": 5},
            "a=b; Domain=d; expires=Thu, 01 Jan 1970 00:00:05 GMT; HttpOnly; Max-Age=3; Path=/p; "
            "SameSite=Lax; Secure",
        ),
        ({"expires": datetime.datetime(2030, 1, 1)}, "a=b; expires=Tue, 01 Jan 2030 00:00:00 GMT; Path=/"),
        ({"max_age": "10"}, "a=b; Max-Age=10; Path=/"),
        ({"max_age": -1}, "a=b; Max-Age=-1; Path=/"),
        ({"max_age": 0}, "a=b; Path=/"),
        ({"version": 2}, "a=b; Path=/; Version=2"),
        ({"max-age": 5}, "a=b; Max-Age=5; Path=/"),
        ({"HttpOnly": True, "pATH": "/foo"}, "a=b; HttpOnly; Path=/foo"),
        ({"pATH": ""}, "a=b"),
        # Which http.cookies knows from Python 3.14 on.
        ({"partitioned": True, "secure": True}, "a=b; Partitioned; Path=/; Secure"),
    ],
)  # fmt: skip
def test_attributes(options, rendered):
    assert render_set_cookie("a", "b", **{"path": "/", **options}) == rendered


@pytest.mark.parametrize("character", [*map(chr, range(0x21)), "\x7f", ";"])
@pytest.mark.parametrize("part", ["name", "domain", "path", "samesite", "comment", "version", "DoMaIn"])
def test_response_splitting_and_smuggled_attributes_are_refused(part, character):
    # CVE-2025-67724, CVE-2026-35536
    with pytest.raises(ValueError, match=f"Invalid cookie attribute {part}="):
        if part == "name":
            render_set_cookie(f"a{character}b", "b")
        else:
            render_set_cookie("a", "b", **{part: f"x{character}y"})


@pytest.mark.parametrize("character", [*map(chr, range(0x21))])
def test_control_characters_in_values_are_refused(character):
    with pytest.raises(ValueError, match="Invalid cookie 'a': value"):
        render_set_cookie("a", f"b{character}")


@pytest.mark.parametrize("max_age", ["1; Path=/x", "abc", "1 2", "\r\n", float("nan")])
@pytest.mark.parametrize("spelling", ["max_age", "Max-Age"])
def test_max_age_is_a_number(spelling, max_age):
    with pytest.raises(ValueError, match="Invalid cookie attribute max_age="):
        render_set_cookie("a", "b", **{spelling: max_age})


@pytest.mark.parametrize(
    "name", ["", "a=b", "a,b", "\u00e9", "a/b", "path", "Expires", "(a)", 'a"b', "Partitioned"]
)
def test_other_names_are_refused(name):
    with pytest.raises(http.cookies.CookieError, match="Invalid cookie name"):
        render_set_cookie(name, "b")


def test_unknown_attributes_are_refused():
    with pytest.raises(http.cookies.CookieError, match="Invalid attribute 'priority'"):
        render_set_cookie("a", "b", Priority="High")


def test_cost_is_linear():
    for make in (
        lambda n: "a=b;" * n,
        lambda n: ";" * n,
        lambda n: "=" * n,
        lambda n: 'a="' + "\\" * 2 * n + '"',
        lambda n: 'a="' + "\\134" * n + '"',
        lambda n: 'a="' + "\\" * n,
        lambda n: "".join(f"{i}=;" for i in range(n)),
        lambda n: "a" + " " * n + "=" + " " * n + "b",
    ):
        assert_linear(make, parse_cookie, 300)
    assert_linear(lambda n: "".join(f"n{i}=v;" for i in range(n)), request_cookies, 30)
