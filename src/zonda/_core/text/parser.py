"""Tokens -> tree.  Open structures are kept on a list, not on Python's stack."""

from dataclasses import dataclass

from .errors import ParseError
from .lexer import Kind, tokens
from .nodes import (
    Apply,
    Block,
    Body,
    Branch,
    Control,
    Expression,
    Extends,
    File,
    Include,
    Node,
    Statement,
    Text,
)
from .whitespace import filter_whitespace

#: Structures inside each other.  Python itself takes no more than 100 levels of indentation.
MAX_DEPTH = 90

_BRANCHES = {
    "else": ("if", "for", "while", "try"),
    "elif": ("if",),
    "except": ("try",),
    "finally": ("try",),
}
_CONTROLS = frozenset(("if", "for", "while", "try"))
_LOOPS = frozenset(("for", "while"))
_ARGUMENTS = {
    "apply": "a function",
    "block": "a name",
    "extends": "a template name",
    "from": "a module",
    "import": "a module",
    "include": "a template name",
    "module": "an expression",
    "raw": "an expression",
    "set": "an assignment",
}


@dataclass(slots=True)
class _Open:
    operator: str
    body: Body
    in_loop: bool


class Parser:
    """Reads one template.

    `whitespace` is the mode at its beginning, `autoescape` what holds where the template does not
    say.  Every ParseError names `name` and a line.
    """

    def __init__(self, source: str, name: str, whitespace: str, autoescape: str | None) -> None:
        self._tokens = tokens(source, name)
        self._whitespace = whitespace
        self._file = File(1, name, autoescape)
        self._open = [_Open("", self._file, False)]

    def parse(self) -> File:
        for kind, value, line in self._tokens:
            if kind is Kind.DIRECTIVE:
                operator, *rest = value.split(None, 1)
                self._directive(operator, rest[0] if rest else "", line)
            elif kind is Kind.EXPRESSION:
                self._add(Expression(line, value))
            else:
                # Tornado leaves text that has <pre> in it alone, and pages count on it.
                text = value if "<pre>" in value else filter_whitespace(self._whitespace, value)
                self._add(Text(line, text))
        innermost = self._open[-1]
        if innermost.operator:
            raise self._error(f"Missing {{% end %}} of {innermost.operator}", innermost.body.line)
        return self._file

    def _directive(self, operator: str, rest: str, line: int) -> None:
        if operator in _ARGUMENTS and not rest.strip("\"'"):
            raise self._error(f"{operator} needs {_ARGUMENTS[operator]}", line)
        if operator == "end":
            if len(self._open) == 1:
                raise self._error("{% end %} with nothing to end", line)
            self._open.pop()
        elif operator in _BRANCHES:
            self._branch(operator, rest, line)
        elif operator in _CONTROLS:
            self._enter(operator, Control(line, f"{operator} {rest}".rstrip()))
        elif operator == "apply":
            self._enter(operator, Apply(line, rest))
        elif operator == "block":
            self._enter(operator, Block(line, _unquoted(rest), self._file))
        elif operator in ("break", "continue"):
            if not self._open[-1].in_loop:
                raise self._error(f"{operator} outside for and while", line)
            self._add(Statement(line, operator))
        elif operator in ("import", "from"):
            self._add(Statement(line, f"{operator} {rest}"))
        elif operator == "set":
            self._add(Statement(line, rest))
        elif operator == "raw":
            self._add(Expression(line, rest, raw=True))
        elif operator == "module":
            self._add(Expression(line, f"_tt_modules.{rest}", raw=True))
        elif operator == "include":
            self._add(Include(line, _unquoted(rest)))
        elif operator == "extends":
            if len(self._open) > 1:
                raise self._error(f"extends inside {self._open[-1].operator}: it stands at top level", line)
            self._add(Extends(line, _unquoted(rest)))
        elif operator == "autoescape":
            self._file.autoescape = None if rest in ("", "None") else rest
        elif operator == "whitespace":
            self._set_whitespace(rest, line)
        elif operator != "comment":
            raise self._error(f"unknown directive {operator!r}", line)

    def _branch(self, operator: str, rest: str, line: int) -> None:
        allowed = _BRANCHES[operator]
        around = self._open[-1].operator
        if around not in allowed:
            seen = f"inside {around}" if around else "at top level"
            raise self._error(f"{operator} {seen}: it belongs to {' or '.join(allowed)}", line)
        self._add(Branch(line, f"{operator} {rest}".rstrip()))

    def _enter(self, operator: str, body: Body) -> None:
        if len(self._open) > MAX_DEPTH:
            raise self._error(f"{operator} is nested deeper than {MAX_DEPTH}", body.line)
        in_loop = self._open[-1].in_loop or operator in _LOOPS
        if operator == "apply":
            # The body becomes a function of its own: no loop outside can be left from in there.
            in_loop = False
        self._add(body)
        self._open.append(_Open(operator, body, in_loop))

    def _set_whitespace(self, mode: str, line: int) -> None:
        try:
            filter_whitespace(mode, "")
        except ValueError as error:
            raise self._error(str(error), line) from None
        self._whitespace = mode

    def _add(self, node: Node) -> None:
        self._open[-1].body.children.append(node)

    def _error(self, message: str, line: int) -> ParseError:
        return ParseError(message, self._file.name, line)


def _unquoted(name: str) -> str:
    return name.strip('"').strip("'")
