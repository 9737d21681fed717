"""The template language: each answer is the one Tornado 6.6.1 gave, asked as an oracle.

A name instead of bytes is the exception that rendering raises.
"""

import builtins

import pytest

from zonda.template import DictLoader

ANSWERS = {
    "expressions": [
        ("{{ a }}", b"&lt;&amp;&#x27;&quot;&gt;"),
        ("{{a}}", b"&lt;&amp;&#x27;&quot;&gt;"),
        ("{{ n }}", b"7"),
        ("{{ nothing }}", b"None"),
        ("{{ items }}", b"[1, &#x27;&lt;&#x27;, b&#x27;z&#x27;]"),
        ("{{ 1.5 }}", b"1.5"),
        ("{{ a, n }}", b"(&#x27;&lt;&amp;\\&#x27;&quot;&gt;&#x27;, 7)"),
        ("{{ n # a comment }}", b"7"),
        ("{{ b'\\xc3\\xa9<' }}", b"\xc3\xa9&lt;"),
        ("{% raw b'\\xff' %}{{ a }}", b"\xff&lt;&amp;&#x27;&quot;&gt;"),
        ("{% raw a %}", b"<&'\">"),
        ("{% raw nothing %}", b"None"),
        ("{{ (1,\n2) }}", b"(1, 2)"),
        ("{{ [i for i in items] }}", b"[1, &#x27;&lt;&#x27;, b&#x27;z&#x27;]"),
        ("{{ {1: {2: 3} } }}", b"{1: {2: 3}}"),
        ("{{ n if n else 1}}", b"7"),
    ],
    "braces": [
        ("{", b"{"),
        ("{ {{ n }} }", b"{ 7 }"),
        ("{!", b"{!"),
        ("{{!n}} {{n}}", b"{{n}} 7"),
        ("{{!{{n}}", b"{{7"),
        ("{{!{%!{#!}}", b"{{{%{#}}"),
        ("{{{n}}}", b"{7}"),
        ("{{{{n}}}}", b"{{7}}"),
        ("{{{ n }}}", b"{7}"),
        ("{{ '{#' }}", b"{#"),
        ("{#{{n}}#}", b""),
        ("{# {% #} x", b" x"),
        ("}} %} #}", b"}} %} #}"),
        ("a{# c\n #}b", b"ab"),
    ],
    "control": [
        ("{% if n > 4 %}yes{% else %}no{% end %}", b"yes"),
        ("{% if 0 %}a{% elif 1 %}b{% else %}c{% end %}", b"b"),
        ("{% if 1 %}{% else %}{% end %}", b""),
        ("{% if 1 %}{# only a comment #}{% end %}", b""),
        ("{% if (n and\n 2) %}y{% end %}", b"y"),
        ("{%\nif 1\n%}x{%\nend\n%}", b"x"),
        ("{% if 1 %}x{% end if %}", b"x"),
        ("{% for i in items %}{{ i }},{% else %}!{% end %}", b"1,&lt;,z,!"),
        ("{% for i in [] %}{% end %}", b""),
        ("{% for x, y in [(1, 2)] %}{{ x }}{{ y }}{% end %}", b"12"),
        ("{% while n %}{% set n = 0 %}{% end %}", "UnboundLocalError"),
        ("{% set k = 3 %}{% while k %}{{ k }}{% set k = k - 1 %}{% else %}.{% end %}", b"321."),
        (
            "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% end %}{{ i }}"
            "{% if i == 4 %}{% break %}{% end %}{% end %}",
            b"0134",
        ),
        ("{% for i in range(9) %}{% if i %}{% block q %}{% break %}{% end %}{% end %}{{ i }}{% end %}", b"0"),
        (
            "{% try %}a{{ n }}b{{ 1/0 }}c{% except ZeroDivisionError as e %}[{{ e }}]"
            "{% else %}-{% finally %}.{% end %}",
            b"a7b[division by zero].",
        ),
        ("{% try %}a{% finally %}b{% end %}", b"ab"),
        ("{% try %}x{% except %}{% end %}", b"x"),
    ],
    "statements": [
        ("{% set k = n + 1 %}{{ k }}", b"8"),
        ("{% set k = (1,\n2) %}{{ k }}", b"(1, 2)"),
        ("{% if 1 %}{% set k = 2 %}{% end %}{{ k }}", b"2"),
        ("{% set f = lambda x: x + 1 %}{{ f(1) }}", b"2"),
        ("{% import os.path %}{{ os.path.basename('/a/b') }}", b"b"),
        ("{% from os.path import basename as b %}{{ b('/a/b') }}", b"b"),
        ("{% comment {{ anything %}x", b"x"),
        ("{% module Up('<') %}", b"<up"),
        ("{% set n = n %}", "UnboundLocalError"),
    ],
    "apply": [
        ("{% apply up %}a{{ a }}{% end %}", b"A&LT;&AMP;&#X27;&QUOT;&GT;"),
        ("{% apply up %}{% end %}.", b"."),
        ("{% apply str %}a{% end %}", b"b'a'"),
        ("{% apply linkify %}http://a.com <{% end %}", b'<a href="http://a.com">http://a.com</a> &lt;'),
        ("{% set k = 3 %}{% apply escape %}<{{ k }}>{% end %}", b"&lt;3&gt;"),
        ("{% apply escape %}{% set k = 3 %}{% end %}{{ k }}", "NameError"),
        ("{% apply up %}a{% apply up %}b{% end %}{% end %}", b"AB"),
        ("{% apply up %}{% for i in [1] %}{% break %}{% end %}{% end %}", b""),
        ("{% apply up %}{% try %}a{{ 1/0 }}{% except %}b{% end %}{% end %}", b"AB"),
    ],
    "autoescape": [
        ("{% autoescape None %}{{ a }}", b"<&'\">"),
        ("{% autoescape %}{{ a }}", b"<&'\">"),
        (
            "{{ a }}{% autoescape None %}{{ a }}{% autoescape xhtml_escape %}",
            b"&lt;&amp;&#x27;&quot;&gt;&lt;&amp;&#x27;&quot;&gt;",
        ),
        ("{% autoescape url_escape %}{{ a }}", b"%3C%26%27%22%3E"),
        ("{% autoescape kind %}{{ a }} {{ n }} {{ items[2] }}", b"bytes bytes bytes"),
        ("{% set xhtml_escape = kind %}{{ a }}", b"bytes"),
        ("{% apply up %}{% set xhtml_escape = kind %}{% end %}{{ n }}", b"7"),
        ("{% autoescape kind %}{% raw a %}", b"<&'\">"),
        ("{{ escape(a) }}", b"&amp;lt;&amp;amp;&amp;#x27;&amp;quot;&amp;gt;"),
        ("{{ squeeze('a  b') }}", b"a b"),
        ("{{ url_escape('a b') }}", b"a+b"),
        ("{% raw json_encode({'a': 1}) %}", b'{"a": 1}'),
        ("{{ datetime.__name__ }}", b"datetime"),
        ("{{ __name__ }}", b"t_html"),
    ],
    "whitespace": [
        ("a  b\t c\n\n d\r\n  e", b"a b c\nd\ne"),
        ("<pre>\n\n  x</pre>  y{{ n }}  z", b"<pre>\n\n  x</pre>  y7 z"),
        ("{% whitespace all %}a  b", b"a  b"),
        ("{% whitespace oneline %}a \n b{% whitespace single %}a \n b", b"a ba\nb"),
        ("a {# c #} b", b"a  b"),
        ("\xa0\n\xa0 a\x85b\u2003 \u2003", b"\na\xc2\x85b\xe2\x80\x83 \xe2\x80\x83"),
    ],
}


