"""What an OpenID provider tells of itself: its metadata and its keys, kept for a while.

OpenID Connect Discovery 1.0 section 4; RFC 7517 for the keys.
"""

import asyncio
import urllib.parse
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from zonda._core.base import clock
from zonda.httpclient import AsyncHTTPClient
from zonda.web import Application

from .errors import AuthError
from .fetched_json import fetch_json
from .id_token import Expected, UnknownKeyError, read_id_token

#: Providers that are kept for one application; the one that was asked for longest ago goes first.
MOST_PROVIDERS = 32
#: Seconds that metadata and keys are kept.
KEPT_SECONDS = 3600.0
#: Keys of one provider that are looked at.
MOST_KEYS = 100

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Provider:
    """The metadata of one issuer, and its keys when they are first needed."""

    def __init__(self, issuer: str, metadata: dict[str, Any]) -> None:
        self.issuer = issuer
        self.metadata = metadata
        self.fetched = clock.monotonic()
        self._keys: list[dict[str, Any]] | None = None

    def endpoint(self, name: str) -> str:
        """The address under this name; raises `AuthError` if there is none, or it can be listened in on."""
        url = self.metadata.get(name)
        if not isinstance(url, str):
            raise AuthError(f"the provider {self.issuer!r} has no {name}")
        require_private(name, url)
        return url

    def listed(self, name: str, default: list[str]) -> list[str]:
        """A list of the metadata; the default where it has none."""
        value = self.metadata.get(name)
        return value if isinstance(value, list) else default

    async def read_id_token(self, client: AsyncHTTPClient, token: str, expected: Expected) -> dict[str, Any]:
        """The claims of a token that is right; where our keys do not have its key, new ones are fetched."""
        algorithms = self.listed("id_token_signing_alg_values_supported", ["RS256"])
        known = self._keys
        if known is not None:
            try:
                return read_id_token(token, known, algorithms, expected)
            except UnknownKeyError:
                pass  # the provider has changed its keys
        if self._keys is known:  # no other login has fetched them meanwhile
            self._keys = await self._fetch_keys(client)
        return read_id_token(token, self._keys or [], algorithms, expected)

    async def _fetch_keys(self, client: AsyncHTTPClient) -> list[dict[str, Any]]:
        what = f"the keys of the provider {self.issuer!r}"
        answer = await fetch_json(client, what, self.endpoint("jwks_uri"))
        keys = answer.value.get("keys")
        if answer.status != 200 or not isinstance(keys, list):
            raise AuthError(f"{what}: status {answer.status}; expected 200 and a list of keys")
        return [key for key in keys[:MOST_KEYS] if isinstance(key, dict)]


class Providers:
    """The providers of one application."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Provider] = OrderedDict()
        self._fetching: dict[str, asyncio.Future[Provider]] = {}

    async def get(self, client: AsyncHTTPClient, issuer: str) -> Provider:
        """The provider with this issuer, from memory or by discovery; many that ask at once fetch once."""
        provider = self._kept.get(issuer)
        if provider is not None and clock.monotonic() - provider.fetched < KEPT_SECONDS:
            self._kept.move_to_end(issuer)
            return provider
        under_way = self._fetching.get(issuer)
        if under_way is None:
            under_way = asyncio.ensure_future(discover(client, issuer))
            self._fetching[issuer] = under_way
            under_way.add_done_callback(lambda done: self._keep(issuer, done))
        # Whoever gives up does not take the others' answer with him.
        return await asyncio.shield(under_way)

    def _keep(self, issuer: str, done: "asyncio.Future[Provider]") -> None:
        del self._fetching[issuer]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept[issuer] = done.result()
        self._kept.move_to_end(issuer)
        if len(self._kept) > MOST_PROVIDERS:
            self._kept.popitem(last=False)


_of_application: "WeakKeyDictionary[Application, Providers]" = WeakKeyDictionary()


def providers_of(application: Application) -> Providers:
    """The providers that this application has asked for."""
    providers = _of_application.get(application)
    if providers is None:
        providers = _of_application[application] = Providers()
    return providers


async def discover(client: AsyncHTTPClient, issuer: str) -> Provider:
    """Fetches the metadata; raises `AuthError` if it is another issuer's."""
    require_private("issuer", issuer)
    url = issuer.removesuffix("/") + "/.well-known/openid-configuration"
    what = f"the metadata of the provider {issuer!r}"
    answer = await fetch_json(client, what, url)
    if answer.status != 200:
        raise AuthError(f"{what}: status {answer.status}; expected 200")
    if answer.value.get("issuer") != issuer:
        raise AuthError(
            f"{what}: it says issuer {ascii(answer.value.get('issuer'))[:200]}; expected {issuer!r}"
        )
    return Provider(issuer, answer.value)


def require_private(name: str, url: str) -> None:
    """Raises `AuthError` unless others cannot listen: https, or http on this machine."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise AuthError(f"{name} is {url!r}; expected an https address (http only on this machine)")
