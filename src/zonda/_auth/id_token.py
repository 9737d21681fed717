"""The ID token: is it the provider's word, for us, for this login, and now?

OpenID Connect Core 1.0 section 3.1.3.7.  Nothing here fetches or reads a clock; signatures are `joserfc`'s.
"""

import hmac
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import AuthError

if TYPE_CHECKING:
    from joserfc.jwk import Key

#: Algorithms whose keys are public, and the kind of key.  `none` and those with a shared secret (HS256) are
#: not among them: a token that was signed with the provider's *public* key as a secret must never pass.
KEY_KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    # EdDSA is the name that RFC 9864 replaced, and what most providers still say.
    "Ed25519": "OKP",
    "EdDSA": "OKP",
}
#: Seconds that the provider's clock and ours may differ.
LEEWAY = 60
#: Characters of a token; those of providers have some 1,000.
LONGEST = 65_536


class UnknownKeyError(AuthError):
    """The token was signed with a key that is not among the known ones; the provider may have new ones."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the claims of a token have to be."""

    issuer: str
    client_id: str
    nonce: str
    #: Seconds since 1970.
    now: float


def read_id_token(
    token: str, keys: Sequence[Mapping[str, Any]], algorithms: Collection[str], expected: Expected
) -> dict[str, Any]:
    """The claims of an ID token that is right.

    `keys` are the provider's, each a JWK; `algorithms` what it says it signs with.  Raises `UnknownKeyError`
    if its key is not among them, `AuthError` with what was seen and expected if anything else is wrong.
    """
    claims = _verified(token, keys, algorithms)
    check_claims(claims, expected)
    return claims


def _verified(token: str, keys: Sequence[Mapping[str, Any]], algorithms: Collection[str]) -> dict[str, Any]:
    try:
        from joserfc import errors, jws, jwt
    except ImportError as error:
        raise ImportError("OpenIDConnectMixin needs joserfc: pip install 'zonda[auth]'") from error

    if len(token) > LONGEST:
        raise AuthError(f"the ID token has {len(token)} characters; at most {LONGEST} are taken")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (errors.JoseError, ValueError) as error:
        raise AuthError(f"the ID token is no signed JSON Web Token ({type(error).__name__})") from error
    algorithm = header.get("alg")
    allowed = [name for name in KEY_KINDS if name in algorithms]
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise AuthError(f"the ID token is signed with {_shown(algorithm)}; allowed are {', '.join(allowed)}")
    key = _key_of(keys, algorithm, header.get("kid"))
    try:
        with warnings.catch_warnings():
            # Of the old name EdDSA: what is allowed is decided above.
            warnings.simplefilter("ignore", errors.SecurityWarning)
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
    except (errors.JoseError, ValueError) as error:
        raise AuthError(
            f"the signature of the ID token is not the provider's ({type(error).__name__})"
        ) from error
    return dict(claims)


def _key_of(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: Any) -> "Key":
    from joserfc import errors, jwk

    kind = KEY_KINDS[algorithm]
    fitting = [
        key
        for key in keys
        if key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if not fitting:
        raise UnknownKeyError(
            f"the ID token is signed with key {_shown(kid)} for {algorithm}; "
            f"the provider has {_shown([key.get('kid') for key in keys])}"
        )
    if len(fitting) > 1:
        raise AuthError(
            f"the provider has {len(fitting)} keys for {algorithm} and kid {_shown(kid)}; expected one"
        )
    # A private part or a list of operations is of no use here.
    public = {name: fitting[0][name] for name in ("kty", "n", "e", "crv", "x", "y") if name in fitting[0]}
    try:
        with warnings.catch_warnings():
            # A key that is too short to prove anything (RFC 7518 section 3.3) is not only warned of.
            warnings.simplefilter("error", errors.SecurityWarning)
            return jwk.import_key(public)
    except (errors.JoseError, errors.SecurityWarning, ValueError) as error:
        raise AuthError(
            f"the provider's key {_shown(kid)} cannot be used ({type(error).__name__})"
        ) from error


def check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    """Raises `AuthError` unless issuer, audience, times, nonce and subject are as they have to be."""
    issuer = claims.get("iss")
    if issuer != expected.issuer:
        raise AuthError(f"the ID token is of issuer {_shown(issuer)}; expected {_shown(expected.issuer)}")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise AuthError(f"the ID token is for {_shown(audience)}; expected {_shown(expected.client_id)}")
    party = claims.get("azp")
    if party != expected.client_id and (party is not None or len(audiences) > 1):
        raise AuthError(
            f"the ID token was issued to (azp) {_shown(party)}; expected {_shown(expected.client_id)}"
        )
    expires = _time(claims, "exp")
    if expires + LEEWAY <= expected.now:
        raise AuthError(
            f"the ID token expired {expected.now - expires:.0f} s ago; at most {LEEWAY} s are taken"
        )
    for name in ("iat", *(["nbf"] if "nbf" in claims else [])):
        ahead = _time(claims, name) - expected.now
        if ahead > LEEWAY:
            raise AuthError(f"{name} of the ID token is {ahead:.0f} s ahead; at most {LEEWAY} s are taken")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(ascii(nonce), ascii(expected.nonce)):
        raise AuthError("the ID token's nonce is not that of the login that this browser began")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise AuthError("the ID token's subject (sub) is no text of 1 to 255 characters")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # The bounds keep out what is no time, NaN and infinity among it.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise AuthError(f"{name} of the ID token is {_shown(value)}; expected a number of seconds since 1970")
    return value


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 200 else text[:200] + "..."
