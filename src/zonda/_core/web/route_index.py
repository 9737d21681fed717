"""An index of rules by what their patterns begin with, so that ten thousand routes cost what ten do."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from .matchers import NO_NAMES, PathMatches

if TYPE_CHECKING:
    from .rule import Rule

_OTHER: Final = 0
_PART: Final = 1
_NUMBER: Final = 2
_REST: Final = 3
#: How many patterns end: with one argument, which is a part of the path, a number, or whatever comes.
_ARGUMENTS = {"([^/]+)$": _PART, r"(\d+)$": _NUMBER, "(.*)$": _REST}

_SPECIAL = frozenset(".^$*+?{}[]|()")
_REPEATS = frozenset("*+?{")

#: Rules that are tried one after the other before an index of them pays.
_FEW = 16
#: Characters of a pattern's beginning that are told apart; bounds the looks for one path.
_LONGEST = 64


class Entry:
    """One rule, and what can be tried of it without asking its matcher."""

    def __init__(self, place: int, rule: "Rule") -> None:
        self.rule = rule
        #: What the only argument is made of, if the pattern is `literal` and this; else `_OTHER`.
        self.argument = _OTHER
        #: The length of `literal`, and that whoever finds the rule by its first part has seen all of it: then
        #: the text itself, one more object that may be in no cache, is not looked at.
        self.length = 0
        self.found_whole = False
        #: The name of the first argument; "": it has none.
        self.name = ""
        #: The text that every path it matches begins with; `sure`: that is the whole path, no need to try.
        self.sure = False
        self.literal = ""
        self.place = place
        #: `match` of the path's pattern; None: the matcher has to be asked.
        self.match: Any = None
        self.named = False
        matcher = rule.matcher
        if type(matcher) is PathMatches:
            self.literal, rest = literal_prefix(matcher.regex)
            self.length = len(self.literal)
            # `$` also matches before a line feed at the end; no request path holds one.
            self.sure = rest == "$"
            if rest.startswith("(?P<"):
                self.name, _, rest = rest[4:].partition(">")
                rest = f"({rest}"
            self.argument = _ARGUMENTS.get(rest, _OTHER)
            self.match = matcher.regex.match
            self.named = bool(matcher.regex.groupindex)


#: A rule that matches; what the path gave by place and by name, as it stands there; instead of that, what the
#: rule's matcher gave, if it had to be asked; where to go on if the target does not take the request.
Match = tuple["Rule", Sequence[str | None], dict[str, str | None], dict[str, Any] | None, int]


class Index:
    """Rules, by what their patterns begin with."""

    def __init__(self, rules: "Iterable[Rule]") -> None:
        #: Whole path -> the rules that are this path and nothing else.
        self._exact: dict[str, list[Entry]] = {}
        anywhere: list[Entry] = []
        places: dict[str, list[Entry]] = {}
        for place, rule in enumerate(rules):
            entry = Entry(place, rule)
            if entry.sure:
                self._exact.setdefault(entry.literal, []).append(entry)
                continue
            end = entry.literal.find("/", 1)
            group = places.setdefault(entry.literal[:end], []) if end > 0 else anywhere
            group.append(entry)
        if len(anywhere) > _FEW:
            # They would be part of every group; in one group they are told apart by more than the first part.
            anywhere += chain.from_iterable(places.values())
            places = {}
        #: The rules whose pattern does not begin with a whole first part of a path.
        self._always = _Group(anywhere)
        #: "/first" -> those, and the rules whose pattern begins with "/first/" literally; or the only one.
        self._prefixed: dict[str, Entry | _Group] = {}
        for start, group in places.items():
            for entry in group:
                entry.found_whole = entry.length == len(start) + 1
            alone = len(group) == 1 and not anywhere
            # Of ten thousand routes most are in no cache: without a group, fewer objects are gone through.
            self._prefixed[start] = group[0] if alone else _Group(anywhere + group)
        #: Nothing but exact paths.
        self._plain = not self._prefixed and not anywhere

    def first(self, path: str, request: Any, at: int) -> Match | None:
        """The first rule that matches, at 0; or the next, where an earlier one said to go on."""
        exact = self._exact.get(path) if self._exact else None
        if self._plain:
            entries = exact or []
        else:
            end = path.find("/", 1)
            found = self._prefixed.get(path[:end], self._always) if end > 0 else self._always
            if isinstance(found, Entry):
                entries = [found]
            else:
                entries = found.among(path) if found.lengths else found.entries
            if exact is not None:
                entries = sorted(exact + entries, key=_place) if entries else exact
        while at < len(entries):
            entry = entries[at]
            at += 1
            if entry.sure:
                return entry.rule, (), NO_NAMES, None, at
            if entry.argument != _OTHER:
                # What the pattern would find, without asking it.
                if not entry.found_whole and not path.startswith(entry.literal):
                    continue
                value = path[entry.length :]
                kind = entry.argument
                if kind == _PART:
                    if not value or "/" in value:
                        continue
                elif kind == _NUMBER and not value.isdecimal():
                    continue
                if entry.name:
                    return entry.rule, (), {entry.name: value}, None, at
                return entry.rule, (value,), NO_NAMES, None, at
            if entry.match is not None:
                match: Any = entry.match(path)
                if match is not None:
                    if entry.named:
                        return entry.rule, (), match.groupdict(), None, at
                    return entry.rule, match.groups(), NO_NAMES, None, at
            else:
                params: dict[str, Any] | None = entry.rule.matcher.match(request)
                if params is not None:
                    return entry.rule, (), NO_NAMES, params, at
        return None


class _Group:
    """Rules that have a beginning in common; where they are many, an index of what each begins with."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = sorted(entries, key=_place)
        self._by_start: dict[str, list[Entry]] = {}
        #: The lengths of those beginnings; none where trying every rule costs less than looking.
        self.lengths: list[int] = []
        if len(entries) > _FEW:
            for entry in entries:
                self._by_start.setdefault(entry.literal[:_LONGEST], []).append(entry)
            self.lengths = sorted({len(start) for start in self._by_start})

    def among(self, path: str) -> list[Entry]:
        """The rules that `path` begins like, in order: at most one look for each length there is."""
        found: list[Entry] = []
        for length in self.lengths:
            if length > len(path):
                break
            found += self._by_start.get(path[:length], ())
        found.sort(key=_place)
        return found


def _place(entry: Entry) -> int:
    return entry.place


def literal_prefix(regex: "re.Pattern[str]") -> tuple[str, str]:
    """The text that everything the pattern matches begins with, and what stands in the pattern behind it.

    Of patterns that cannot be taken apart so (flags, alternatives), nothing: two empty texts.
    """
    pattern = regex.pattern
    if regex.flags != re.UNICODE or "|" in pattern:
        return "", ""
    literal: list[str] = []
    at = 1 if pattern.startswith("^") else 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            char = pattern[at + 1 : at + 2]
            if not char or char.isalnum():
                break
            at += 1
        elif char in _SPECIAL:
            if char in _REPEATS and literal:
                literal.pop()
            break
        literal.append(char)
        at += 1
    return "".join(literal), pattern[at:]
