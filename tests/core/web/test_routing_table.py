"""The table of routes finds what a loop over the rules would find, and costs less."""

import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonda._core.web.matchers import AnyMatches, HostMatches, PathMatches
from zonda._core.web.route_index import literal_prefix
from zonda._core.web.route_table import RouteTable
from zonda._core.web.routes import ReversibleRuleRouter, RuleRouter
from zonda._core.web.rule import Rule, URLSpec


def request(path: str, host: str = "h") -> Any:
    return SimpleNamespace(path=path, host_name=host, headers={})


def every_match(rules: Any, path: str) -> list[tuple[Rule, Any]]:
    """What a loop over the rules finds: each rule that matches, in order, with its arguments."""
    asked = request(path)
    found = [(rule, rule.matcher.match(asked)) for rule in rules]
    return [(rule, params) for rule, params in found if params is not None]


def table_match(table: RouteTable, path: str) -> list[tuple[Rule, Any]]:
    asked = request(path)
    router = RuleRouter()
    router.rules = table
    return list(router._matches(asked))


# Paths and patterns over a small alphabet, so that they meet often.
pieces = st.sampled_from(["a", "b", "ab", ".", "-", "/", "/", "%2F"])
paths = st.lists(pieces, max_size=8).map(lambda chosen: "/" + "".join(chosen))
fragments = st.sampled_from(
    [
        *("a", "b", "ab", "/", "/", "/", r"\.", ".", "-", r"\-", r"\/", "%2F", "$", "^", r"\Z", r"\A", r"\b"),
        *(
            "(a)",
            "(a|b)",
            "(?:a|b)",
            "(.*)",
            "([^/]+)",
            "()",
            "(?=a)",
            "(?!a)",
            "(?i:A)",
            r"\d",
            r"\w+",
            "a|b",
        ),
        *(
            "[ab]",
            "[^/]*",
            r"[\].]",
            "a?",
            "a*",
            "a+",
            "a{0}",
            "a{0,2}",
            "a??",
            "/?",
            "/*",
            r"\.?",
            r"\.*",
            "|",
        ),
        *("#", " ", "(?#note)", "{", "}", "]", ",", "&", "~"),
    ]
)
flags = st.sampled_from([0, 0, 0, re.IGNORECASE, re.VERBOSE, re.MULTILINE, re.DOTALL, re.ASCII])


@st.composite
def patterns(draw: st.DrawFn) -> Any:
    start = draw(st.sampled_from(["/", "/", "/", "", "^/", "^", "(?i)/", "(?x)/", r"\/"]))
    text = start + "".join(draw(st.lists(fragments, max_size=7)))
    chosen = draw(flags)
    try:
        compiled = re.compile(text, chosen)
    except re.error:
        return re.escape(draw(paths))
    return compiled if chosen or draw(st.booleans()) else text


def rule_of(pattern: Any) -> Rule:
    try:
        return URLSpec(pattern, object)
    except re.error:  # with the `$` that a string gets
        return URLSpec(re.escape(pattern), object)


rules = st.one_of(
    patterns().map(rule_of),
    patterns().map(rule_of),
    patterns().map(rule_of),
    st.just(AnyMatches()).map(lambda matcher: Rule(matcher, object)),
    st.just("h").map(lambda host: Rule(HostMatches(host), object)),
)


@given(st.lists(rules, max_size=10), st.lists(paths, min_size=1, max_size=10))
def test_the_table_finds_what_a_loop_finds(chosen, asked):
    table = RouteTable(chosen)
    for path in asked:
        assert table_match(table, path) == every_match(chosen, path)


@given(st.lists(rules, min_size=17, max_size=60), st.lists(paths, min_size=1, max_size=10))
def test_a_large_table_finds_what_a_loop_finds(chosen, asked):
    table = RouteTable(chosen)
    for path in asked:
        assert table_match(table, path) == every_match(chosen, path)


