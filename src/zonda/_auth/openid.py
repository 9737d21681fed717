"""OpenID 2.0 with Attribute Exchange, for services that still speak it."""

import urllib.parse
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, cast

from zonda.httpclient import AsyncHTTPClient, HTTPResponse
from zonda.httputil import url_concat
from zonda.web import RequestHandler

from .errors import AuthError

_OPENID = "http://specs.openid.net/auth/2.0"
_EXCHANGE = "http://openid.net/srv/ax/1.0"

#: The types of the Attribute Exchange schema, by the names that they have in a request.
_TYPES = {
    "firstname": "http://axschema.org/namePerson/first",
    "fullname": "http://axschema.org/namePerson",
    "lastname": "http://axschema.org/namePerson/last",
    "language": "http://axschema.org/pref/language",
    "username": "http://axschema.org/namePerson/friendly",
    "email": "http://axschema.org/contact/email",
}


class OpenIdMixin:
    """Login with OpenID 2.0.  A subclass sets `_OPENID_ENDPOINT`, the URI of the service.

    Deprecated, as in Tornado: services have moved to OpenID Connect (`OpenIDConnectMixin`).
    Source: OpenID Authentication 2.0, OpenID Attribute Exchange 1.0; Tornado documentation, `tornado.auth`.
    """

    _OPENID_ENDPOINT: str

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        ax_attrs: list[str] = ["name", "email", "language", "username"],  # noqa: B006  # Tornado's default; only read
    ) -> None:
        """Sends the browser to the service, which sends it back to `callback_uri` (default: here).

        `ax_attrs` are the attributes that are asked for: `name`, `email`, `language`, `username`.
        """
        _warn()
        handler = cast(RequestHandler, self)
        arguments = self._openid_args(callback_uri or handler.request.uri, ax_attrs)
        handler.redirect(url_concat(self._OPENID_ENDPOINT, arguments))

    async def get_authenticated_user(self, http_client: AsyncHTTPClient | None = None) -> dict[str, Any]:
        """Asks the service whether what the browser brought is its word, and gives the user's attributes.

        Of `name`, `first_name`, `last_name`, `email`, `locale`, `username` and `claimed_id` those that the
        service told.  Raises `AuthError` if the service does not confirm.
        """
        _warn()
        handler = cast(RequestHandler, self)
        arguments: dict[str, str | bytes] = {k: v[-1] for k, v in handler.request.arguments.items()}
        arguments["openid.mode"] = "check_authentication"
        client = http_client or self.get_auth_http_client()
        body = urllib.parse.urlencode(arguments)
        response = await client.fetch(self._OPENID_ENDPOINT, method="POST", body=body)
        return self._on_authentication_verified(response)

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client that asks the service; to be overridden for another than the loop's."""
        return AsyncHTTPClient()

    def _openid_args(
        self, callback_uri: str, ax_attrs: Iterable[str] = (), oauth_scope: str | None = None
    ) -> dict[str, str]:
        handler = cast(RequestHandler, self)
        return_to = urllib.parse.urljoin(handler.request.full_url(), callback_uri)
        arguments = {
            "openid.ns": _OPENID,
            "openid.claimed_id": f"{_OPENID}/identifier_select",
            "openid.identity": f"{_OPENID}/identifier_select",
            "openid.return_to": return_to,
            "openid.realm": urllib.parse.urljoin(return_to, "/"),
            "openid.mode": "checkid_setup",
        }
        wanted = set(ax_attrs)
        if "name" in wanted:
            wanted |= {"firstname", "fullname", "lastname"}
        required = [name for name in _TYPES if name in wanted]
        if required:
            arguments |= {"openid.ns.ax": _EXCHANGE, "openid.ax.mode": "fetch_request"}
            arguments |= {f"openid.ax.type.{name}": _TYPES[name] for name in required}
            arguments["openid.ax.required"] = ",".join(required)
        if oauth_scope:
            arguments |= {
                "openid.ns.oauth": "http://specs.openid.net/extensions/oauth/1.0",
                "openid.oauth.consumer": handler.request.host.split(":")[0],
                "openid.oauth.scope": oauth_scope,
            }
        return arguments

    def _on_authentication_verified(self, response: HTTPResponse) -> dict[str, Any]:
        # Key-value form, OpenID 2.0 section 4.1.1: a line each, in any order.
        if b"is_valid:true" not in response.body.split(b"\n"):
            raise AuthError(
                f"Invalid OpenID response: {response.body[:200]!r}; expected a line is_valid:true"
            )
        handler = cast(RequestHandler, self)
        told = _attributes({name: values[-1].decode("utf-8", "replace") for name, values in
                            handler.request.arguments.items()})  # fmt: skip
        first, last, email = told.get("firstname"), told.get("lastname"), told.get("email")
        names = [name for name in (first, last) if name]
        full = told.get("fullname") or " ".join(names) or (email.split("@")[0] if email else None)
        user = {
            "first_name": first,
            "last_name": last,
            "name": full,
            "email": email,
            "locale": told.get("language", "").lower(),
            "username": told.get("username"),
            "claimed_id": handler.get_argument("openid.claimed_id", None),
        }
        return {name: value for name, value in user.items() if value}


def _attributes(arguments: dict[str, str]) -> dict[str, str]:
    """The attributes that the service told, by the names of `_TYPES`."""
    prefix = next(
        (f"openid.{name[10:]}." for name, value in arguments.items()
         if name.startswith("openid.ns.") and value == _EXCHANGE), None)  # fmt: skip
    if prefix is None:
        return {}
    signed: Sequence[str] | None = None
    if "openid.signed" in arguments:
        signed = arguments["openid.signed"].split(",")
    told: dict[str, str] = {}
    names = {type_: name for name, type_ in _TYPES.items()}
    for name, type_ in arguments.items():
        if not name.startswith(f"{prefix}type.") or type_ not in names:
            continue
        value = f"{prefix}value.{name.removeprefix(f'{prefix}type.')}"
        # What the list of signed fields leaves out, anybody may have added on the way (section 10.1).
        if signed is None or {name[7:], value[7:]} <= set(signed):
            told.setdefault(names[type_], arguments.get(value, ""))
    return told


def _warn() -> None:
    warnings.warn("OpenIdMixin is deprecated, as in Tornado; use OpenIDConnectMixin", DeprecationWarning, 3)
