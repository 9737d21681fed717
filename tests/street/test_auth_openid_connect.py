"""`OpenIDConnectMixin` against a provider that the test starts: whole logins, and each way to be wrong."""

import asyncio
import base64
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.street.oidc_login import SECRET, Browser, ProviderHandler, run
from zonda._auth import fetched_json, provider
from zonda.escape import json_decode
from zonda.httpclient import HTTPResponse


@pytest.fixture(autouse=True)
def _quiet(expect_log: Any) -> None:
    # What is refused is in the access log, without the code and the state that came with it.
    expect_log(
        "zonda.access", r"^40[013] (GET|POST) /(login|short|userinfo|logout|token)[^&]* \(", required=False
    )


def refused(response: HTTPResponse, *words: str) -> str:
    assert response.code == 403, response.body
    said = response.body.decode()
    for word in words:
        assert word in said
    return said


def test_a_whole_login() -> None:
    async def test(browser: Browser) -> None:
        begun = await browser.get("/login")
        (cookie,) = begun.headers.get_list("Set-Cookie")
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
        assert begun.headers["Cache-Control"] == "no-store"
        asked = {name: v[0] for name, v in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
        assert asked["scope"] == "openid email" and asked["prompt"] == "login"
        assert asked["state"] != "mine"  # what the protocol needs is not to be replaced
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3

        response = await browser.finish(asked)
        assert response.code == 200, response.body
        user = json_decode(response.body)
        assert (user["sub"], user["name"], user["iss"]) == ("ada", "Ada Lovelace", browser.provider.issuer)
        assert user["access_token"] and user["token_type"] == "Bearer"
        assert browser.cookies == {}  # the login's own is gone

        more = await browser.get(f"/userinfo?sub=ada&access_token={user['access_token']}")
        assert json_decode(more.body)["email"] == "ada@example.com"

    run(test)


def test_each_login_has_secrets_of_its_own() -> None:
    async def test(browser: Browser) -> None:
        one, two = await browser.begin(), await browser.begin()
        assert not {one[k] for k in ("state", "nonce", "code_challenge")} & set(two.values())
        # One login is under way in a browser: the second.
        refused(await browser.finish(one), "state")
        assert (await browser.finish(two)).code == 200

    run(test)


def test_a_cookie_over_https_is_secure() -> None:
    async def test(browser: Browser) -> None:
        forwarded = {"X-Forwarded-Proto": "https"}
        response = await browser.client.fetch(
            browser.base + "/login", headers=forwarded, follow_redirects=False, raise_error=False
        )
        assert "Secure" in response.headers["Set-Cookie"]

    run(test)


@pytest.mark.parametrize("state", ["", "x", "ü", None])
def test_wrong_state(state: str | None) -> None:
    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        said = refused(await browser.finish(asked, state=state), "state", "not that of the login")
        assert asked["state"] not in said
        # Somebody else's link has not ended the user's own login.
        assert (await browser.finish(asked)).code == 200

    run(test)


def test_an_answer_without_a_login() -> None:
    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        login = browser.cookies.pop("_openid_connect_login")
        refused(await browser.finish(asked), "no login is under way")
        browser.cookies["_openid_connect_login"] = login[:-1] + ("0" if login[-1] != "0" else "1")
        refused(await browser.finish(asked), "no login is under way")
        browser.cookies["_openid_connect_login"] = json.dumps(asked)
        refused(await browser.finish(asked), "no login is under way")
        refused(await browser.get("/short?code=c&state=" + asked["state"]), "no login is under way")

    run(test)


def test_a_login_that_took_too_long() -> None:
    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        assert "_openid_connect_login" in browser.cookies
        response = await browser.get(f"/short?code=c&state={asked['state']}")
        refused(response, "older than -1 s")

    run(test)


def test_code_replay() -> None:
    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        cookies = dict(browser.cookies)
        told = browser.provider.begin("ada", asked)
        path = told.removeprefix(browser.base)
        assert (await browser.get(path)).code == 200
        refused(await browser.get(path), "no login is under way")
        browser.cookies.update(cookies)  # a thief who has the cookie too
        code = parse_qs(urlsplit(told).query)["code"][0]
        assert code not in refused(await browser.get(path), "status 400", "invalid_grant")

    run(test)


def test_a_stolen_code_is_no_use_in_another_login() -> None:
    async def test(browser: Browser) -> None:
        stolen = parse_qs(urlsplit(browser.provider.begin("ada", await browser.begin())).query)["code"][0]
        # The provider refuses it: the verifier is another login's (RFC 7636).
        refused(await browser.login(code=stolen), "invalid_grant")

    run(test)


def test_the_provider_refuses() -> None:
    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        said = {"code": None, "error": "access_denied", "error_description": "no\r\nway\x1b"}
        text = refused(await browser.finish(asked, **said), "access_denied", r"no\r\nway")
        assert "\n" not in text

    run(test)


def test_an_answer_of_another_issuer() -> None:
    async def test(browser: Browser) -> None:
        for iss in ("https://evil.example", None):
            refused(await browser.login(iss=iss), "issuer", repr(browser.provider.issuer))

    run(test)


def test_a_login_begun_with_another_provider() -> None:
    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        real = browser.provider.issuer
        browser.application.settings["openid_connect"]["issuer"] = real + "/"
        browser.provider.issuer = real + "/"
        refused(await browser.finish(asked), repr(real), repr(real + "/"))

    run(test)


def now() -> int:
    return int(time.time())


WRONG_CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong nonce": ({"nonce": "x"}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "expired": ({"exp": now() - 3600}, "expired"),
    "no expiry": ({"exp": None}, "exp"),
    "expiry NaN": ({"exp": float("nan")}, "exp"),
    "expiry infinite": ({"exp": float("inf")}, "exp"),
    "expiry text": ({"exp": "9999999999"}, "exp"),
    "expiry too large": ({"exp": 10**400}, "exp"),
    "wrong audience": ({"aud": "client:2"}, "expected 'client:1'"),
    "audience part": ({"aud": "client:11"}, "expected 'client:1'"),
    "no audience": ({"aud": None}, "expected 'client:1'"),
    "audiences without party": ({"aud": ["client:1", "client:2"]}, "azp"),
    "another party": ({"azp": "client:2"}, "azp"),
    "wrong issuer": ({"iss": "https://evil.example"}, "'https://evil.example'"),
    "issued later": ({"iat": now() + 3600}, "iat"),
    "not yet": ({"nbf": now() + 3600}, "nbf"),
    "no subject": ({"sub": ""}, "sub"),
    "subject no text": ({"sub": 1}, "sub"),
}


