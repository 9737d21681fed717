"""`HTTPHeaders`: header fields by name, case folded away, repeated fields kept apart."""

from collections.abc import Iterator, MutableMapping
from typing import Any, Self

from .errors import HTTPInputError
from .fields import canonical, check_field_name, check_field_value, normalize_name

__all__ = ["HTTPHeaders", "check_field_name", "check_field_value", "headers_from_block", "normalize_name"]


class HTTPHeaders(MutableMapping[str, str]):
    """A mapping of header fields whose keys ignore case and are shown as `Content-Type`.

    It behaves as a dict of strings; a field that was added more than once reads as one string
    joined with commas, while `get_list` and `get_all` give the values one by one and `add` appends
    one.  Item assignment does not check what it stores (whoever sends the headers does); `add`,
    `parse_line` and `parse` do, and raise `HTTPInputError`.

    Source: Tornado documentation, `tornado.httputil`; RFC 9110, section 5.
    """

    # The one thing there is, so that the way of a response can fill an instance without a call:
    # canonical name -> the value, or the list of values when it was added more than once.
    __slots__ = ("_map",)
    _map: dict[str, str | list[str]]

    def __init__(self, *args: Any, **kwargs: str) -> None:
        self._map = {}
        if len(args) == 1 and not kwargs and isinstance(args[0], HTTPHeaders):
            self._map = _copy(args[0]._map)
        elif args or kwargs:
            self.update(*args, **kwargs)

    def add(self, name: str, value: str, *, _chars_are_bytes: bool = True) -> None:
        """Adds a value, beside those that the field has.

        Raises `HTTPInputError` if `name` is no token or `value` no field value (RFC 9110, 5.5).
        """
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        check_field_name(name)
        check_field_value(value, chars_are_bytes=_chars_are_bytes)
        self._append(canonical.get(name) or normalize_name(name), value)

    def _append(self, name: str, value: str) -> None:
        if name not in self._map:
            self._map[name] = value
            return
        known = self._map[name]
        if isinstance(known, list):
            known.append(value)
        else:
            self._map[name] = [known, value]

    def get_list(self, name: str) -> list[str]:
        """Returns the values of a field as a new list; empty if there is none."""
        value = self._map.get(canonical.get(name) or normalize_name(name))
        if isinstance(value, list):
            return value.copy()
        return [] if value is None else [value]

    def get_all(self) -> Iterator[tuple[str, str]]:
        """Yields a pair (name, value) for every value; a name comes as often as it was added."""
        for name, value in self._map.items():
            if isinstance(value, list):
                for one in value:
                    yield name, one
            else:
                yield name, value

    def parse_line(self, line: str, *, _chars_are_bytes: bool = True) -> None:
        """Adds the field of one line, `Name: value`, with or without its line end.

        An empty line adds nothing.  Raises `HTTPInputError` for a line without a colon, for a folded
        line (RFC 9112, 5.2: obs-fold is refused) and for what `add` refuses.
        """
        if line.endswith("\r\n"):
            line = line[:-2]
        elif line.endswith("\n"):
            line = line[:-1]
        if not line:
            return
        if line[0] in " \t":
            raise HTTPInputError("header line cannot start with whitespace, folding not supported")
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError("no colon in header line")
        self.add(name, value.strip(" \t"), _chars_are_bytes=_chars_are_bytes)

    @classmethod
    def parse(cls, headers: str, *, _chars_are_bytes: bool = True) -> Self:
        """Builds an instance from header lines ended by CRLF or LF; empty lines are passed over.

        Raises `HTTPInputError` as `parse_line` does.
        """
        instance = cls()
        start = 0
        while start < len(headers):
            end = headers.find("\n", start) + 1 or len(headers)
            instance.parse_line(headers[start:end], _chars_are_bytes=_chars_are_bytes)
            start = end
        return instance

    def get(self, name: str, default: Any = None) -> Any:
        """Returns the combined value of a field, or `default` if there is none."""
        key = canonical.get(name) or normalize_name(name)
        value = self._map.get(key)
        if isinstance(value, list):
            return _joined(value)
        return default if value is None and key not in self._map else value

    def copy(self) -> Self:
        """Returns a copy that shares no list with this one."""
        twin = type(self)()
        twin._map = _copy(self._map)
        return twin

    __copy__ = copy

    def __getitem__(self, name: str) -> str:
        value = self._map[canonical.get(name) or normalize_name(name)]
        return _joined(value) if isinstance(value, list) else value

    def __setitem__(self, name: str, value: str) -> None:
        # A list given as one value stays one value, as in Tornado.
        self._map[canonical.get(name) or normalize_name(name)] = [value] if isinstance(value, list) else value

    def __delitem__(self, name: str) -> None:
        del self._map[canonical.get(name) or normalize_name(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (canonical.get(name) or normalize_name(name)) in self._map

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __str__(self) -> str:
        """The fields as lines, each ended by LF."""
        return "".join([f"{name}: {value}\n" for name, value in self.get_all()])

    __unicode__ = __str__


def _joined(values: list[str]) -> str:
    # RFC 9110, 5.3: repeated fields combine with a comma.
    return ",".join(values) if len(values) != 1 else values[0]


def _copy(fields: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    return {name: value.copy() if isinstance(value, list) else value for name, value in fields.items()}


def headers_from_block(block: str) -> HTTPHeaders:
    """Builds headers from `"Name: value\\r\\nName: value\\r\\n"`, octets as Latin-1.

    The block must have passed llhttp in strict mode: nothing is checked a second time, and no line
    is folded.
    """
    fields: dict[str, str | list[str]] = {}
    for line in block.split("\r\n"):
        given, colon, value = line.partition(":")
        if not colon:
            continue
        name = canonical.get(given) or normalize_name(given)
        value = value.strip(" \t")
        if name not in fields:
            fields[name] = value
            continue
        known = fields[name]
        if isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    headers = HTTPHeaders.__new__(HTTPHeaders)
    headers._map = fields
    return headers
