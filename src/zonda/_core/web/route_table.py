"""The rules of a router, in order, with an index: ten thousand routes cost what ten do."""

import re
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, SupportsIndex

from .matchers import PathMatches

if TYPE_CHECKING:
    from .rule import Rule

_SPECIAL = frozenset(".^$*+?{}[]|()")
_REPEATS = frozenset("*+?{")

#: Rules that are tried one after the other before an index of them pays.
_FEW = 16
#: Characters of a pattern's beginning that are told apart; bounds the looks for one path.
_LONGEST = 64


class RouteTable(list["Rule"]):
    """A list of rules that knows which of them a path can match at all.

    It is an ordinary list to those who insert into it or replace items; each change only makes the
    index be built anew.
    """

    __slots__ = ("_index",)

    def __init__(self, rules: "Iterable[Rule]" = ()) -> None:
        super().__init__(rules)
        self._index: _Index | None = None

    def candidates(self, path: str) -> "list[tuple[int, Rule, bool]]":
        """(place, rule, sure) of the rules worth trying, in order; `sure`: it matches, no need to try."""
        index = self._index
        if index is None:
            index = self._index = _Index(self)
        exact = index.exact.get(path)
        if index.plain:
            return exact or []
        parts = path.split("/", 2)
        group = index.prefixed.get(parts[1], index.always) if len(parts) > 2 else index.always
        found = group.among(path) if group.lengths else group.entries
        if exact:
            found = sorted(exact + found) if found else exact
        return found

    # Every way to change a list makes the index stale.

    def append(self, rule: "Rule") -> None:
        self._index = None
        super().append(rule)

    def extend(self, rules: "Iterable[Rule]") -> None:
        self._index = None
        super().extend(rules)

    def insert(self, place: SupportsIndex, rule: "Rule") -> None:
        self._index = None
        super().insert(place, rule)

    def remove(self, rule: "Rule") -> None:
        self._index = None
        super().remove(rule)

    def pop(self, place: SupportsIndex = -1) -> "Rule":
        self._index = None
        return super().pop(place)

    def clear(self) -> None:
        self._index = None
        super().clear()

    def reverse(self) -> None:
        self._index = None
        super().reverse()

    def sort(self, **options: Any) -> None:
        self._index = None
        super().sort(**options)

    def __setitem__(self, place: Any, rule: Any) -> None:
        self._index = None
        super().__setitem__(place, rule)

    def __delitem__(self, place: Any) -> None:
        self._index = None
        super().__delitem__(place)

    def __iadd__(self, rules: "Iterable[Rule]") -> "RouteTable":  # type: ignore[override,misc]
        self.extend(rules)
        return self

    def __imul__(self, times: SupportsIndex) -> "RouteTable":
        self._index = None
        super().__imul__(times)
        return self


class _Group:
    """Rules that have a beginning in common; where they are many, an index of what each begins with."""

    __slots__ = ("by_start", "entries", "lengths")

    def __init__(self, rules: "list[tuple[str, tuple[int, Rule, bool]]]") -> None:
        self.entries = sorted(entry for _, entry in rules)
        self.by_start: dict[str, list[tuple[int, Rule, bool]]] = {}
        #: The lengths of those beginnings; none where trying every rule costs less than looking.
        self.lengths: list[int] = []
        if len(rules) > _FEW:
            for literal, entry in rules:
                self.by_start.setdefault(literal[:_LONGEST], []).append(entry)
            self.lengths = sorted({len(start) for start in self.by_start})

    def among(self, path: str) -> "list[tuple[int, Rule, bool]]":
        """The rules that `path` begins like, in order: at most one look for each length there is."""
        found: list[tuple[int, Rule, bool]] = []
        for length in self.lengths:
            if length > len(path):
                break
            found += self.by_start.get(path[:length], ())
        found.sort()
        return found


class _Index:
    """Rules by what their pattern begins with."""

    def __init__(self, rules: "Iterable[Rule]") -> None:
        #: Whole path -> the rules that are this path and nothing else.
        self.exact: dict[str, list[tuple[int, Rule, bool]]] = {}
        anywhere: list[tuple[str, tuple[int, Rule, bool]]] = []
        places: dict[str, list[tuple[str, tuple[int, Rule, bool]]]] = {}
        for place, rule in enumerate(rules):
            literal, whole = "", False
            if type(rule.matcher) is PathMatches:
                literal, whole = literal_prefix(rule.matcher.regex)
            if whole:
                self.exact.setdefault(literal, []).append((place, rule, True))
                continue
            parts = literal.split("/", 2)
            group = places.setdefault(parts[1], []) if len(parts) > 2 else anywhere
            group.append((literal, (place, rule, False)))
        if len(anywhere) > _FEW:
            # They would be part of every group; in one group they are told apart by more than the first part.
            anywhere += chain.from_iterable(places.values())
            places = {}
        #: The rules whose pattern does not begin with a whole first part of a path.
        self.always = _Group(anywhere)
        #: "first" -> those, and the rules whose pattern begins with "/first/" literally.
        self.prefixed = {start: _Group(anywhere + group) for start, group in places.items()}
        #: Nothing but exact paths.
        self.plain = not self.prefixed and not self.always.entries


def literal_prefix(regex: "re.Pattern[str]") -> tuple[str, bool]:
    """The text that everything the pattern matches begins with, and whether that is all there is."""
    pattern = regex.pattern
    if regex.flags != re.UNICODE or "|" in pattern:
        return "", False
    literal: list[str] = []
    at = 1 if pattern.startswith("^") else 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            char = pattern[at + 1 : at + 2]
            if not char or char.isalnum():
                break
            at += 1
        elif char == "$" and at == len(pattern) - 1:
            # `$` also matches before a line feed at the end; no request path holds one.
            return "".join(literal), True
        elif char in _SPECIAL:
            if char in _REPEATS and literal:
                literal.pop()
            break
        literal.append(char)
        at += 1
    return "".join(literal), False
