"""Escaping and unescaping: HTML, URLs, JSON, and text against bytes.

Source: Tornado documentation, page `escape`.  `utf8`, `to_unicode`, `xhtml_escape` and `json_encode`
are called for every value of a response: each is one Python call over C.
"""

import binascii
import html
import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any, overload

__all__ = [
    "json_decode",
    "json_encode",
    "linkify",
    "native_str",
    "parse_qs_bytes",
    "recursive_unicode",
    "squeeze",
    "to_basestring",
    "to_unicode",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]


@overload
def utf8(value: bytes) -> bytes: ...
@overload
def utf8(value: str) -> bytes: ...
@overload
def utf8(value: None) -> None: ...
def utf8(value: str | bytes | None) -> bytes | None:
    """Text as UTF-8 bytes; bytes and None as they are.  TypeError for anything else."""
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    raise TypeError(f"Expected bytes, unicode, or None; got {type(value)}")


@overload
def to_unicode(value: str) -> str: ...
@overload
def to_unicode(value: bytes) -> str: ...
@overload
def to_unicode(value: None) -> None: ...
def to_unicode(value: str | bytes | None) -> str | None:
    """UTF-8 bytes as text; text and None as they are.  TypeError, or UnicodeDecodeError."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"Expected bytes, unicode, or None; got {type(value)}")


_unicode = to_unicode

#: Names from the time of Python 2; the same function.
native_str = to_unicode
to_basestring = to_unicode


def recursive_unicode(obj: Any) -> Any:
    """A copy of a structure of dicts, lists and tuples in which all bytes are text (UTF-8)."""
    if isinstance(obj, dict):
        return {recursive_unicode(key): recursive_unicode(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [recursive_unicode(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(recursive_unicode(item) for item in obj)
    return obj.decode() if isinstance(obj, bytes) else obj


def xhtml_escape(value: str | bytes) -> str:
    """Text that is safe in HTML and XML, attributes included: escapes `& < > " '`."""
    # Spelled as html.escape spells them, without its extra call; a character that is absent costs one memchr.
    return (
        to_unicode(value)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#x27;")
    )


def xhtml_unescape(value: str | bytes) -> str:
    """Undoes `xhtml_escape`; knows all named and numeric entities of HTML 5."""
    return html.unescape(to_unicode(value))


_encode_json = json.JSONEncoder().encode


def json_encode(value: Any) -> str:
    """JSON text of a value, safe inside `<script>`: `</` is written `<\\/`.

    Raises TypeError for what JSON cannot hold; bytes are such a thing.
    """
    return _encode_json(value).replace("</", "<\\/")


def json_decode(value: str | bytes) -> Any:
    """The value of JSON text; bytes are UTF-8, 16 or 32.  Raises `json.JSONDecodeError`, a ValueError."""
    return json.loads(value)


_BLANKS = re.compile(r"[\x00-\x20]+")


def squeeze(value: str) -> str:
    """Every run of spaces and ASCII control characters becomes one space; none at the ends."""
    return _BLANKS.sub(" ", value).strip()


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """Percent-encodes a value for a URL (RFC 3986 section 2.1), text as UTF-8.

    `plus`: a space becomes `+`, as in query strings; else `%20`, as in paths, and `/` stays.
    """
    return urllib.parse.quote_plus(value) if plus else urllib.parse.quote(value)


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...
@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8", plus: bool = True) -> str: ...
def url_unescape(value: str | bytes, encoding: str | None = "utf-8", plus: bool = True) -> str | bytes:
    """Undoes `url_escape`: text in `encoding`, or the bytes themselves if it is None.

    What is no valid escape stays as it is; bytes that are not valid in `encoding` become U+FFFD.
    """
    if encoding is None:
        data = utf8(value)
        return _unquote_to_bytes(data.replace(b"+", b" ") if plus else data)
    text = to_unicode(value)
    return urllib.parse.unquote(text.replace("+", " ") if plus else text, encoding=encoding)


_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")

#: Bytes decoded at a time where the standard library does it: it makes objects of 60 bytes for each `%`.
_UNQUOTE_PIECE = 8192


def _unquote_to_bytes(value: bytes) -> bytes:
    """Percent-decodes bytes; a `%` without two hexadecimal digits stays."""
    if b"%" not in value:
        return value
    if _LONE_PERCENT.search(value) is None:
        # Quoted-printable is the same code with `=` for `%`, and C decodes it in one pass.
        return binascii.a2b_qp(value.replace(b"=", b"%3D").replace(b"%", b"="))
    decoded = bytearray()
    position = 0
    while position < len(value):
        end = position + _UNQUOTE_PIECE
        if end < len(value) and (escape := value.find(b"%", end - 2, end)) >= 0:
            end = escape
        decoded += urllib.parse.unquote_to_bytes(value[position:end])
        position = end
    return bytes(decoded)


def parse_qs_bytes(
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    *,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """Fields of a query string or urlencoded form: names as Latin-1 text, values as bytes.

    Fields are separated by `&` alone.  `max_num_fields` bounds their number, empty ones included,
    before any is looked at.  Raises ValueError beyond it, and with `strict_parsing` for a field without `=`.
    """
    if not qs:
        return {}
    data = qs.encode("latin-1") if isinstance(qs, str) else qs
    if max_num_fields is not None and data.count(b"&") >= max_num_fields:
        seen = data.count(b"&") + 1
        raise ValueError(f"Max number of fields exceeded: {seen} in the query, {max_num_fields} allowed")
    fields: dict[str, list[bytes]] = {}
    for field in data.replace(b"+", b" ").split(b"&"):
        name, equals, value = field.partition(b"=")
        if not equals:
            if strict_parsing:
                raise ValueError(f"bad query field: {field!r}")
            if not field:
                continue
        if value or keep_blank_values:
            key = _unquote_to_bytes(name).decode("latin-1")
            value = _unquote_to_bytes(value)
            if key in fields:
                fields[key].append(value)
            else:
                fields[key] = [value]
    return fields


# Where a URL may begin, and the rest of one, in text that xhtml_escape has gone over.  The rest is words
# that end in no punctuation, and pairs of brackets without brackets inside.  All is possessive (`++`) and
# a protocol begins only where a run of its characters does: nothing is read twice.
_URL_START = re.compile(r"(?<![\w-])-*+(?P<protocol>[\w-]++):(?P<slashes>/{1,3}+)|(?<!\w)www\.")
_URL_REST = re.compile(
    r"""(?:
        (?: [!"\#$%'*+,.:;<=>?@\[\]^`{|}~] | &amp; | &quot; )*+ [^\s&()!"\#$%'*+,.:;<=>?@\[\]^`{|}~]++
      | \( (?: [^\s&()] | &amp; | &quot; )*+ \)
    )++""",
    re.VERBOSE,
)

#: Characters that a shortened link shows at most, and characters of its first path segment.
_SHORT_LINK = 30
_SHORT_SEGMENT = 8


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: list[str] = ["http", "https"],  # noqa: B006 (never changed; Tornado's default)
) -> str:
    """HTML of plain text, with its URLs as links.

    `shorten` shows long URLs cut, with the whole one as title.  `extra_params` are attributes for the
    tags, or a function from the URL to them.  `require_protocol`: `www.example.com` alone is no link.
    Only URLs of `permitted_protocols` become links.  The time is linear in the text.
    """
    escaped = xhtml_escape(text)
    pieces: list[str] = []
    written = position = 0
    while begin := _URL_START.search(escaped, position):
        protocol = begin["protocol"]
        rest = _URL_REST.match(escaped, begin.end())
        position = rest.end() if rest else begin.end()
        # `http://` alone is a URL, its last slash being the rest; `http:/` and `www.` are not.
        if not rest and (not protocol or begin["slashes"] == "/"):
            continue
        if require_protocol if protocol is None else protocol not in permitted_protocols:
            continue
        start = begin.start() if protocol is None else begin.start("protocol")
        url = escaped[start:position]
        href = "http://" + url if protocol is None else url
        params = extra_params(href) if callable(extra_params) else extra_params
        attributes = " " + params.strip() if params else ""
        shown = url
        if shorten and len(url) > _SHORT_LINK:
            shown = _shortened(url, 0 if protocol is None else begin.end() - start)
            if shown != url:
                attributes += f' title="{href}"'
        pieces += escaped[written:start], f'<a href="{href}"{attributes}>{shown}</a>'
        written = position
    pieces.append(escaped[written:])
    return "".join(pieces)


def _shortened(url: str, prefix: int) -> str:
    """An escaped URL cut to its host and the start of its path; itself if that is no shorter."""
    host, slash, path = url[prefix:].partition("/")
    segment = path.partition("/")[0][:_SHORT_SEGMENT].partition("?")[0].partition(".")[0]
    short = url[:prefix] + host + slash + segment
    if len(short) > _SHORT_LINK * 1.5:
        short = short[:_SHORT_LINK]
    entity = short.rfind("&")
    if entity >= 0 and ";" not in short[entity:]:
        short = short[:entity]
    return short + "..." if len(short) + 3 < len(url) else url
