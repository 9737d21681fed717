"""The tree of a template: what the parser found, before inheritance and inclusion."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    #: Line of the template, counted from 1.
    line: int


@dataclass(slots=True)
class Text(Node):
    value: str


@dataclass(slots=True)
class Expression(Node):
    """`{{ code }}`; `raw` for what is never escaped: `{% raw %}` and `{% module %}`."""

    code: str
    raw: bool = False


@dataclass(slots=True)
class Statement(Node):
    """One Python statement that stands for itself: set, import, from, break, continue."""

    code: str


@dataclass(slots=True)
class Branch(Node):
    """A further arm of the control structure around it: else, elif, except, finally."""

    code: str


@dataclass(slots=True)
class Include(Node):
    name: str


@dataclass(slots=True)
class Extends(Node):
    name: str


@dataclass(slots=True)
class Body(Node):
    children: list[Node] = field(default_factory=list, kw_only=True)

    def walk(self) -> Iterator[Node]:
        """Every node below this one, in the order of the template."""
        for child in self.children:
            yield child
            if isinstance(child, Body):
                yield from child.walk()


@dataclass(slots=True)
class File(Body):
    """A whole template."""

    name: str
    #: The function named by the last `{% autoescape %}` (None: no escaping); without one, the default.
    autoescape: str | None


@dataclass(slots=True)
class Control(Body):
    """if, for, while, try: Python's own statement with the template's body."""

    code: str


@dataclass(slots=True)
class Apply(Body):
    """The output of the body goes through `function`, a Python expression."""

    function: str


@dataclass(slots=True)
class Block(Body):
    name: str
    #: The template in which this block's body stands; its escaping applies to the body.
    file: File = field(repr=False)