#: Patterns that end with their only argument, which the table takes out of a path without asking them.
one_argument = st.tuples(
    st.sampled_from(["/", "/a/", "/a", "/a/b/", "^/a/", r"/a\.", ""]),
    st.sampled_from(["", "?P<name>"]),
    st.sampled_from(["[^/]+", r"\d+", ".*", "[^/]*", r"\d*", ".+"]),
    st.sampled_from(["", "$", "/"]),
).map("{0[0]}({0[1]}{0[2]}){0[3]}".format)
values = st.text(st.sampled_from("ab/%17.\xb2\u0663"), max_size=4)


@given(st.lists(one_argument, min_size=1, max_size=4), st.lists(st.tuples(paths, values), min_size=1))
def test_the_only_argument_of_a_pattern_is_what_the_pattern_finds(chosen, asked):
    rules = [URLSpec(pattern, object) for pattern in chosen]
    table = RouteTable(rules)
    for path, value in asked:
        for whole in (path + value, "/a/" + value):
            assert table_match(table, whole) == every_match(rules, whole)


@given(patterns(), st.lists(paths, min_size=1, max_size=20))
def test_everything_a_pattern_matches_begins_with_its_literal_prefix(pattern, asked):
    regex = rule_of(pattern).matcher.regex
    literal, rest = literal_prefix(regex)
    for path in [*asked, literal]:
        matched = regex.match(path) is not None
        assert path.startswith(literal) or not matched
        assert rest != "$" or matched == (path == literal)


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("/a/b", ("/a/b", "$")),
        ("^/a/b$", ("/a/b", "$")),
        (r"/a\.txt", ("/a.txt", "$")),
        (r"/a/\$", ("/a/$", "")),
        (re.compile("/a/b"), ("/a/b", "")),
        ("/a/b?", ("/a/", "?$")),
        ("/a/(.*)", ("/a/", "(.*)$")),
        ("/a/(b)", ("/a/", "(b)$")),
        (r"/a/\d", ("/a/", r"\d$")),
        ("/a/b|/c", ("", "")),
        ("(?i)/a/b", ("", "")),
        (re.compile("/a /b", re.VERBOSE), ("", "")),
    ],
)
def test_literal_prefix(pattern, prefix):
    assert literal_prefix(PathMatches(pattern).regex) == prefix


def named(*patterns: str) -> dict[str, Rule]:
    return {pattern: URLSpec(pattern, object, name=pattern) for pattern in patterns}


def first(table: RouteTable, path: str) -> str | None:
    found = table_match(table, path)
    return found[0][0].name if found else None


@pytest.mark.parametrize(
    ("order", "winner"),
    [
        (("/a/b", "/a/(.*)", "/(.*)"), "/a/b"),
        (("/a/(.*)", "/a/b", "/(.*)"), "/a/(.*)"),
        (("/(.*)", "/a/b", "/a/(.*)"), "/(.*)"),
        (("/a/(.*)", "/(.*)", "/a/b"), "/a/(.*)"),
        (("/a/b$", "/a/b", "/(.*)"), "/a/b$"),
    ],
)
def test_the_first_rule_that_matches_wins_whatever_its_kind(order, winner):
    rules = named(*order)
    assert first(RouteTable(rules.values()), "/a/b") == winner


def test_every_change_of_the_list_is_honoured():
    rules = named("/x", "/y", "/x/(.*)", "/(.*)")
    table = RouteTable()

    def is_like_a_loop() -> bool:
        return all(
            table_match(table, path) == every_match(table, path) for path in ("/x", "/y", "/x/1", "/z")
        )

    def changes() -> Any:
        yield table.append(rules["/x"])
        yield table.extend([rules["/y"], rules["/(.*)"]])
        yield table.insert(0, rules["/x/(.*)"])
        yield table.reverse()
        yield table.sort(key=lambda rule: rule.name)
        yield table.__setitem__(0, rules["/y"])
        yield table.__setitem__(slice(1, 2), [rules["/x"], rules["/(.*)"]])
        yield table.remove(rules["/y"])
        yield table.pop()
        yield table.__delitem__(0)
        yield table.__iadd__([rules["/x"], rules["/(.*)"]])
        yield table.__imul__(2)
        yield table.clear()
        yield table.append(rules["/(.*)"])

    assert first(table, "/x") is None
    for _ in changes():
        assert is_like_a_loop()
    assert first(table, "/x") == "/(.*)"


