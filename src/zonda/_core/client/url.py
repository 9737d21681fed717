"""URLs as a client sees them: where to connect, what to call the host, what to ask for."""

import functools
import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}

#: What cannot stand in a request target; percent-encoded as UTF-8.
_NOT_TARGET = re.compile(r"[^\x21-\x7e]")

#: Schemes with authorities that are remembered taken apart; a client repeats itself.
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


def target_of(url: str) -> Target:
    """Raises `ValueError` for a URL that is not HTTP's, or whose port is no number up to 65535."""
    start = url.find("://") + 3
    slash = url.find("/", start)
    if start < 3 or slash < 0 or "#" in url or url.endswith("?") or not _is_plain(url):
        return _split(url)
    site = _site(url[:slash])
    if site is None:
        return _split(url)
    scheme, host, port, authority, _, username, password = site
    return Target(scheme, host, port, authority, url[slash:], username, password)


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


@functools.lru_cache(maxsize=_REMEMBERED)
def _site(url: str) -> Target | None:
    """A URL of scheme and authority taken apart; None if it is more or less than that."""
    if "?" in url or not url.lower().startswith(("http://", "https://")):
        return None
    return _split(url)


def _split(url: str) -> Target:
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