class Modules:
    @staticmethod
    def Up(text):
        return text + "up"


NAMES = {
    "a": "<&'\">",
    "n": 7,
    "items": [1, "<", b"z"],
    "nothing": None,
    "up": lambda text: text.upper(),
    "kind": lambda value: type(value).__name__,
    "_tt_modules": Modules,
}


@pytest.mark.parametrize(("source", "answer"), [case for cases in ANSWERS.values() for case in cases])
def test_answer(source, answer):
    template = DictLoader({"t.html": source}).load("t.html")
    if isinstance(answer, bytes):
        assert template.generate(**NAMES) == answer
    else:
        with pytest.raises(getattr(builtins, answer)):
            template.generate(**NAMES)


#: Several templates; the first one is rendered.
FAMILIES = [
    ({"t": "{% extends b %}{% set q = 1 %}OUT", "b": "[{% block x %}d{% end %}]"}, b"[d]"),
    ({"t": "{% block x %}C{% end %}{% extends b %}", "b": "{% block x %}1{% end %}"}, b"C"),
    (
        {
            "t": "{% extends b %}{% block x %}C{% end %}",
            "b": "{% extends a %}{% block x %}B{% block y %}BY{% end %}{% end %}",
            "a": "<{% block x %}A{% end %}{% block y %}AY{% end %}>",
        },
        b"<CBY>",
    ),
    (
        {
            "t": "{% extends b %}{% block y %}C{% end %}",
            "b": "{% extends a %}{% block x %}B{% block y %}BY{% end %}{% end %}",
            "a": "<{% block x %}A{% end %}>",
        },
        b"<BC>",
    ),
    (
        {
            "t": "{% extends b %}{% block x %}C{% end %}",
            "b": "{% block x %}1{% end %}-{% block x %}2{% end %}",
        },
        b"C-C",
    ),
    (
        {
            "t": "{% extends b %}{% block x %}C{% end %}",
            "b": "<{% include i %}>",
            "i": "({% block x %}I{% end %})",
        },
        b"<(C)>",
    ),
    ({"t": "{% block x %}T{% end %}{% include i %}", "i": "({% block x %}I{% end %})"}, b"I(I)"),
    ({"t": "{% include i %}{% block x %}T{% end %}", "i": "({% block x %}I{% end %})"}, b"(T)T"),
    (
        {
            "t": "{% extends b %}{% block x %}{% include i %}{% end %}",
            "b": "<{% block x %}{% end %}{% block y %}BY{% end %}>",
            "i": "({% block y %}I{% end %})",
        },
        b"<(I)I>",
    ),
    (
        {
            "t": "{% extends b %}{% block x %}<c>{% end %}",
            "b": "{% apply escape %}{% block x %}1{% end %}{% end %}",
        },
        b"&lt;c&gt;",
    ),
    (
        {"t": "{% extends b %}{% if 0 %}{% block x %}C{% end %}{% end %}", "b": "{% block x %}1{% end %}"},
        b"C",
    ),
    ({"t": "{% block x %}a{% block x %}b{% end %}{% end %}"}, b"b"),
    ({"t": "{% autoescape None %}{% include i %}{{ '<' }}", "i": "{{ '<' }}"}, b"&lt;<"),
    ({"t": "{% extends a %}{% extends b %}", "a": "a", "b": "b"}, b"b"),
]


@pytest.mark.parametrize(("templates", "answer"), FAMILIES)
def test_family(templates, answer):
    assert DictLoader(templates).load("t").generate() == answer
