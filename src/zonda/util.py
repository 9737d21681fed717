"""Small tools that every other module uses; public because applications use some of them too.

Source: Tornado documentation, page `util`.  `Configurable` is the one class here that users meet
elsewhere: `AsyncHTTPClient`, `IOLoop` and `Resolver` are chosen with its `configure`.
"""

import datetime
import inspect
import re
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from zonda._core.base.masking import masked

if TYPE_CHECKING:
    import unittest

__all__ = [
    "ArgReplacer",
    "Configurable",
    "GzipDecompressor",
    "ObjectDict",
    "TimeoutError",
    "errno_from_exception",
    "exec_in",
    "import_object",
    "raise_exc_info",
    "re_unescape",
    "timedelta_to_seconds",
]

bytes_type = bytes
unicode_type = str
basestring_type = str

#: Raised by `gen.with_timeout`, `IOLoop.run_sync` and the time-outs of locks and queues: the built-in one.
TimeoutError = TimeoutError


class ObjectDict(dict[str, Any]):
    """A dictionary whose keys can be read and set as attributes; a missing one is an AttributeError."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class GzipDecompressor:
    """Gunzips a stream piece by piece (RFC 1952), any number of members one after the other.

    Feed each piece to `decompress` and, while `unconsumed_tail` is not empty, that tail too; at the
    end of the stream call `flush`.  Broken, truncated or foreign data raises `zlib.error`.
    """

    # A member is fed in windows that start small and double: what zlib copies out as the rest after a
    # member's end is then never more than twice the member, so a body of a million members stays linear.
    _FIRST_WINDOW = 512
    _LAST_WINDOW = 65536

    def __init__(self) -> None:
        # None: between two members, or nothing seen yet.
        self._member: Any = None
        self._tail = b""

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """The data that `value` unpacks to, at most `max_length` bytes of it.

        What was not looked at for want of room is `unconsumed_tail` afterwards, and the caller must
        pass it in again.  `max_length=0` means no bound and is deprecated: a bomb fits into a packet.
        Raises ValueError if `max_length` is negative, `zlib.error` if the data is not gzip.
        """
        if max_length < 0:
            raise ValueError(f"max_length is {max_length}, allowed is 0 or more")
        if max_length == 0:
            warnings.warn(
                "decompress() without max_length is deprecated: the output has no bound",
                DeprecationWarning,
                stacklevel=2,
            )
        data = memoryview(value)
        pieces = []
        position = produced = 0
        window = self._FIRST_WINDOW
        while position < len(data) and not (max_length and produced == max_length):
            if self._member is None:
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
                window = self._FIRST_WINDOW
            part = data[position : position + window]
            output = self._member.decompress(part, max_length - produced if max_length else 0)
            if self._member.eof:
                # At the end zlib may leave the rest under both names.
                position += len(part) - len(self._member.unused_data)
                self._member = None
            else:
                position += len(part) - len(self._member.unconsumed_tail)
                window = min(2 * window, self._LAST_WINDOW)
            if output:
                pieces.append(output)
                produced += len(output)
        self._tail = bytes(data[position:])
        return b"".join(pieces)

    @property
    def unconsumed_tail(self) -> bytes:
        """What the last call left over; pass it to `decompress` again unless it is empty."""
        return self._tail

    def flush(self) -> bytes:
        """Ends the stream and returns `b""`.

        Raises ValueError if `unconsumed_tail` was not passed in again, `zlib.error` if the stream
        ends inside a member.
        """
        if self._tail:
            raise ValueError(f"{len(self._tail)} bytes of unconsumed_tail were not passed to decompress()")
        if self._member is not None:
            raise zlib.error("gzip stream ends inside a member: truncated")
        return b""


def import_object(name: str) -> Any:
    """The module, or the attribute of a module, under a dotted name.

    `import_object("x")` is `import x`; `import_object("x.y.z")` is `from x.y import z`.
    Raises ImportError if there is no such thing.
    """
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        return __import__(name)
    module = __import__(module_name, fromlist=[attribute])
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise ImportError(f"No module named {attribute}") from None


def exec_in(code: Any, glob: dict[str, Any], loc: Mapping[str, Any] | None = None) -> None:
    """Executes source text or a code object; text does not inherit this file's `__future__` imports."""
    if isinstance(code, str):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    assert isinstance(code, CodeType)
    exec(code, glob, loc)


def raise_exc_info(
    exc_info: tuple[type | None, BaseException | None, TracebackType | None],
) -> NoReturn:
    """Raises the exception of `sys.exc_info()` again, with its traceback; TypeError if there is none."""
    error = exc_info[1]
    if error is None:
        raise TypeError("raise_exc_info called with no exception")
    try:
        raise error.with_traceback(exc_info[2])
    finally:
        # The frame would hold the error, whose traceback holds the frame.
        del error, exc_info


