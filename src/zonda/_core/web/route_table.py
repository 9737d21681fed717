"""The rules of a router, in order: a list that keeps an index of itself."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

from .route_index import Index

if TYPE_CHECKING:
    from .rule import Rule


class RouteTable(list["Rule"]):
    """A list of rules that knows which of them a path can match at all.

    It is an ordinary list to those who insert into it or replace items; each change only makes the
    index be built anew.
    """

    __slots__ = ("known",)

    def __init__(self, rules: "Iterable[Rule]" = ()) -> None:
        super().__init__(rules)
        #: The index of the rules, if they have not changed since.
        self.known: Index | None = None

    def indexed(self) -> Index:
        """The index of the rules as they are now."""
        index = self.known
        if index is None:
            index = self.known = Index(self)
        return index

    # Every way to change a list makes the index stale.

    def append(self, rule: "Rule") -> None:
        self.known = None
        super().append(rule)

    def extend(self, rules: "Iterable[Rule]") -> None:
        self.known = None
        super().extend(rules)

    def insert(self, place: SupportsIndex, rule: "Rule") -> None:
        self.known = None
        super().insert(place, rule)

    def remove(self, rule: "Rule") -> None:
        self.known = None
        super().remove(rule)

    def pop(self, place: SupportsIndex = -1) -> "Rule":
        self.known = None
        return super().pop(place)

    def clear(self) -> None:
        self.known = None
        super().clear()

    def reverse(self) -> None:
        self.known = None
        super().reverse()

    def sort(self, **options: Any) -> None:
        self.known = None
        super().sort(**options)

    def __setitem__(self, place: Any, rule: Any) -> None:
        self.known = None
        super().__setitem__(place, rule)

    def __delitem__(self, place: Any) -> None:
        self.known = None
        super().__delitem__(place)

    def __iadd__(self, rules: "Iterable[Rule]") -> "RouteTable":  # type: ignore[override,misc]
        self.extend(rules)
        return self

    def __imul__(self, times: SupportsIndex) -> "RouteTable":
        self.known = None
        super().__imul__(times)
        return self