@pytest.mark.parametrize("case", WRONG_CLAIMS)
def test_wrong_claims(case: str) -> None:
    wrong, word = WRONG_CLAIMS[case]

    async def test(browser: Browser) -> None:
        asked = await browser.begin()
        said = refused(await browser.finish(asked), word)
        assert asked["nonce"] not in said

    run(test, claims=lambda claims: {k: v for k, v in (claims | wrong).items() if v is not None})


def test_right_claims_of_other_forms() -> None:
    async def test(browser: Browser) -> None:
        assert (await browser.login()).code == 200

    forms = {"aud": ["client:2", "client:1"], "azp": "client:1", "exp": now() - 30, "iat": now() + 30.5}
    run(test, claims=lambda claims: claims | forms)


def unsigned(algorithm: str, claims: dict[str, Any]) -> str:
    parts = [{"alg": algorithm, "typ": "JWT"}, claims]
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_a_token_without_signature(algorithm: str) -> None:
    async def test(browser: Browser) -> None:
        refused(await browser.login(), "signed with", repr(algorithm), "RS256")

    algorithms = {"id_token_signing_alg_values_supported": ["RS256", "none", algorithm]}
    run(
        test,
        sign=lambda claims: unsigned(algorithm, claims) + ".",
        metadata=lambda told: told | algorithms,
    )


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_the_public_key_as_a_shared_secret(form: str) -> None:
    async def test(browser: Browser) -> None:
        key = browser.provider.key
        secret = {
            "pem": key.as_pem(private=False),
            "der": key.as_der(private=False),
            "jwk": json.dumps(key.as_dict(private=False)).encode(),
        }[form]

        def sign(claims: dict[str, Any]) -> str:
            text = unsigned("HS256", claims)
            mac = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256"))
            return f"{text}.{mac.rstrip(b'=').decode()}"

        browser.provider.wrong["sign"] = sign
        refused(await browser.login(), "signed with 'HS256'", "allowed are RS256")

    algorithms = {"id_token_signing_alg_values_supported": ["RS256", "HS256"]}
    run(test, metadata=lambda told: told | algorithms)


def test_a_shared_secret_among_the_keys() -> None:
    secret = b"0123456789abcdef0123456789abcdef"

    async def test(browser: Browser) -> None:
        refused(await browser.login(), "signed with 'HS256'")

    def sign(claims: dict[str, Any]) -> str:
        text = unsigned("HS256", claims)
        mac = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256"))
        return f"{text}.{mac.rstrip(b'=').decode()}"

    octets = {"kty": "oct", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode()}
    run(test, sign=sign, keys=lambda keys: {"keys": [*keys["keys"], octets]})


