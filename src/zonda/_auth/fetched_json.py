"""JSON objects from a provider: bounded in size and time, never by a redirect."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from zonda.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from .errors import AuthError

#: Bytes of one document; those of large providers are below 20,000.
MOST_BYTES = 262_144
#: Seconds for one fetch: a login that takes longer is given up by its user.
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fetched:
    status: int
    value: dict[str, Any]


async def fetch_json(client: AsyncHTTPClient, what: str, url: str, **more: Any) -> Fetched:
    """Fetches a JSON object; `what` names it in errors.  `more` are keywords of `HTTPRequest`.

    Raises `AuthError` if there is no answer in time, if it is too long, or if it is no JSON object.  The
    status is the caller's to judge.  No redirect is followed: it would lead credentials and trust elsewhere.
    """
    pieces: list[bytes] = []
    size = 0

    def gather(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        if size <= MOST_BYTES:
            pieces.append(piece)

    request = HTTPRequest(
        url,
        follow_redirects=False,
        connect_timeout=SECONDS,
        request_timeout=SECONDS,
        streaming_callback=gather,
        **more,
    )
    try:
        response = await client.fetch(request, raise_error=False)
    except (HTTPClientError, OSError) as error:
        raise AuthError(f"{what} could not be fetched: {error}") from error
    if size > MOST_BYTES:
        raise AuthError(f"{what} has {size} bytes; at most {MOST_BYTES} are taken")
    try:
        value = json.loads(b"".join(pieces))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise AuthError(f"{what}: the answer with status {response.code} is no JSON object")
    return Fetched(response.code, value)


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a client's own credentials (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(user)}:{quote_plus(password)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
