"""Forged requests: tokens in both forms, cookies as browsers send them, origins."""

import hmac
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.web.asking import HOST, Ask, ask, ask_all
from tests.core.wire.growth import assert_linear
from zonda._core.web import xsrf
from zonda.web import Application, RequestHandler

#: A token of Tornado 6.6.1, and the same in form 1.
TOKEN = "2|aabbccdd|00112233445566778899aabbccddeeff|1300000000"
TOKEN_1 = "aaaaeeeeeeeeaaaa2222666666662222"


class Form(RequestHandler):
    def get_current_user(self) -> Any:
        return self.get_query_argument("user", None)

    def get(self) -> None:
        assert self.xsrf_token == self.xsrf_token
        self.write(self.xsrf_form_html() if self.get_query_argument("form", None) else self.xsrf_token)

    def post(self) -> None:
        self.write("ok")

    put = delete = patch = post


def application(**settings: Any) -> Application:
    return Application([("/", Form)], xsrf_cookies=True, **settings)


def cookie(value: str, name: str = "_xsrf") -> tuple[str, str]:
    return "Cookie", f"{name}={value}"


@pytest.mark.parametrize("sent", [TOKEN, TOKEN_1, TOKEN_1.upper()])
@pytest.mark.parametrize("stored", [TOKEN, TOKEN_1])
def test_both_forms_are_the_same_token(sent, stored):
    by_header = Ask("POST", headers=[cookie(stored), ("X-XSRFToken", sent)])
    by_other_header = Ask("POST", headers=[cookie(stored), ("X-CSRFToken", sent)])
    by_query = Ask("POST", f"/?_xsrf={quote(sent)}", [cookie(stored)])
    assert [a.status for a in ask_all(application(), by_header, by_other_header, by_query)] == [200] * 3


def test_every_answer_has_a_mask_of_its_own_and_keeps_the_token():
    answers = ask_all(application(), *[Ask(headers=[cookie(TOKEN)])] * 5)
    tokens = {answer.body.decode() for answer in answers}
    assert len(tokens) == 5
    assert not any(answer.all("Set-Cookie") for answer in answers)
    assert {xsrf._decode(token) for token in tokens} == {xsrf._decode(TOKEN)}


@pytest.mark.parametrize(
    "stored", ["2|", "2|x|y|z", "2|||1", "2|aabbccdd||1", "2|aabb|0011|1", "3|", "2|aabbccdd|0011|-5", ""]
)
def test_a_cookie_that_is_no_token_is_replaced_and_never_matches(stored, expect_log):
    expect_log("zonda.general", "403 POST")
    asks = [Ask(headers=[cookie(stored)]), Ask("POST", headers=[cookie(stored), ("X-XSRFToken", stored)])]
    page, post = ask_all(application(), *asks)
    assert (page["Set-Cookie"] or "").startswith("_xsrf=2|")
    assert post.status == 403


@pytest.mark.parametrize(
    "field", ["=_xsrf=deadbeef", "_xsrf", "_xsrf=deadbeef; _xsrf=other", "\xa0_xsrf=deadbeef"]
)
def test_cookies_that_only_look_like_the_token_s(field, expect_log):
    """A nameless cookie, one of another name, a later one: not `_xsrf=deadbeef` to a browser, nor to us."""
    expect_log("zonda.general", "XSRF cookie does not match")
    assert ask(application(), "POST", headers=[("Cookie", field), ("X-XSRFToken", "deadbeef")]).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/json")],
        [("Content-Type", "multipart/form-data; boundary=b")],
        [("X-Requested-With", "XMLHttpRequest")],
        [("Content-Type", "text/plain"), ("Content-Type", "application/json")],
    ],
)
def test_no_method_and_no_type_of_body_gets_past(method, headers, expect_log):
    # A multipart body that is none is a 400 before anyone asks for a token.
    expect_log("zonda.general", "40[03] ")
    asked = ask(application(), method, headers=[cookie(TOKEN), *headers], body=f"_xsrf={TOKEN_1}".encode())
    assert asked.status in (400, 403)


