"""Cost grows no faster than the template, or the output, does."""

import pytest

from tests.core.wire.growth import assert_linear
from zonda.template import DictLoader, ParseError, Template, filter_whitespace


@pytest.mark.parametrize(
    "unit",
    [
        "{{ x }}\n",
        "{% if x %}y{% end %}",
        "{% if x %}y{% else %}z{% end %}\n",
        "{% set x = 1 %}",
        "{% block a %}{% end %}\n",
        "{% apply f %}a{% end %}",
        "{# c #}\n",
        "{{!",
        "{ ",
        "{a",
        "}}",
        " \t \n",
        "\n",
        "<pre>",
    ],
)
def test_reading_is_linear_in_the_template(unit):
    assert_linear(lambda n: unit * n, lambda source: Template(source, whitespace="single"), 15)


@pytest.mark.parametrize("opening", ["{{", "{%", "{#", "{", "{{!{", "{# #}{{"])
def test_refusing_is_linear(opening):
    def work(source):
        with pytest.raises(ParseError):
            Template(source)

    assert_linear(lambda n: opening * n + "{{", work, 1000)


@pytest.mark.parametrize("blank", [" ", "\t", "\n", " \n", "\t ", "\r", "\xa0", "a ", "a \n"])
@pytest.mark.parametrize("mode", ["single", "oneline"])
def test_whitespace_is_linear(mode, blank):
    # A run without a newline is what makes a pattern like \s*\n\s* quadratic.
    assert_linear(lambda n: blank * n + "x", lambda text: filter_whitespace(mode, text), 500)


@pytest.mark.parametrize(
    "body",
    ["{{ i }}", "{{ '<' }}<td>", "{% raw b %}", "{% apply f %}{{ i }}{% end %}", "{% autoescape g %}{{ i }}"],
)
def test_rendering_is_linear_in_the_output(body):
    template = Template("{% for i in range(n) %}" + body + "{% end %}")
    assert_linear(lambda n: n, lambda n: template.generate(n=n, b=b"\xff", f=lambda s: s, g=lambda s: s), 200)


def test_including_is_linear_in_the_number_of_includes():
    loader = DictLoader({"i": "{{ x }}{% block a %}b{% end %}"})
    assert_linear(lambda n: "{% include i %}" * n, lambda source: Template(source, loader=loader), 15)
