"""Faults in templates: what is said, and where it points."""

import pickle
import traceback

import pytest

from zonda.template import DictLoader, ParseError, Template

FAULTS = [
    ("a\n{{ x", 2, "Missing end expression }}"),
    ("a\n{% if x\n\n", 2, "Missing end of directive %}"),
    ("a\n\n{# x\n\n", 3, "Missing end of comment #}"),
    ("{%}", 1, "Missing end of directive %}"),
    ("{#}", 1, "Missing end of comment #}"),
    ("{{ }}", 1, "Empty expression"),
    ("{{ }} }}", 1, "Empty expression"),
    ("\n{% %}", 2, "Empty directive"),
    ("\n{% foo %}", 2, "unknown directive 'foo'"),
    ("{%if(1)%}", 1, "unknown directive 'if(1)'"),
    ("\n{% if 1 %}\n", 2, "Missing {% end %} of if"),
    ("{% if 1 %}\n{% for x in y %}\n{% end %}", 1, "Missing {% end %} of if"),
    ("\n\n{% end %}", 3, "{% end %} with nothing to end"),
    ("{% else %}", 1, "else at top level: it belongs to if or for or while or try"),
    ("{% for x in y %}\n{% elif 1 %}{% end %}", 2, "elif inside for: it belongs to if"),
    ("{% block x %}{% else %}{% end %}", 1, "else inside block: it belongs to if or for or while or try"),
    ("{% if 1 %}{% except %}{% end %}", 1, "except inside if: it belongs to try"),
    ("{% while 1 %}{% finally %}{% end %}", 1, "finally inside while: it belongs to try"),
    ("{% extends %}", 1, "extends needs a template name"),
    ("{% include '' %}", 1, "include needs a template name"),
    ("{% import %}", 1, "import needs a module"),
    ("{% from %}", 1, "from needs a module"),
    ("{% set %}", 1, "set needs an assignment"),
    ("{% block %}{% end %}", 1, "block needs a name"),
    ("{% apply %}{% end %}", 1, "apply needs a function"),
    ("{% raw %}", 1, "raw needs an expression"),
    ("{% module %}", 1, "module needs an expression"),
    ("{% break %}", 1, "break outside for and while"),
    ("{% for x in y %}{% apply f %}\n{% continue %}{% end %}{% end %}", 2, "continue outside for and while"),
    ("{% if 1 %}\n{% extends x %}{% end %}", 2, "extends inside if: it stands at top level"),
    ("{% whitespace some %}", 1, "invalid whitespace mode 'some': allowed are all, single, oneline"),
    ("{% include x %}", 1, "includes 'x' without a loader"),
    ("\n{% extends x %}", 2, "extends 'x' without a loader"),
    ("{% if 1 %}" * 91, 1, "if is nested deeper than 90"),
]


@pytest.mark.parametrize(("source", "line", "message"), FAULTS)
def test_fault(source, line, message):
    with pytest.raises(ParseError) as caught:
        Template(source, name="page.txt")
    error = caught.value
    assert (error.message, error.filename, error.lineno) == (message, "page.txt", line)
    assert str(error) == f"{message} at page.txt:{line}"


def test_a_parse_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(ParseError("m", "f", 3)))
    assert (type(error), error.message, error.filename, error.lineno) == (ParseError, "m", "f", 3)


def test_ninety_levels_are_allowed():
    deep = 15  # Python takes 20 loops inside each other, and 100 levels of any kind
    assert Template("{% for i in [1] %}" * deep + "x" + "{% end %}" * deep).generate() == b"x"
    assert Template("{% if 1 %}" * 90 + "x" + "{% end %}" * 90).generate() == b"x"


FAMILIES = [
    ({"t": "{% include a %}", "a": "\n{{"}, "a", 2, "Missing end expression }}"),
    (
        {"t": "{% include a %}", "a": "\n{% extends b %}", "b": "{% end %}"},
        "b",
        1,
        "{% end %} with nothing to end",
    ),
    (
        {"t": "{% for i in x %}{% include a %}{% end %}", "a": "{% break %}"},
        "a",
        1,
        "break outside for and while",
    ),
    ({"t": "\n{% include t %}"}, "t", 2, "a template includes itself: t -> t"),
    ({"t": "{% extends a %}", "a": "\n{% extends t %}"}, "a", 2, "a template extends itself: t -> a -> t"),
    (
        {"t": "{% extends a %}", "a": "{% block x %}{% include b %}{% end %}", "b": "{% include './a' %}"},
        "b",
        1,
        "a template includes itself: a -> b -> a",
    ),
    (
        {"t": "\n{% include a %}", "a": "{% extends b %}", "b": ""},
        "t",
        2,
        "includes 'a', which extends another template",
    ),
]