def test_another_key_under_the_providers_name() -> None:
    async def test(browser: Browser) -> None:
        other = RSAKey.generate_key(2048)

        def sign(claims: dict[str, Any]) -> str:
            return jwt.encode({"alg": "RS256", "kid": browser.provider.key.kid}, claims, other)

        browser.provider.wrong["sign"] = sign
        refused(await browser.login(), "signature of the ID token is not the provider's")

        def with_its_own_key(claims: dict[str, Any]) -> str:
            header = {"alg": "RS256", "kid": "other", "jwk": other.as_dict(private=False)}
            return jwt.encode(header, claims, other)

        browser.provider.wrong["sign"] = with_its_own_key
        refused(await browser.login(), "ID token")

        browser.provider.wrong["sign"] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": "x"}, claims, other
        )
        refused(await browser.login(), "signed with key 'x'", browser.provider.key.kid)

    run(test)


def test_a_nonce_that_is_no_unicode() -> None:
    async def test(browser: Browser) -> None:
        def sign(claims: dict[str, Any]) -> str:
            payload = json.dumps(claims | {"nonce": "\ud800"}).encode()
            return jws.serialize_compact(
                {"alg": "RS256", "kid": browser.provider.key.kid}, payload, browser.provider.key
            )

        browser.provider.wrong["sign"] = sign
        refused(await browser.login(), "nonce")

    run(test)


def test_a_token_that_is_too_long() -> None:
    async def test(browser: Browser) -> None:
        refused(await browser.login(), "at most 65536")

    run(test, claims=lambda claims: claims | {"filler": "x" * 60_000})


KEYS: dict[str, Any] = {
    "RS512": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "Ed25519": lambda: OKPKey.generate_key("Ed25519"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
}
SAME_KIND = {"PS256": "RS512", "ES384": "ES256", "EdDSA": "Ed25519"}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # where the test signs with it
@pytest.mark.parametrize("algorithm", KEYS)
def test_other_algorithms_and_keys_without_names(algorithm: str) -> None:
    # One key of each kind: which is meant is clear without a name.
    others = {"RS512", "ES256", "Ed25519"} - {SAME_KIND.get(algorithm)}
    keys = {name: KEYS[name]() for name in others | {algorithm}}

    async def test(browser: Browser) -> None:
        response = await browser.login()
        assert response.code == 200, response.body

    run(
        test,
        sign=lambda claims: jwt.encode({"alg": algorithm}, claims, keys[algorithm], algorithms=[algorithm]),
        keys=lambda shown: {"keys": [key.as_dict(private=False) for key in keys.values()]},
        metadata=lambda told: told | {"id_token_signing_alg_values_supported": [algorithm]},
    )


def test_so_many_keys_are_looked_at() -> None:
    others = [{"kty": "RSA", "kid": str(number)} for number in range(provider.MOST_KEYS)]

    async def test(browser: Browser) -> None:
        browser.provider.wrong["keys"] = lambda shown: {"keys": [*others, *shown["keys"]]}
        assert len(refused(await browser.login(), "signed with key")) < 500
        browser.provider.wrong["keys"] = lambda shown: {"keys": [*others[1:], *shown["keys"]]}
        assert (await browser.login()).code == 200

    run(test)


@pytest.mark.filterwarnings("ignore:Key size")  # where the test makes it
def test_a_key_that_is_too_short() -> None:
    async def test(browser: Browser) -> None:
        browser.provider.key = RSAKey.generate_key(1024, {"kid": "short"})
        refused(await browser.login(), "'short' cannot be used (SecurityWarning)")

    run(test)


def test_two_keys_and_no_word_which() -> None:
    keys = [RSAKey.generate_key(2048) for _ in range(2)]

    async def test(browser: Browser) -> None:
        refused(await browser.login(), "2 keys for RS256", "expected one")

    run(
        test,
        sign=lambda claims: jwt.encode({"alg": "RS256"}, claims, keys[0]),
        keys=lambda shown: {"keys": [key.as_dict(private=False) for key in keys]},
    )


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ([], "signed with key"),
        (["x", 1, None], "signed with key"),
        ([{"kty": "RSA", "n": "AQAB"}], "signed with key"),
        ([{"kty": "RSA", "kid": "k", "n": "!", "e": "AQAB"}], "cannot be used"),
        ([{"kty": "RSA", "kid": "k", "n": 1}], "cannot be used"),
        ([{"kty": "RSA", "kid": "k", "use": "enc", "n": "AQAB", "e": "AQAB"}], "signed with key 'k'"),
        ({}, "a list of keys"),
    ],
)
def test_keys_that_are_none(shown: Any, words: str) -> None:
    key = RSAKey.generate_key(2048)

    async def test(browser: Browser) -> None:
        refused(await browser.login(), words)

    def sign(claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "k"}, claims, key)

    run(test, sign=sign, keys=lambda _: {"keys": shown})


