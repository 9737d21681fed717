"""Grammar that many fields share: parameters, quoted strings, lists, weights (RFC 9110, 5.6 and 12.4.2).

The expressions are possessive: whatever the input, they never go back.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from .fields import has_control, is_token

#: RFC 9110, 5.6.4, both quotes included.
_QUOTED_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
#: Only `\"` and `\\` are undone: browsers send `filename="C:\dir\file"` with bare backslashes.
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_TO_QUOTE = re.compile(r'(["\\])')
#: An element of a list up to its comma, quoted strings taken whole; one never closed takes the rest.
_ELEMENT = re.compile(r'(?:[^",]|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z))*+', re.DOTALL)
#: RFC 8187, 3.2.1: value-chars.
_EXTENDED = re.compile(r"(?:[A-Za-z0-9!#$&+\-.^_`|~]|%[0-9A-Fa-f]{2})*+")
#: RFC 8187 asks for UTF-8; the two others are what old senders use.
_CHARSETS = frozenset({"utf-8", "iso-8859-1", "us-ascii"})
#: RFC 9110, 12.4.2, taking more than three digits as well.
_QVALUE = re.compile(r"0(?:\.[0-9]{0,20}+)?+|1(?:\.0{0,20}+)?+")


def parse_parameters(line: str) -> tuple[str, dict[str, str]]:
    """Reads `value; name=token; name="quoted string"; name*=UTF-8''extended`.

    Returns the value and the parameters; their names in lower case, the last of a name winning.
    A parameter without `=` is left out.  An extended parameter (RFC 8187) appears under its name
    without the star and wins over the plain one; if its charset or encoding is not understood it is
    left out, so that the plain one stands.  Continuations (`name*0`, RFC 2231) are not HTTP and are
    given as the parameters they are.
    """
    end = line.find(";")
    if end < 0:
        return line.strip(), {}
    value = line[:end].strip()
    plain: dict[str, str] = {}
    extended: dict[str, str] = {}
    while end < len(line):
        start = end + 1
        end = _find(line, ";", start)
        equals = line.find("=", start, end)
        if equals < 0:
            continue
        name = line[start:equals].strip().lower()
        content = equals + 1
        while content < end and line[content] in " \t":
            content += 1
        quoted = _QUOTED_STRING.match(line, content)
        if quoted is not None:
            end = _find(line, ";", quoted.end())
        elif line.startswith('"', content):
            # A quoted string that is never closed takes the rest.
            end = len(line)
        text = unquote(line[content:end].strip())
        if name.endswith("*") and len(name) > 1:
            decoded = _decode_extended(text)
            if decoded is not None:
                extended[name[:-1]] = decoded
        else:
            plain[name] = text
    plain.update(extended)
    return value, plain


def _find(line: str, what: str, start: int) -> int:
    found = line.find(what, start)
    return len(line) if found < 0 else found


def unquote(text: str) -> str:
    """Undoes a quoted string; other text is given back as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def quote(text: str) -> str:
    """Gives `text` as a token if it is one, else as a quoted string."""
    return text if is_token(text) else '"' + _TO_QUOTE.sub(r"\\\1", text) + '"'


def _decode_extended(text: str) -> str | None:
    charset, _, rest = text.partition("'")
    _, tick, encoded = rest.partition("'")
    charset = charset.lower()
    if not tick or charset not in _CHARSETS or not _EXTENDED.fullmatch(encoded):
        return None
    try:
        decoded = unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        return None
    # What may not stand in the field itself does not come in through the encoding either.
    return None if has_control(decoded) else decoded


def render_parameters(value: str, parameters: Mapping[str, object]) -> str:
    """Renders `value; name=token; flag`, sorted by name; a parameter that is `None` is a flag.

    What is no token is quoted.  Control characters are the caller's to refuse.
    """
    parts = [value]
    for name, content in sorted(parameters.items()):
        parts.append(name if content is None else f"{name}={quote(str(content))}")
    return "; ".join(parts)


def split_list(value: str) -> list[str]:
    """Splits a comma-separated list (RFC 9110, 5.6.1): trimmed, empty elements left out.

    A comma in a quoted string separates nothing.
    """
    if '"' not in value:
        elements = value.split(",")
    else:
        # Empty matches stand between an element and its comma; they go with the empty elements.
        elements = _ELEMENT.findall(value)
    return [trimmed for element in elements if (trimmed := element.strip(" \t"))]


def parse_weights(value: str) -> list[tuple[str, float]]:
    """Reads a weighted list such as Accept-Encoding: pairs (element, weight) in their order.

    The weight 0 says that something is not acceptable.  An element whose weight is malformed is left out.
    """
    weighted = []
    for element in split_list(value):
        name, parameters = parse_parameters(element)
        weight = parameters.get("q", "1")
        if name and _QVALUE.fullmatch(weight):
            weighted.append((name, float(weight)))
    return weighted


def parse_qvalues(value: str) -> list[tuple[str, float]]:
    """Reads a weighted list such as Accept-Language: pairs (element, weight), the heaviest first.

    Elements of equal weight keep their order.  What has the weight 0 is not acceptable and left out,
    and so is an element whose weight is malformed.
    """
    weighted = [pair for pair in parse_weights(value) if pair[1] > 0]
    weighted.sort(key=lambda pair: -pair[1])
    return weighted
