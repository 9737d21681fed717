"""Tree -> Python source.

Inclusion and inheritance are resolved here: one template becomes one function `_tt_execute`,
whatever it extends and includes.  The function appends str pieces to a list and encodes them once
at the end; neighbouring constants are one piece.  Every line that can fail ends in a comment that
names the line of the template, which is what a traceback shows:

    _tt_value = order.total  # row.html:3 (via page.html:12)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from .errors import ParseError
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

#: Bound in each generated function's signature: local names instead of two dictionary look-ups.
_LOCALS = ", ".join(f"{name}={name}" for name in ("_tt_escape", "_tt_raw", "_tt_output", "_tt_join"))


class Parsed(Protocol):
    """A template that has been read: what the compiler asks of it."""

    file: File


class Source(Protocol):
    """Where further templates come from (a loader)."""

    #: Names of the templates that are being read, outermost first.
    opening: list[str]

    def resolve_path(self, name: str, parent_path: str | None = None) -> str: ...

    def load(self, name: str, parent_path: str | None = None) -> Parsed: ...


class Compiler:
    """Writes the code of one template.

    `plain_escape` says that `xhtml_escape` means what it always means in this template; if not, it is
    called by its name, as any other escaping function is.
    """

    def __init__(self, source: Source | None, plain_escape: bool = True) -> None:
        self._source = source
        self._plain_escape = plain_escape
        self._lines: list[str] = []
        #: For each generated line the place in the template.
        self.origins: list[str] = []
        self._indent = 0
        #: Nothing was written yet in the innermost suite.
        self._empty = False
        self._constant: list[str] = []
        self._blocks: dict[str, Block] = {}
        self._applied = 0
        #: The file that is being written, and how it was come by: innermost place first.
        self._file = File(0, "", None)
        self._via: tuple[str, ...] = ()

    def compile(self, file: File) -> str:
        """The Python source.  Raises ParseError, and what the loader raises for a missing template."""
        line = self._line_of(file)
        for ancestor in reversed(line):
            self._collect_blocks(ancestor)
        self._file = line[-1]
        with self._function("_tt_execute", 0):
            self._write_body(self._file)
        return "\n".join(self._lines) + "\n"

    def _line_of(self, file: File) -> list[File]:
        """The template and what it extends, outermost (the one whose text is used) last."""
        line = [file]
        for node in file.children:
            if isinstance(node, Extends):
                line += self._line_of(self._load(file, node))
        return line

    def _collect_blocks(self, file: File) -> None:
        """Later ones replace earlier ones: those of a child come after its parent's."""
        for node in file.walk():
            if isinstance(node, Block):
                self._blocks[node.name] = node
            elif isinstance(node, Include):
                self._collect_blocks(self._load(file, node))

    def _load(self, file: File, node: Include | Extends) -> File:
        word = "includes" if isinstance(node, Include) else "extends"
        if self._source is None:
            raise ParseError(f"{word} {node.name!r} without a loader", file.name, node.line)
        name = self._source.resolve_path(node.name, file.name)
        opening = self._source.opening
        if name in opening:
            chain = " -> ".join([*opening[opening.index(name) :], name])
            raise ParseError(f"a template {word} itself: {chain}", file.name, node.line)
        found = self._source.load(node.name, file.name).file
        if isinstance(node, Include) and any(isinstance(child, Extends) for child in found.children):
            raise ParseError(f"includes {name!r}, which extends another template", file.name, node.line)
        return found

    def _write(self, node: Node) -> None:
        match node:
            case Text():
                self._constant.append(node.value)
            case Expression():
                self._write_expression(node)
            case Statement():
                self._emit(node.code, node.line)
            case Control():
                self._begin_suite(node.code, node.line)
                self._write_body(node)
                self._end_suite(node.line)
            case Branch():
                self._end_suite(node.line)
                self._begin_suite(node.code, node.line)
            case Block():
                block = self._blocks[node.name]
                with self._inside(block.file, node.line):
                    self._write_body(block)
            case Include():
                included = self._load(self._file, node)
                with self._inside(included, node.line):
                    self._write_body(included)
            case Apply():
                self._write_apply(node)

    def _write_body(self, body: Body) -> None:
        for child in body.children:
            self._write(child)

    def _write_expression(self, node: Expression) -> None:
        escape = None if node.raw else self._file.autoescape
        if escape is None:
            output = "_tt_raw(_tt_value)"
        elif escape == "xhtml_escape" and self._plain_escape:
            output = "_tt_escape(_tt_value)"
        else:
            output = f"_tt_output({escape}(_tt_bytes(_tt_value)))"
        # Two lines: an expression may hold a comma, or end in a comment.
        self._emit(f"_tt_value = {node.code}", node.line)
        self._emit(f"_tt_append({output})", node.line)

    def _write_apply(self, node: Apply) -> None:
        name = f"_tt_apply{self._applied}"
        self._applied += 1
        with self._function(name, node.line):
            self._write_body(node)
        self._emit(f"_tt_append(_tt_output(({node.function})({name}())))", node.line)

    @contextmanager
    def _function(self, name: str, line: int) -> Iterator[None]:
        self._begin_suite(f"def {name}({_LOCALS})", line)
        self._emit("_tt_pieces = []", line)
        self._emit("_tt_append = _tt_pieces.append", line)
        yield
        self._emit("return _tt_join(_tt_pieces)", line)
        self._end_suite(line)

    def _begin_suite(self, header: str, line: int) -> None:
        self._emit(f"{header}:", line)
        self._indent += 1
        self._empty = True

    def _end_suite(self, line: int) -> None:
        self._flush(line)
        if self._empty:
            self._emit("pass", line)
        self._indent -= 1

    @contextmanager
    def _inside(self, file: File, line: int) -> Iterator[None]:
        before = self._file, self._via
        self._via = (self._place(line), *self._via)
        self._file = file
        yield
        self._file, self._via = before

    def _flush(self, line: int) -> None:
        text = "".join(self._constant)
        self._constant.clear()
        if text:
            self._emit(f"_tt_append({text!r})", line)

    def _emit(self, code: str, line: int) -> None:
        if self._constant:
            self._flush(line)
        self._empty = False
        origin = self._place(line)
        if self._via:
            origin += f" (via {', '.join(self._via)})"
        text = f"{'    ' * self._indent}{code}  # {origin}"
        self._lines.append(text)
        self.origins += [origin] * (text.count("\n") + 1)

    def _place(self, line: int) -> str:
        # A name goes into a comment: a line break in it would begin a line of code.
        name = "".join([char if char.isprintable() else "?" for char in self._file.name])
        return f"{name}:{line}"