def test_changed_claims() -> None:
    async def test(browser: Browser) -> None:
        real = browser.provider

        def sign(claims: dict[str, Any]) -> str:
            header, _, signature = jwt.encode({"alg": "RS256", "kid": real.key.kid}, claims, real.key).split(
                "."
            )
            return f"{header}.{unsigned('', claims | {'sub': 'grace'}).split('.')[1]}.{signature}"

        real.wrong["sign"] = sign
        refused(await browser.login(), "signature")

    run(test)


def test_key_rotation() -> None:
    async def test(browser: Browser) -> None:
        real = browser.provider
        assert (await browser.login()).code == 200
        assert (await browser.login()).code == 200
        assert real.asked == {"metadata": 1, "keys": 1}
        real.rotate_key()
        assert (await browser.login()).code == 200
        assert real.asked == {"metadata": 1, "keys": 2}
        # A key that the provider does not show: it is asked once more, and not again.
        hidden = RSAKey.generate_key(2048, {"kid": "hidden"})
        real.wrong["sign"] = lambda claims: jwt.encode({"alg": "RS256", "kid": "hidden"}, claims, hidden)
        refused(await browser.login(), "'hidden'")
        assert real.asked == {"metadata": 1, "keys": 3}

    run(test)


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "....", "ü.ü.ü", "\ud800", "e30.e30.e30", "x" * 70_000, 1]
)
def test_what_is_no_token(token: Any) -> None:
    async def test(browser: Browser) -> None:
        said = refused(await browser.login(), "id_token" if token == 1 else "ID token")
        assert len(said) < 300

    run(test, exchange=lambda tokens: tokens | {"id_token": token})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id_token": None}, "no id_token"),
        ({"access_token": ["x"]}, "no access_token"),
        ({"token_type": "mac"}, "token_type is 'mac'; expected Bearer"),
    ],
)
def test_wrong_tokens(change: dict[str, Any], words: str) -> None:
    async def test(browser: Browser) -> None:
        refused(await browser.login(), words)

    run(test, exchange=lambda tokens: tokens | change)


def test_a_wrong_client_secret_is_told_without_it() -> None:
    async def test(browser: Browser) -> None:
        assert "guessed" not in refused(await browser.login(), "status 401", "invalid_client")

    run(test, client_secret="guessed")


def test_the_secret_in_the_form_where_the_provider_wants_it_there() -> None:
    forms: list[dict[str, str]] = []

    class TokenHandler(ProviderHandler):
        def post(self) -> None:
            assert "Authorization" not in self.request.headers
            forms.append({name: self.get_body_argument(name) for name in self.request.body_arguments})
            self.write(self.provider.exchange(forms[-1]))

    async def test(browser: Browser) -> None:
        assert (await browser.login()).code == 200
        assert (forms[0]["client_id"], forms[0]["client_secret"]) == ("client:1", SECRET)

    def metadata(told: dict[str, Any]) -> dict[str, Any]:
        return told | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    run(test, metadata=metadata, handlers=[(r"/token", TokenHandler)])


def test_userinfo_of_another_user(expect_log: Any) -> None:
    expect_log("zonda.access", "^403 GET /userinfo")

    async def test(browser: Browser) -> None:
        token = json_decode((await browser.login()).body)["access_token"]
        refused(await browser.get(f"/userinfo?sub=ada&access_token={token}"), "another user")
        assert "no-such" not in refused(
            await browser.get("/userinfo?sub=ada&access_token=no-such"), "userinfo"
        )

    run(test, userinfo=lambda told: told | {"sub": "grace"})


def test_logout_url() -> None:
    async def test(browser: Browser) -> None:
        url = (await browser.get("/logout")).body.decode()
        assert url.startswith(browser.provider.issuer + "/logout?")
        assert parse_qs(urlsplit(url).query) == {
            "client_id": ["client:1"],
            "id_token_hint": ["an-id-token"],
            "post_logout_redirect_uri": ["http://127.0.0.1/bye"],
        }

    run(test)


