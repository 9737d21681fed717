"""RedirectHandler: what a client puts into the address never changes where it leads."""

import re
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.core.web.asking import Ask, ask, ask_all
from tests.core.wire.growth import assert_linear
from zonda._core.web.errors import HTTPError
from zonda._core.web.redirect import _check_target, _origin
from zonda.web import Application, ErrorHandler, FallbackHandler, RedirectHandler, RequestHandler

NASTY = "/\\@:.?#[]{}%\t\r\n\x00 \x7fé／aehpst"


def redirecting(url: str, pattern: str = "/r(.*)", **options: bool) -> Application:
    return Application([(pattern, RedirectHandler, {"url": url, **options})])


def browser_host(location: str) -> tuple[str, str]:
    """Scheme and host that a browser goes to from http://site.example/x/y, by the WHATWG's rules."""
    text = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(0x21))))).replace("\\", "/")
    special = re.match(r"(?i)(https?|ftp|wss?):(/*)", text)
    if special and (len(special[2]) >= 1 or special[1].lower() != "http"):
        text = f"{special[1]}://{text[special.end() :]}"
    elif text.startswith("//"):
        text = "//" + text.lstrip("/")
    parts = urlsplit(urljoin("http://site.example/x/y", text))
    return parts.scheme, parts.netloc


@given(st.text(NASTY, max_size=12))
def test_whatever_the_argument_the_host_stays(argument):
    for template in ("/{0}", "{0}", "/{0}/x", "/a/{0}", "/a{0}", "?q={0}", "https://site.example{0}"):
        url = template.format(argument)
        try:
            _check_target(template, url)
        except HTTPError as error:
            assert error.status_code == 400
            continue
        try:
            target = browser_host(url)
        except ValueError:
            assume(False)
        expected = "https" if template.startswith("https") else "http"
        assert target == (expected, "site.example"), url


@pytest.mark.parametrize(
    "template", ["https://{0}", "//{0}", "https:{0}", "http:/{0}", "https://{0}/x", "ws://{0}"]
)
@pytest.mark.parametrize("argument", ["", "evil.example", "/evil.example", "site.example"])
def test_the_host_is_never_an_argument(template, argument):
    with pytest.raises(HTTPError, match="scheme or netloc"):
        _check_target(template, template.format(argument))


@pytest.mark.parametrize(
    "argument",
    [".evil.example", ":80", "@evil.example/", "\\@evil.example", "%40evil.example", "\t@evil.example"],
)
def test_an_argument_behind_the_host_does_not_extend_it(argument, expect_log):
    # A backslash ends the host for browsers, and does not for RFC 3986: refused for both.
    expect_log("zonda.general", "400 GET .*Redirect URL")
    assert ask(redirecting("https://site.example{0}"), uri="/r" + quote(argument)).status == 400


@pytest.mark.parametrize("argument", ["a\r\nSet-Cookie: x=1", "a\x00b", "a\x7fb", "a\tb"])
def test_no_header_is_split(argument, expect_log):
    expect_log("zonda.general", "contains invalid characters")
    answer = ask(redirecting("/to/{0}"), uri="/r" + quote(argument))
    assert (answer.status, answer["Location"], answer["Set-Cookie"]) == (400, None, None)


@pytest.mark.parametrize(
    ("url", "uri", "location"),
    [
        ("/to", "/r", "/to"),
        ("/to?x=1#f", "/r?y=%0d%0a&z", "/to?x=1&y=%0D%0A&z=#f"),
        ("/{{x}}/{0}", "/ra", "/{x}/a"),
        ("/to/{0}", "/r%7B0%7D", "/to/{0}"),
        ("https://other.example/{0}", "/r//x", "https://other.example///x"),
        ("//cdn.example/{0}", "/rx", "//cdn.example/x"),
    ],
)
def test_addresses(url, uri, location):
    assert ask(redirecting(url), uri=uri)["Location"] == location


def test_a_group_that_took_no_part_is_nothing():
    assert ask(redirecting("/to{0}", "/r(/x)?"), uri="/r")["Location"] == "/to"


def test_status_and_methods():
    assert ask(redirecting("/to")).status == 404
    lasting, passing = redirecting("/to"), redirecting("/to", permanent=False)
    assert (ask(lasting, uri="/r").status, ask(passing, uri="/r").status) == (301, 302)
    assert ask(lasting, "POST", "/r").status == 405


@pytest.mark.parametrize(
    "make", [lambda n: "/" * n, lambda n: "\t" * n, lambda n: "a:" * n, lambda n: "a" * n]
)
def test_growth(make):
    assert_linear(make, _origin, 5000)


def test_errors():
    application = Application([("/e", ErrorHandler, {"status_code": 417})], xsrf_cookies=True)
    assert [answer.status for answer in ask_all(application, Ask("GET", "/e"), Ask("POST", "/e"))] == [
        417,
        417,
    ]


def test_a_fallback_answers_in_our_place():
    class Inner(RequestHandler):
        def get(self) -> None:
            self.write("inner")

    ended = []

    class Fallback(FallbackHandler):
        def on_finish(self) -> None:
            ended.append(self.request.path)

    inner = Application([("/in/.*", Inner)])
    outer = Application([("/in/.*", Fallback, {"fallback": inner})])
    assert ask(outer, uri="/in/x").body == b"inner"
    assert ended == ["/in/x"]
