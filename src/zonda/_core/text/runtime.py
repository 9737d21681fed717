"""What generated code calls and sees while a template is rendered.

Output pieces are collected as str and encoded once; bytes that a template lets through unescaped
stay bytes, so that they need not be UTF-8.
"""

import datetime
from collections.abc import Callable
from typing import Any

from zonda.escape import json_encode, linkify, squeeze, url_escape, xhtml_escape


def escape_value(value: object) -> str:
    """`{{ value }}` under xhtml_escape: any value, as text that is safe in HTML."""
    if type(value) is not str:
        value = _text(value)
    # Most values hold none of the five: they pay five memchr and no further call.
    if "&" in value or "<" in value or ">" in value or '"' in value or "'" in value:
        return xhtml_escape(value)
    return value


def _text(value: object) -> str:
    if isinstance(value, str):
        # The characters themselves: a subclass may print, or replace, as it likes.
        return str.__str__(value)
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


def raw_value(value: object) -> str | bytes:
    """A value that is not escaped."""
    return value if isinstance(value, (str, bytes)) else str(value)


def bytes_value(value: object) -> bytes:
    """A value as an escaping function of the application's gets it: Tornado hands those bytes."""
    return value if isinstance(value, bytes) else _text(value).encode()


def output_of(value: object) -> str | bytes:
    """The answer of an escaping function or of `{% apply %}`; TypeError if it is neither str nor bytes."""
    if isinstance(value, (str, bytes)):
        return value
    raise TypeError(
        f"an escaping function or the function of {{% apply %}} returned {type(value).__name__}:"
        " str or bytes are allowed"
    )


def join(pieces: list[str | bytes]) -> bytes:
    """The whole output in UTF-8."""
    try:
        return "".join(pieces).encode()  # type: ignore[arg-type]
    except TypeError:
        return b"".join([piece if isinstance(piece, bytes) else piece.encode() for piece in pieces])


def escape_by(function: Callable[[bytes], str | bytes]) -> Callable[[object], str | bytes]:
    """What takes `escape_value`'s place where the application brings an `xhtml_escape` of its own."""
    return lambda value: output_of(function(bytes_value(value)))


#: The names every template sees.  Source: Tornado documentation, "Templates and UI".
NAMESPACE: dict[str, Any] = {
    "datetime": datetime,
    "escape": xhtml_escape,
    "json_encode": json_encode,
    "linkify": linkify,
    "squeeze": squeeze,
    "url_escape": url_escape,
    "xhtml_escape": xhtml_escape,
    "_tt_bytes": bytes_value,
    "_tt_escape": escape_value,
    "_tt_join": join,
    "_tt_output": output_of,
    "_tt_raw": raw_value,
}