@pytest.mark.parametrize(("templates", "name", "line", "message"), FAMILIES)
def test_fault_in_a_family(templates, name, line, message):
    loader = DictLoader(templates)
    for _ in range(2):  # a failure leaves nothing half done in the loader
        with pytest.raises(ParseError) as caught:
            loader.load("t")
        error = caught.value
        assert (error.message, error.filename, error.lineno) == (message, name, line)
    assert loader.opening == []


def test_a_long_chain_is_refused_before_python_gives_up():
    chain = {str(n): f"{{% include {n + 1} %}}" for n in range(2000)}
    with pytest.raises(ParseError, match="a chain of more than 40 templates, ending in 37 -> 38 -> 39 -> 40"):
        DictLoader(chain).load("0")
    chain["39"] = "end"
    assert DictLoader(chain).load("0").generate() == b"end"


def test_a_fault_in_the_python_names_the_line_of_the_template():
    with pytest.raises(SyntaxError) as caught:
        DictLoader({"t": "\n{% include a %}", "a": "\n\n{{ 1 + }}"}).load("t")
    assert caught.value.__notes__ == ["in the template at a:3"]
    templates = {"t": "{% extends b %}\n{% block x %}{{ 1 + }}{% end %}", "b": "{% block x %}{% end %}"}
    with pytest.raises(SyntaxError) as caught:
        DictLoader(templates).load("t")
    assert caught.value.__notes__ == ["in the template at t:2 (via b:1)"]


def lines_shown(template, **names):
    try:
        template.generate(**names)
    except Exception:
        return [line.strip() for line in traceback.format_exc().splitlines() if "  # " in line]
    raise AssertionError("it did not fail")


def fail():
    raise KeyError("k")


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("a\n{{ f() }}", "t.html:2"),
        ("\n\n{% for i in f() %}{% end %}", "t.html:3"),
        ("{% if 0 %}\n{% elif f() %}{% end %}", "t.html:2"),
        ("{% set x = 1 %}\n{% set x = f() %}", "t.html:2"),
        ("\n{% raw f() %}", "t.html:2"),
        ("{% try %}\n{{ 1 }}{% finally %}\n{% set f() %}{% end %}", "t.html:3"),
        ("{% apply str %}\n\n{{ f() }}{% end %}", "t.html:3"),
        ("{#\n#}\n{{!\n{{ f() }}", "t.html:4"),
    ],
)
def test_a_traceback_names_the_line_of_the_template(source, place):
    template = DictLoader({"t.html": source}).load("t.html")
    assert lines_shown(template, f=fail)[-1].endswith(f"  # {place}")


def test_a_traceback_shows_the_failing_template_of_two_of_one_name():
    first, second = Template("{{ f() }}"), Template("\n\n{{ f() + 1 }}")
    assert lines_shown(first, f=fail) == ["_tt_value = f()  # <string>:1"]
    assert lines_shown(second, f=fail) == ["_tt_value = f() + 1  # <string>:3"]
    assert lines_shown(first, f=fail) == ["_tt_value = f()  # <string>:1"]


@pytest.mark.parametrize("end", ["\n", "\r", "\x0c\n", "\u2028"])
def test_a_name_does_not_become_code(end):
    name = f"t{end}raise KeyError('the name was run') #"
    loader = DictLoader({name: "{{ 1 }}{% block x %}{{ 2 }}{% end %}", "t": f"{{% include '{name}' %}}"})
    assert loader.load(name).generate() == b"12"
    assert loader.load("t").generate() == b"12"


def test_whitespace_options_are_checked():
    with pytest.raises(ValueError, match="invalid whitespace mode 'some'"):
        Template("x", whitespace="some")
    with pytest.raises(ValueError, match="whitespace and compress_whitespace are both given"):
        Template("x", whitespace="all", compress_whitespace=True)
    assert Template("a  b", compress_whitespace=True).generate() == b"a b"
    assert Template("a  b", name="t.html", compress_whitespace=False).generate() == b"a  b"
