"""The rules of a router, in order, with an index: ten thousand routes cost what ten do."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

from .matchers import PathMatches

if TYPE_CHECKING:
    from .rule import Rule

_SPECIAL = frozenset(".^$*+?{}[]|()")
_REPEATS = frozenset("*+?{")


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
        found = index.always
        if index.prefixed:
            end = path.find("/", 1)
            prefixed = index.prefixed.get(path[: end + 1]) if end > 0 else None
            if prefixed:
                found = sorted(found + prefixed) if found else prefixed
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


class _Index:
    """Rules by what their pattern begins with."""

    def __init__(self, rules: "Iterable[Rule]") -> None:
        #: Whole path -> the rules that are this path and nothing else.
        self.exact: dict[str, list[tuple[int, Rule, bool]]] = {}
        #: "/first/" -> the rules whose pattern begins with this literally.
        self.prefixed: dict[str, list[tuple[int, Rule, bool]]] = {}
        self.always: list[tuple[int, Rule, bool]] = []
        for place, rule in enumerate(rules):
            literal, whole = "", False
            if type(rule.matcher) is PathMatches:
                literal, whole = literal_prefix(rule.matcher.regex)
            segment = literal.find("/", 1) + 1
            if whole:
                self.exact.setdefault(literal, []).append((place, rule, True))
            elif segment:
                self.prefixed.setdefault(literal[:segment], []).append((place, rule, False))
            else:
                self.always.append((place, rule, False))
        #: Nothing but exact paths.
        self.plain = not self.prefixed and not self.always


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
            return "".join(literal), regex.groups == 0
        elif char in _SPECIAL:
            if char in _REPEATS and literal:
                literal.pop()
            break
        literal.append(char)
        at += 1
    return "".join(literal), False
