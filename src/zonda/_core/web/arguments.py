"""Arguments of a request, decoded."""

from collections.abc import Mapping
from typing import Any, Final

from .errors import HTTPError, MissingArgumentError

#: What a default that was not given is: then a missing argument is a 400.
REQUIRED: Final = object()

#: Control characters other than tab, LF and CR have no place in a form's text.
_CONTROLS = dict.fromkeys((*range(0, 9), *range(11, 13), *range(14, 32)), " ")


def values(handler: Any, source: Mapping[str, list[bytes]], name: str, strip: bool) -> list[str]:
    """All values of an argument, as text without control characters; stripped of outer white space."""
    found = source.get(name)
    if not found:
        return []
    texts = [handler.decode_argument(value, name=name) for value in found]
    # A handler's own `decode_argument` may return something that is no text.
    texts = [text.translate(_CONTROLS) if isinstance(text, str) else text for text in texts]
    return [text.strip() for text in texts] if strip else texts


def last(handler: Any, source: Mapping[str, list[bytes]], name: str, default: Any, strip: bool) -> Any:
    """The last value of an argument, or the default; without one, raises `MissingArgumentError`."""
    texts = values(handler, source, name, strip)
    if texts:
        return texts[-1]
    if default is REQUIRED:
        raise MissingArgumentError(name)
    return default


def decode_argument(self: Any, value: bytes, name: str | None = None) -> str:
    """Turns an argument's bytes into text (UTF-8); called for path arguments too.  Raises a 400."""
    if isinstance(value, str):
        # Routers of the application's own may give path arguments as text.
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, f"Invalid unicode in {name or 'url'}: {value[:40]!r}") from None
