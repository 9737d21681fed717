"""URLs as a client sees them: where to connect, what to call the host, what to ask for."""

import functools
import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}

#: What cannot stand in a request target; percent-encoded as UTF-8.
_NOT_TARGET = re.compile(r"[^\x21-\x7e]")

#: URLs whose parts are remembered; a client repeats itself.
_REMEMBERED = 256


class Target(NamedTuple):
    """A URL taken apart."""

    scheme: str
    host: str
    port: int
    #: Host and port as they were written: the Host field.
    authority: str
    #: Path and query: the request target.
    path: str
    username: str | None
    password: str

    def same_origin(self, other: "Target") -> bool:
        """Scheme, host and port are the same (RFC 6454)."""
        return self[:3] == other[:3]


@functools.lru_cache(maxsize=_REMEMBERED)
def target_of(url: str) -> Target:
    """Raises `ValueError` for a URL that is not HTTP's, or whose port is no number up to 65535."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"Unsupported url scheme: {url}")
    authority = parts.netloc.rpartition("@")[2]
    host = parts.hostname or ""
    if not authority.isascii():
        # RFC 3490: the names of the domain system are ASCII.
        authority = authority.encode("idna").decode("ascii")
        host = host.encode("idna").decode("ascii")
    path = parts.path or "/"
    if parts.query:
        path += "?" + parts.query
    path = _NOT_TARGET.sub(lambda match: quote(match[0]), path)
    username = None if parts.username is None else unquote(parts.username)
    port = parts.port or _PORTS[parts.scheme]
    return Target(parts.scheme, host, port, authority, path, username, unquote(parts.password or ""))
