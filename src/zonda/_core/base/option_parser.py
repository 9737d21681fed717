"""The options of a program: defined by its modules, parsed from the command line and from files.

Stands here and not in `zonda.options` because `zonda.log` defines its options on the global parser
and `zonda.options` must show them: each imports this, neither the other one in a circle.
"""

import datetime
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, TextIO


class Error(Exception):
    """An option is unknown, defined twice, or has a value that it does not allow."""


def _normalized(name: str) -> str:
    """Dashes and underscores are the same in names; dashes win."""
    return name.replace("_", "-")


class OptionParser:
    """A set of options.  Values are read and set as attributes or items, `my_option` or `my-option`.

    Source: Tornado documentation, page `options`.  `help` is always defined.
    """

    _options: "dict[str, _Option]"
    _parse_callbacks: list[Callable[[], None]]

    def __init__(self) -> None:
        # Straight into __dict__: setting an attribute sets an option.
        self.__dict__["_options"] = {}
        self.__dict__["_parse_callbacks"] = []
        self.define("help", type=bool, help="show this help information", callback=self._help_asked)

    def _option(self, name: str) -> "_Option":
        try:
            return self._options[_normalized(name)]
        except KeyError:
            raise AttributeError(f"Unrecognized option {name!r}") from None

    def __getattr__(self, name: str) -> Any:
        return self._option(name).value()

    def __setattr__(self, name: str, value: Any) -> None:
        self._option(name).set(value)

    def __getitem__(self, name: str) -> Any:
        return self._option(name).value()

    def __setitem__(self, name: str, value: Any) -> None:
        self._option(name).set(value)

    def __iter__(self) -> Iterator[str]:
        return iter([option.name for option in self._options.values()])

    def __contains__(self, name: str) -> bool:
        return _normalized(name) in self._options

    def items(self) -> list[tuple[str, Any]]:
        """Names, as they were defined, and values."""
        return [(option.name, option.value()) for option in self._options.values()]

    def as_dict(self) -> dict[str, Any]:
        """Names, as they were defined, to values."""
        return dict(self.items())

    def groups(self) -> set[str]:
        """The groups of all options; an option's is its file's name unless it was given."""
        return {option.group_name for option in self._options.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """Names to values of one group: what `Application(**options.group_dict("application"))` wants."""
        return {
            option.name: option.value()
            for option in self._options.values()
            if not group or option.group_name == group
        }

    def define(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> None:
        """Defines an option.

        `type`: str, int, float, bool, datetime, timedelta or anything callable with the text; by default
        the type of `default`.  `multiple`: the value is a list, written `a,b,c`; ints may be ranges `1:5`,
        ends included.  `metavar` stands for the value in the help, `group` heads it.  `callback` is called
        with each value set.  Raises `Error` if the name is taken (dash and underscore are the same).
        """
        taken = self._options.get(_normalized(name))
        if taken is not None:
            raise Error(f"Option {name!r} already defined in {taken.file_name}")
        file_name = sys._getframe(1).f_code.co_filename
        if type is None:
            type = str if multiple or default is None else default.__class__
        if group is None:
            group = "" if file_name == __file__ else file_name
        self._options[_normalized(name)] = _Option(
            name, file_name, default, type, help, metavar, multiple, group, callback
        )

    def parse_command_line(self, args: list[str] | None = None, final: bool = True) -> list[str]:
        """Parses `--name=value` arguments (`sys.argv` by default; the first is skipped); returns the rest.

        Ends at `--` and at the first argument that is no option.  `final=False` leaves the callbacks to
        a later parse.  Raises `Error` for an unknown option or a missing value, and what a type raises.
        """
        remaining = iter((sys.argv if args is None else args)[1:])
        rest: list[str] = []
        for argument in remaining:
            if argument == "--" or not argument.startswith("-"):
                rest = [*([] if argument == "--" else [argument]), *remaining]
                break
            name, equals, value = argument.lstrip("-").partition("=")
            option = self._options.get(_normalized(name))
            if option is None:
                self.print_help()
                raise Error(f"Unrecognized command line option: {name!r}")
            if not equals:
                if option.type is not bool:
                    raise Error(f"Option {name!r} requires a value")
                value = "true"
            option.parse(value)
        if final:
            self.run_parse_callbacks()
        return rest

    def parse_config_file(self, path: str, final: bool = True) -> None:
        """Runs a file of Python (UTF-8) and takes its global names that are options.

        A string is parsed as on the command line; a list is for options with `multiple`.  `__file__` is
        the file's absolute path.  The file is code: trust it as you trust the program.
        """
        config: dict[str, Any] = {"__file__": os.path.abspath(path)}
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec", dont_inherit=True), config, config)
        for name, value in config.items():
            option = self._options.get(_normalized(name))
            if option is None:
                continue
            if option.multiple and not isinstance(value, list | str):
                raise Error(
                    f"Option {option.name!r} is required to be a list of {option.type.__name__}"
                    " or a comma-separated string"
                )
            if isinstance(value, str) and (option.multiple or not issubclass(option.type, str)):
                option.parse(value)
            else:
                option.set(value)
        if final:
            self.run_parse_callbacks()

    def print_help(self, file: TextIO | None = None) -> None:
        """Prints all options, group by group, to `file` (stderr)."""
        out = sys.stderr if file is None else file
        groups: dict[str, list[_Option]] = {}
        for option in self._options.values():
            groups.setdefault(option.group_name, []).append(option)
        print(f"Usage: {sys.argv[0]} [OPTIONS]\n\nOptions:\n", file=out)
        for group, members in sorted(groups.items()):
            if group:
                print(f"\n{os.path.normpath(group)} options:\n", file=out)
            for option in sorted(members, key=lambda member: member.name):
                first, *more = option.help_lines()
                print(first, file=out)
                for line in more:
                    print(" " * _HELP_COLUMN + line, file=out)
        print(file=out)

    def _help_asked(self, value: bool) -> None:
        if value:
            self.print_help()
            sys.exit(0)

    def add_parse_callback(self, callback: Callable[[], None]) -> None:
        """Calls `callback` after each final parse."""
        self._parse_callbacks.append(callback)

    def run_parse_callbacks(self) -> None:
        for callback in self._parse_callbacks:
            callback()

    def mockable(self) -> "_Mockable":
        """A stand-in for `mock.patch.object`, which cannot undo a patch of an object like this one.

        Use each only once: `mock.patch.object(options.mockable(), "name", value)`.
        """
        return _Mockable(self)


class _Mockable:
    """Sets options; deleting the attribute sets the value before."""

    def __init__(self, options: OptionParser) -> None:
        self.__dict__["_options"] = options
        self.__dict__["_originals"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._options, name)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name not in self._originals, "don't reuse mockable objects"
        self._originals[name] = getattr(self._options, name)
        setattr(self._options, name, value)

    def __delattr__(self, name: str) -> None:
        setattr(self._options, name, self._originals.pop(name))


_HELP_COLUMN = 35
_HELP_WIDTH = 79
_UNSET = object()


class _Option:
    def __init__(
        self,
        name: str,
        file_name: str,
        default: Any,
        type: type,
        help: str | None,
        metavar: str | None,
        multiple: bool,
        group_name: str,
        callback: Callable[[Any], None] | None,
    ) -> None:
        self.name = name
        self.file_name = file_name
        self.default = [] if multiple and default is None else default
        self.type = type
        self.help = help
        self.metavar = metavar
        self.multiple = multiple
        self.group_name = group_name
        self.callback = callback
        self._value: Any = _UNSET

    def value(self) -> Any:
        return self.default if self._value is _UNSET else self._value

    def parse(self, text: str) -> Any:
        """Takes a value written as text."""
        one: Callable[[str], Any] = _PARSERS.get(self.type, self.type)
        if not self.multiple:
            self._take(one(text))
            return self._value
        values: list[Any] = []
        for part in text.split(","):
            if issubclass(self.type, int):
                low, colon, high = part.partition(":")
                values.extend(range(one(low), one(high if colon else low) + 1))
            else:
                values.append(one(part))
        self._take(values)
        return self._value

    def set(self, value: Any) -> None:
        """Takes a value that has the type already, or is None."""
        kind = self.type.__name__
        if self.multiple:
            if not isinstance(value, list) or not all(
                item is None or isinstance(item, self.type) for item in value
            ):
                raise Error(f"Option {self.name!r} is required to be a list of {kind}")
        elif value is not None and not isinstance(value, self.type):
            raise Error(f"Option {self.name!r} is required to be a {kind} ({type(value)} given)")
        self._take(value)

    def _take(self, value: Any) -> None:
        self._value = value
        if self.callback is not None:
            self.callback(value)

    def help_lines(self) -> list[str]:
        """The first line with the option's name, the others without their indentation."""
        head = f"  --{_normalized(self.name)}" + (f"={self.metavar}" if self.metavar else "")
        description = self.help or ""
        if self.default not in (None, ""):
            description += f" (default {self.default})"
        lines = textwrap.wrap(description, _HELP_WIDTH - _HELP_COLUMN)
        if len(head) >= _HELP_COLUMN or not lines:
            return [head, *lines]
        return [head.ljust(_HELP_COLUMN) + lines[0], *lines[1:]]


_DATETIME_FORMATS = (
    "%a %b %d %H:%M:%S %Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%Y-%m-%d",
    "%Y%m%d",
    "%H:%M:%S",
    "%H:%M",
)

_DURATION = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z]*)\s*")
_DURATION_UNITS = {
    "": "seconds",
    "h": "hours",
    "m": "minutes",
    "min": "minutes",
    "s": "seconds",
    "sec": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "d": "days",
    "w": "weeks",
}
_DURATION_UNITS.update({unit: unit for unit in set(_DURATION_UNITS.values())})


def _parse_bool(text: str) -> bool:
    return text.lower() not in ("false", "0", "f")


def _parse_datetime(text: str) -> datetime.datetime:
    for format in _DATETIME_FORMATS:
        try:
            return datetime.datetime.strptime(text, format)
        except ValueError:
            continue
    raise Error(f"Unrecognized date/time format: {text!r}")


def _parse_timedelta(text: str) -> datetime.timedelta:
    """A sum of numbers with units: `1h 30m`, `2.5 days`; a bare number is seconds."""
    total = datetime.timedelta()
    position = 0
    while position < len(text):
        part = _DURATION.match(text, position)
        if part is None or part[2] not in _DURATION_UNITS:
            allowed = ", ".join(unit for unit in _DURATION_UNITS if unit)
            raise Error(f"Unrecognized duration: {text!r}; units are {allowed}")
        total += datetime.timedelta(**{_DURATION_UNITS[part[2]]: float(part[1])})
        position = part.end()
    return total


_PARSERS: dict[type, Callable[[str], Any]] = {
    bool: _parse_bool,
    datetime.datetime: _parse_datetime,
    datetime.timedelta: _parse_timedelta,
    bytes: str.encode,
}

#: The parser of the program, `zonda.options.options`.
options = OptionParser()
