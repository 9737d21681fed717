"""Entity tags of whole answers (RFC 9110 sections 8.8.3 and 13.1.2)."""

import hashlib
import re
from collections.abc import Iterable

#: One entity tag, weak or not, or the asterisk.
_ETAG = re.compile(r'\*|(?:W/)?"[^"]*"')


def compute_etag(pieces: Iterable[bytes]) -> str:
    """A strong tag of a body: its SHA-1.  Tornado's, byte for byte, so that caches survive the change."""
    digest = hashlib.sha1(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return f'"{digest.hexdigest()}"'


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
