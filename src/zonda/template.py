"""Templates: text with Python in it, compiled to Python.

    Template("Hello {{ name }}!").generate(name="Ben")

`Loader` and `DictLoader` find templates by name and keep them compiled; templates extend
(`{% extends %}`, `{% block %}`) and include (`{% include %}`) one another.  `{{ expression }}` is
escaped for HTML unless `{% autoescape %}` or the loader says otherwise, or `{% raw %}` is used.

Source: Tornado documentation, `tornado.template`.  The code stands in `zonda/_core/text/`.
"""

from zonda._core.base.face import show
from zonda._core.text.errors import ParseError
from zonda._core.text.loader import BaseLoader, DictLoader, Loader
from zonda._core.text.template import Template
from zonda._core.text.whitespace import filter_whitespace

__all__ = ["BaseLoader", "DictLoader", "Loader", "ParseError", "Template", "filter_whitespace"]

show(__name__, globals(), __all__)
