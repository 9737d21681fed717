"""A rule: what it matches, and where it leads."""

from collections.abc import Sequence
from typing import Any

from zonda.util import import_object

from .matchers import Matcher, PathMatches


class Rule:
    """Leads the requests that `matcher` matches to `target`.

    A target is a handler class (or its dotted name), a `Router`, an `HTTPServerConnectionDelegate` or a
    function that takes the request; `target_kwargs` go to the handler's `initialize`; `name` is for
    `reverse_url`.  Source: Tornado documentation, `tornado.routing`.
    """

    def __init__(
        self,
        matcher: Matcher,
        target: Any,
        target_kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(target, str):
            target = import_object(target)
        self.matcher = matcher
        self.target = target
        self.target_kwargs = target_kwargs or {}
        self.name = name

    def reverse(self, *args: Any) -> str | None:
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.matcher!r}, {self.target}, "
            f"kwargs={self.target_kwargs!r}, name={self.name!r})"
        )


class URLSpec(Rule):
    """Leads paths that match `pattern` to a handler class; `zonda.web.url` is the same.

    `kwargs` go to the handler's `initialize`.  Source: Tornado documentation, `tornado.web.URLSpec`.
    """

    def __init__(
        self, pattern: Any, handler: Any, kwargs: dict[str, Any] | None = None, name: str | None = None
    ) -> None:
        matcher = PathMatches(pattern)
        super().__init__(matcher, handler, kwargs, name)
        self.regex = matcher.regex
        self.handler_class = self.target
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.regex.pattern!r}, {self.handler_class}, "
            f"kwargs={self.kwargs!r}, name={self.name!r})"
        )


def as_rule(given: "Rule | Sequence[Any]") -> Rule:
    """A rule from a rule, or from a sequence (pattern or matcher, target[, target_kwargs[, name]])."""
    if isinstance(given, Rule):
        return given
    if not isinstance(given, list | tuple) or not 2 <= len(given) <= 4:
        raise ValueError(
            f"a route is a Rule or a sequence of 2 to 4 items (pattern, handler, kwargs, name), not {given!r}"
        )
    first, *rest = given
    if isinstance(first, Matcher):
        return Rule(first, *rest)
    return URLSpec(first, *rest)