def test_the_first_token_that_is_given_counts(expect_log):
    expect_log("zonda.general", "does not match")
    asked = ask(application(), "POST", "/?_xsrf=bad", headers=[cookie(TOKEN), ("X-XSRFToken", TOKEN)])
    assert asked.status == 403


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared: list[Any] = []
    compare = hmac.compare_digest

    def spy(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(xsrf.hmac, "compare_digest", spy)
    assert ask(application(), "POST", headers=[cookie(TOKEN), ("X-XSRFToken", TOKEN_1)]).status == 200
    assert compared == [(bytes.fromhex(TOKEN_1), bytes.fromhex(TOKEN_1))]


def test_the_cookie():
    answer = ask(application())
    assert (answer["Set-Cookie"] or "") == f"_xsrf={answer.body.decode()}; Path=/"
    assert "expires=" in (ask(application(), uri="/?user=u")["Set-Cookie"] or "")
    kept = application(
        xsrf_cookie_name="__Host-x",
        xsrf_cookie_kwargs={"secure": True, "samesite": "Lax", "expires_days": None},
    )
    answer = ask(kept, uri="/?user=u")
    assert answer["Set-Cookie"] == f"__Host-x={answer.body.decode()}; Path=/; SameSite=Lax; Secure"


def test_the_form_cannot_be_broken_out_of():
    form = ask(application(), uri="/?form=1", headers=[cookie('"><script>')]).body.decode()
    assert form.startswith('<input type="hidden" name="_xsrf" value="2|')
    assert form.count("<") == form.count(">") == 1


def test_form_1_and_unknown_forms(expect_log):
    first, second = ask_all(application(xsrf_cookie_version=1), Ask(), Ask(headers=[cookie(TOKEN)]))
    assert len(bytes.fromhex(first.body.decode())) == 16
    assert second.body.decode() == TOKEN_1
    expect_log("zonda.application", "Uncaught exception")
    assert ask(application(xsrf_cookie_version=3)).status == 500


@given(st.text(max_size=60) | st.text("0123456789abcdef|", max_size=60))
def test_no_token_raises(text):
    for token in (text, "2|" + text, "2|aabbccdd|" + text):
        decoded = xsrf._decode(token)
        assert decoded is None or decoded[0]


@given(st.binary(min_size=1, max_size=70))
def test_a_token_of_any_length_survives_the_mask(secret):
    for version in (1, 2):
        decoded = xsrf._decode(xsrf._encode(secret, 1300000000, version).decode())
        assert decoded is not None
        assert decoded[0] == secret


@pytest.mark.parametrize(
    "make", [lambda n: "2|aabbccdd|" + "00" * n + "|1", lambda n: "2|" * n, lambda n: "ab" * n]
)
def test_growth(make):
    assert_linear(make, xsrf._decode, 5000)


def origin_status(*headers: tuple[str, str], method: str = "POST", **settings: Any) -> int:
    guarded = Application([("/", Form)], cross_origin_protection=True, **settings)
    return ask(guarded, method, headers=headers).status


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://site.example",
        f"http://{HOST}.evil.example",
        f"http://evil.example/{HOST}",
        f"http://evil.example?{HOST}",
        f"http://user@{HOST}",
        f"http://{HOST}@evil.example",
        f"http://{HOST}\\@evil.example",
        f"http://evil.example\\{HOST}",
        HOST,
        "",
        "null",
        "http://[bad",
        f"http://{HOST}, http://evil.example",
    ],
)
def test_origins_of_others(origin, expect_log):
    expect_log("zonda.general", "403 POST .* not allowed")
    assert origin_status(("Origin", origin)) == 403


def test_two_origins_are_none_of_ours(expect_log):
    expect_log("zonda.general", "not allowed")
    assert origin_status(("Origin", "http://evil.example"), ("Origin", f"http://{HOST}")) == 403
    assert origin_status(("Origin", f"http://{HOST}"), ("Origin", "http://evil.example")) == 403
    assert origin_status(("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")) == 403


def test_a_trusted_origin_is_exactly_that(expect_log):
    expect_log("zonda.general", "not allowed")
    trusted = {"trusted_origins": ["https://friend.example"]}
    for site in ([], [("Sec-Fetch-Site", "cross-site")]):
        assert origin_status(*site, ("Origin", "https://friend.example"), **trusted) == 200
        assert origin_status(*site, ("Origin", "https://friend.example:443"), **trusted) == 403


def test_what_a_browser_says_wins_over_origin(expect_log):
    expect_log("zonda.general", "Sec-Fetch-Site same-site & origin")
    assert origin_status(("Sec-Fetch-Site", "same-site"), ("Origin", f"http://{HOST}")) == 403
    assert origin_status(("Sec-Fetch-Site", "none"), ("Origin", "http://other.example")) == 200


def test_errors_show_little_of_what_was_sent():
    handler: Any = SimpleNamespace(
        request=SimpleNamespace(headers={"Sec-Fetch-Site": "x" * 5000, "Origin": "y" * 5000}, host="h"),
        check_trusted_origin=lambda origin: False,
    )
    with pytest.raises(xsrf.HTTPError) as caught:
        xsrf.check_cross_origin(handler)
    assert len(str(caught.value)) < 600
