"""What a rule looks at: the host, the path."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from zonda._core.server.request import HTTPServerRequest
from zonda.escape import url_escape, url_unescape, utf8
from zonda.util import re_unescape

#: What a path gave by name, where it gave nothing so.  Read only.
NO_NAMES: dict[str, Any] = {}


class HasDefaultHost(Protocol):
    """An application, as far as `DefaultHostMatches` looks at it."""

    default_host: str | None


class Matcher:
    """Tells whether a request is one for a rule.  Source: Tornado documentation, `tornado.routing`."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """None, or what to pass on: `path_args` (a list), `path_kwargs` (a dict), or nothing (`{}`)."""
        raise NotImplementedError()

    def reverse(self, *args: Any) -> str | None:
        """The URL that this matches with these arguments, or None if there is no such thing."""
        return None


class AnyMatches(Matcher):
    """Matches every request."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {}


class HostMatches(Matcher):
    """Matches requests for hosts that a regular expression describes (a string or a compiled one)."""

    def __init__(self, host_pattern: "str | re.Pattern[str]") -> None:
        if isinstance(host_pattern, str):
            host_pattern = re.compile(host_pattern if host_pattern.endswith("$") else host_pattern + "$")
        self.host_pattern = host_pattern

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if self.host_pattern.match(request.host_name) else None


class DefaultHostMatches(Matcher):
    """Matches if the application's `default_host` fits and no proxy names the client (X-Real-Ip)."""

    def __init__(self, application: HasDefaultHost, host_pattern: "re.Pattern[str]") -> None:
        self.application = application
        self.host_pattern = host_pattern

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        host = self.application.default_host
        if host is None or "X-Real-Ip" in request.headers or not self.host_pattern.match(host):
            return None
        return {}


class PathMatches(Matcher):
    """Matches requests whose path a regular expression describes, to its end (a string or a compiled one).

    Groups of the expression become arguments of the handler's method: all of them named, or none.
    """

    def __init__(self, path_pattern: "str | re.Pattern[str]") -> None:
        if isinstance(path_pattern, str):
            path_pattern = re.compile(path_pattern if path_pattern.endswith("$") else path_pattern + "$")
        self.regex = path_pattern
        if len(self.regex.groupindex) not in (0, self.regex.groups):
            raise AssertionError(
                f"groups in url regexes must either be all named or all positional: {self.regex.pattern!r}"
            )
        self._path = _template(self.regex)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        match = self.regex.match(request.path)
        if match is None:
            return None
        if self.regex.groupindex:
            return params_of((), match.groupdict())
        return params_of(match.groups(), NO_NAMES)

    def reverse(self, *args: Any) -> str | None:
        if self._path is None:
            raise ValueError("Cannot reverse url regex " + self.regex.pattern)
        if len(args) != self.regex.groups:
            raise AssertionError(
                f"{self.regex.pattern!r} takes {self.regex.groups} arguments, {len(args)} were given"
            )
        return self._path % tuple([_quoted(arg) for arg in args])


def _quoted(value: Any) -> str:
    if not isinstance(value, str | bytes):
        value = str(value)
    return url_escape(utf8(value), plus=False)


def params_of(args: Sequence[str | None], kwargs: dict[str, str | None]) -> dict[str, Any]:
    """What a matcher gives for what a path gave."""
    given, named = unquoted(args, kwargs)
    if named:
        return {"path_kwargs": named}
    return {"path_args": given} if given else {}


def unquoted(args: Sequence[str | None], kwargs: dict[str, str | None]) -> tuple[list[Any], dict[str, Any]]:
    """What a path gave, as the bytes that were meant by it."""
    if kwargs:
        return [], {name: _unquoted(text) for name, text in kwargs.items()}
    return [_unquoted(text) for text in args], NO_NAMES


def _unquoted(text: str | None) -> bytes | None:
    if text is None:
        return None
    return url_unescape(text, encoding=None, plus=False) if "%" in text else text.encode()


def _template(regex: "re.Pattern[str]") -> str | None:
    """The pattern as a format string with `%s` for each group; None if it is more than that."""
    pattern = regex.pattern.removeprefix("^").removesuffix("$")
    if regex.groups != pattern.count("("):
        return None
    pieces = []
    for number, fragment in enumerate(pattern.split("(")):
        _, closed, rest = fragment.partition(")")
        if number and not closed:
            return None
        try:
            literal = re_unescape(rest if closed else fragment)
        except ValueError:
            # A class such as \d outside of a group stands for too much.
            return None
        pieces.append(("%s" if closed else "") + literal.replace("%", "%%"))
    return "".join(pieces)