def operations(run: Any) -> int:
    """Python-level and C-level calls and lines that `run` takes."""
    count = 0

    def count_one(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return count_one

    sys.setprofile(count_one)
    sys.settrace(count_one)
    try:
        run()
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return count


SHAPES = {
    "exact": ("/page{}", "/page{}"),
    "deep exact": ("/api/v1/page{}", "/api/v1/page{}"),
    "own first part": ("/page{}/(.*)", "/page{}/x"),
    "common first part": ("/api/page{}/(.*)", "/api/page{}/x"),
    "optional slash": ("/page{}/?", "/page{}/"),
    "extension": (r"/page{}\.([a-z]+)", "/page{}.json"),
    "number in the middle": (r"/users/page{}/(\d+)/edit", "/users/page{}/7/edit"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_routes_cost_what_ten_do(shape):
    pattern, path = SHAPES[shape]

    def cost(count: int) -> int:
        router = RuleRouter([(pattern.format(n), object) for n in range(1000, 1000 + count)])
        asked = path.format(1000 + count // 2)
        assert len(every_match(router.rules, asked)) == 1
        assert len(table_match(router.rules, asked)) == 1  # the index is made
        return operations(lambda: table_match(router.rules, asked))

    few, many = cost(10), cost(10_000)
    assert many <= 2 * few, (few, many)


def test_long_paths_cost_no_more_looks_than_there_are_beginnings():
    table = RouteTable(URLSpec("/" + "x" * n + "(.*)", object) for n in range(1, 200))
    index = table.indexed()
    assert index.first("/", None, 0) is None
    short, long = "/" + "y" * 100, "/" + "y" * 60_000
    assert operations(lambda: index.first(long, None, 0)) == operations(lambda: index.first(short, None, 0))


def test_reverse_url_finds_names_and_those_of_routers_inside():
    inner = ReversibleRuleRouter([URLSpec(r"/in/(\w+)/(\d+)", object, name="inner")])
    outer = ReversibleRuleRouter(
        [
            URLSpec("/out", object, name="outer"),
            URLSpec(r"/100%/(?:a|b)", object, name="no way back"),
            URLSpec(r"/a\.b/(.*)", object, name="escaped"),
            Rule(AnyMatches(), inner),
        ]
    )
    assert outer.reverse_url("outer") == "/out"
    assert outer.reverse_url("inner", "a b/ü", 7) == "/in/a%20b/%C3%BC/7"
    assert outer.reverse_url("escaped", "%") == "/a.b/%25"
    assert outer.reverse_url("none") is None
    with pytest.raises(ValueError, match="Cannot reverse"):
        outer.reverse_url("no way back")
    with pytest.raises(AssertionError, match="takes 1 arguments, 0 were given"):
        outer.reverse_url("escaped")


@given(st.lists(st.text(alphabet="ab %ü?#\\.+&", min_size=1), min_size=2, max_size=2))
def test_what_reverse_makes_matches_and_gives_the_arguments_back(arguments):
    spec = URLSpec("/x/([^/]+)/y/([^/]+)", object)
    path = spec.reverse(*arguments)
    assert path is not None
    assert spec.matcher.match(request(path)) == {"path_args": [text.encode() for text in arguments]}


def test_a_second_rule_of_one_name_is_told_of(expect_log):
    expect_log("zonda.application", "Multiple handlers named n; replacing previous value")
    router = ReversibleRuleRouter([URLSpec("/1", object, name="n"), URLSpec("/2", object, name="n")])
    assert router.reverse_url("n") == "/2"


@pytest.mark.parametrize("wrong", ["/a", ("/a",), ("/a", object, {}, "n", 5), 7, {"/a": object}])
def test_what_is_no_route_is_refused_with_what_one_is(wrong):
    with pytest.raises(ValueError, match="a route is a Rule or a sequence of 2 to 4 items"):
        RuleRouter([wrong])


def test_groups_are_all_named_or_none():
    with pytest.raises(AssertionError, match="all named or all positional"):
        URLSpec("/(?P<a>.)/(.)", object)
