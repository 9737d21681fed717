"""Template text -> tokens, in one pass from left to right.

A token begins with two characters: `{{` an expression, `{%` a directive, `{#` a comment.  Of
three or more opening braces in a row the last two count.  `!` after the two characters takes
their meaning away.
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from .errors import ParseError


class Kind(Enum):
    TEXT = auto()
    EXPRESSION = auto()
    DIRECTIVE = auto()


class Token(NamedTuple):
    kind: Kind
    value: str
    line: int


_CLOSING = {"{": "}}", "%": "%}", "#": "#}"}
_ENDLESS = {
    "{": "Missing end expression }}",
    "%": "Missing end of directive %}",
    "#": "Missing end of comment #}",
}


def tokens(source: str, name: str) -> Iterator[Token]:
    """The tokens of a template; comments are left out, expressions and directives stripped.

    Raises ParseError, naming `name` and the line, where a token does not end or is empty.
    """
    done = 0  # all before it has been given out
    seen = 0  # all before it is known to hold no token
    line = 1
    while (start := source.find("{", seen)) >= 0:
        mark = source[start + 1 : start + 2]
        if mark not in _CLOSING or source.startswith("{{{", start):
            seen = start + 1
            continue
        if start > done:
            yield Token(Kind.TEXT, source[done:start], line)
            line += source.count("\n", done, start)
        if source.startswith("!", start + 2):
            yield Token(Kind.TEXT, "{" + mark, line)
            done = seen = start + 3
            continue
        end = source.find(_CLOSING[mark], start + 2)
        if end < 0:
            raise ParseError(_ENDLESS[mark], name, line)
        if mark != "#":
            value = source[start + 2 : end].strip()
            if not value:
                raise ParseError(f"Empty {'expression' if mark == '{' else 'directive'}", name, line)
            yield Token(Kind.EXPRESSION if mark == "{" else Kind.DIRECTIVE, value, line)
        done = seen = end + 2
        line += source.count("\n", start, done)
    if done < len(source):
        yield Token(Kind.TEXT, source[done:], line)
