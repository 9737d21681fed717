"""URLs as a client sees them: where to connect, what to call the host, what is the same origin."""

from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def split_url(url: str) -> SplitResult:
    """The parts of a URL that can be fetched.  Raises `ValueError` for others."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"Unsupported url scheme: {url}")
    if not parts.netloc.isascii():
        userinfo, at, host = parts.netloc.rpartition("@")
        # RFC 3490: the names of the domain system are ASCII.
        parts = parts._replace(netloc=userinfo + at + host.encode("idna").decode("ascii"))
    return parts


def port_of(parts: SplitResult) -> int:
    """Raises `ValueError` for a port that is no number up to 65535."""
    return parts.port or _PORTS[parts.scheme]


def origin(parts: SplitResult) -> tuple[str, str | None, int]:
    """Scheme, host and port (RFC 6454)."""
    return parts.scheme, parts.hostname, port_of(parts)