def without(name: str) -> Any:
    return lambda told: {key: value for key, value in told.items() if key != name}


def test_no_way_out() -> None:
    async def test(browser: Browser) -> None:
        refused(await browser.get("/logout"), "no end_session_endpoint")

    run(test, metadata=without("end_session_endpoint"))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (lambda told: told | {"issuer": "https://evil.example"}, "it says issuer 'https://evil.example'"),
        (without("authorization_endpoint"), "no authorization_endpoint"),
        (
            lambda told: told | {"authorization_endpoint": "http://other.example/"},
            "expected an https address",
        ),
        (lambda told: told | {"authorization_endpoint": "javascript:alert(1)"}, "expected an https address"),
        (lambda told: told | {"filler": "x" * 300_000}, "at most 262144"),
        (lambda told: "[1]", "no JSON object"),
        (lambda told: "{", "no JSON object"),
        (lambda told: "[" * 100_000, "no JSON object"),
    ],
)
def test_wrong_metadata(metadata: Any, words: str) -> None:
    async def test(browser: Browser) -> None:
        refused(await browser.get("/login"), words)

    run(test, metadata=metadata)


def test_an_issuer_that_others_can_listen_to() -> None:
    async def test(browser: Browser) -> None:
        browser.application.settings["openid_connect"]["issuer"] = "http://accounts.example"
        refused(await browser.get("/login"), "issuer is 'http://accounts.example'", "https")

    run(test)


def test_a_redirect_of_the_metadata_is_not_followed() -> None:
    class Elsewhere(ProviderHandler):
        def get(self) -> None:
            self.redirect("/keys")

    async def test(browser: Browser) -> None:
        refused(await browser.get("/login"), "metadata", "302")
        assert browser.provider.asked["keys"] == 0

    run(test, handlers=[(r"/\.well-known/openid-configuration", Elsewhere)])


def test_a_provider_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetched_json, "SECONDS", 0.05)

    class Silent(ProviderHandler):
        async def get(self) -> None:
            self.gone = asyncio.get_running_loop().create_future()
            await self.gone

        def on_connection_close(self) -> None:
            self.gone.set_result(None)

    async def test(browser: Browser) -> None:
        refused(await browser.get("/login"), "metadata", "could not be fetched", "Timeout")

    run(test, handlers=[(r"/\.well-known/openid-configuration", Silent)])


def test_a_provider_that_is_not_there_and_then_is(free_port: Any) -> None:
    async def test(browser: Browser) -> None:
        settings = browser.application.settings["openid_connect"]
        real, settings["issuer"] = settings["issuer"], f"http://127.0.0.1:{free_port()}"
        refused(await browser.get("/login"), "could not be fetched")
        settings["issuer"] = real  # a failure is not kept
        assert (await browser.login()).code == 200

    run(test)


def test_many_logins_at_once_ask_the_provider_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(browser: Browser) -> None:
        begun = await asyncio.gather(*(browser.get("/login") for _ in range(20)))
        assert {response.code for response in begun} == {302}
        assert browser.provider.asked["metadata"] == 1
        monkeypatch.setattr(provider, "KEPT_SECONDS", 0.0)
        await browser.begin()
        assert browser.provider.asked["metadata"] == 2

    run(test)


def test_memory_of_providers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MOST_PROVIDERS", 3)
    asked: list[str] = []

    async def discover(client: Any, issuer: str) -> provider.Provider:
        asked.append(issuer)
        return provider.Provider(issuer, {})

    monkeypatch.setattr(provider, "discover", discover)

    async def test() -> None:
        known = provider.Providers()
        for issuer in "abcad":  # `a` was asked for again, so `b` goes
            await known.get(None, issuer)  # type: ignore[arg-type]
        assert asked == list("abcd")
        for issuer in "acd":
            await known.get(None, issuer)  # type: ignore[arg-type]
        assert asked == list("abcd")
        await known.get(None, "b")  # type: ignore[arg-type]
        assert asked == list("abcdb")

    asyncio.run(test())


def test_who_gives_up_leaves_the_others_their_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        answer = asyncio.get_running_loop().create_future()

        async def discover(client: Any, issuer: str) -> provider.Provider:
            await answer
            return provider.Provider(issuer, {})

        monkeypatch.setattr(provider, "discover", discover)
        known = provider.Providers()
        one, two = (asyncio.ensure_future(known.get(None, "a")) for _ in range(2))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.sleep(0)
        answer.set_result(None)
        assert (await two).issuer == "a" and one.cancelled()

    asyncio.run(test())
