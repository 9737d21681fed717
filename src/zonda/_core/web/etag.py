"""Entity tags that clients have (RFC 9110 sections 8.8.3 and 13.1.2)."""

import re

#: One entity tag, weak or not, or the asterisk.
_ETAG = re.compile(r'\*|(?:W/)?"[^"]*"')


def matches(if_none_match: str, etag: str) -> bool:
    """Whether a client that sent this If-None-Match has what `etag` names (weak comparison)."""
    if not etag:
        return False
    wanted = etag.removeprefix("W/")
    for tag in _ETAG.finditer(if_none_match):
        found = tag.group()
        if found == "*" or found.removeprefix("W/") == wanted:
            return True
    return False