def errno_from_exception(e: BaseException) -> int | None:
    """The errno of an exception: its attribute, else its first argument, else None."""
    if hasattr(e, "errno"):
        return e.errno  # type: ignore[no-any-return]
    return e.args[0] if e.args else None


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def re_unescape(s: str) -> str:
    r"""Undoes `re.escape`.  Raises ValueError for what it never writes, such as `\d`."""

    def character(match: re.Match[str]) -> str:
        escaped = match[1]
        if escaped.isascii() and escaped.isalnum():
            raise ValueError(f"cannot unescape {match[0]!r}: re.escape() never writes it")
        return escaped

    return _ESCAPED.sub(character, s)


class Configurable:
    """Base of classes that are interfaces and, when called, make an instance of a chosen implementation.

    The class that `configurable_base` names is the interface.  `Interface.configure(Implementation,
    **kwargs)` chooses, for the whole process, what `Interface(...)` makes; an implementation can
    always be made directly.  Implementations define `initialize` in place of `__init__`.
    """

    # Both are read and set on the base alone (its own __dict__): a base below another has its own choice.
    __impl_class: "type[Configurable] | None" = None
    __impl_kwargs: dict[str, Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        base = cls.configurable_base()
        implementation = cls
        if cls is base:
            implementation = cls.configured_class()
            configured = base.__dict__.get("_Configurable__impl_kwargs")
            if configured:
                kwargs = {**configured, **kwargs}
            if implementation.configurable_base() is not base:
                return implementation(*args, **kwargs)
        instance = super().__new__(implementation)
        instance.initialize(*args, **kwargs)
        return instance

    @classmethod
    def configurable_base(cls) -> Any:
        """The class of the interface: usually the one that defines this method."""
        raise NotImplementedError()

    @classmethod
    def configurable_default(cls) -> Any:
        """The implementation to use where nothing was configured."""
        raise NotImplementedError()

    def _initialize(self) -> None:
        pass

    #: What `__init__` is elsewhere: gets the arguments of the call.  Implementations override it.
    initialize: Callable[..., None] = _initialize

    @classmethod
    def configure(cls, impl: "str | type[Configurable] | None", **kwargs: Any) -> None:
        """Chooses the implementation (a class, its dotted name, or None for the default).

        `kwargs` are passed to every instance that the base class makes; the caller's own win.
        Raises ValueError if `impl` is no subclass of this class, ImportError if there is no such name.
        """
        base: Any = cls.configurable_base()
        chosen: Any = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not issubclass(chosen, cls):
            raise ValueError(f"Invalid subclass of {cls}: {chosen}")
        base.__impl_class = chosen
        base.__impl_kwargs = kwargs

    @classmethod
    def configured_class(cls) -> Any:
        """The implementation chosen for this class's base, or the default."""
        base: Any = cls.configurable_base()
        chosen = base.__dict__.get("_Configurable__impl_class")
        if chosen is None:
            chosen = cls.configurable_default()
            if chosen is None:
                raise ValueError("configured class not found")
            base.__impl_class = chosen
        return chosen

    @classmethod
    def _save_configuration(cls) -> tuple[Any, Any]:
        base = cls.configurable_base()
        return base.__impl_class, base.__impl_kwargs

    @classmethod
    def _restore_configuration(cls, saved: tuple[Any, Any]) -> None:
        base = cls.configurable_base()
        base.__impl_class, base.__impl_kwargs = saved


class ArgReplacer:
    """Reads and replaces the argument `name` in the arguments of a call of `func`."""

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        parameters = inspect.getfullargspec(func).args
        #: Index of the argument among the positional ones; None if it can only be a keyword.
        self.arg_pos: int | None = parameters.index(name) if name in parameters else None

    def get_old_value(self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None) -> Any:
        """The argument's value as it was passed, or `default`."""
        if self.arg_pos is not None and len(args) > self.arg_pos:
            return args[self.arg_pos]
        return kwargs.get(self.name, default)

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """`(old value or None, args, kwargs)` with the new value in; `kwargs` may be changed in place."""
        if self.arg_pos is not None and len(args) > self.arg_pos:
            replaced = list(args)
            old, replaced[self.arg_pos] = replaced[self.arg_pos], new_value
            return old, replaced, kwargs
        old = kwargs.get(self.name)
        kwargs[self.name] = new_value
        return old, args, kwargs


def timedelta_to_seconds(td: datetime.timedelta) -> float:
    """The same as `td.total_seconds()`."""
    return td.total_seconds()


def doctests() -> "unittest.TestSuite":
    """The examples in this module's docstrings, as Tornado's test runner collects them."""
    import doctest

    return doctest.DocTestSuite()


def _websocket_mask_python(mask: bytes, data: bytes) -> bytes:
    """`data` XORed with `mask`, four bytes, again and again (RFC 6455 section 5.3).

    Under the name that Tornado's own tests know.  Raises `ValueError` for any other length of mask.
    """
    if len(mask) != 4:
        raise ValueError(f"a mask of {len(mask)} bytes: 4 are allowed")
    return bytes(masked(bytes(data), 0, mask))
