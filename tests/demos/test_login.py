"""The login demo, with the provider that it starts, over real sockets: as a browser meets it."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("login")


def token_in(page: str) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


class Visit:
    """A browser at the demo and at its provider."""

    def __init__(self, demo: Any) -> None:
        self.demo, self.at_demo = demo, demo.visitor()
        self.at_provider: Any = None

    def begin(self) -> str:
        """Asks for a login; the address of the provider where the browser is sent."""
        answer = self.at_demo.get("/login")
        assert (answer.status, answer.headers["Cache-Control"]) == (302, "no-store")
        url = answer.headers["Location"]
        self.at_provider = type(self.at_demo)(urlsplit(url).port)
        return url

    def choose(self, url: str, user: str) -> str:
        """Says at the provider who one is; the path of the demo where the browser is sent back."""
        page = self.at_provider.get(path_of(url))
        assert page.status == 200 and "Grace Hopper" in page.body
        answer = self.at_provider.post(path_of(url), {"user": user, "_xsrf": token_in(page.body)})
        assert answer.status == 303
        back = answer.headers["Location"]
        assert back.startswith(f"{self.demo.url}/login?")
        return path_of(back)


def test_a_whole_login_and_logout(demo: Any) -> None:
    visit = Visit(demo)
    assert "Hello, stranger" in visit.at_demo.get("/").body
    url = visit.begin()
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["scope"] == ["openid profile email"]
    back = visit.choose(url, "grace")
    answer = visit.at_demo.get(back)
    assert (answer.status, answer.headers["Location"]) == (302, "/")
    flags = [line for line in answer.headers.get_all("Set-Cookie") if line.startswith("user=")]
    assert "HttpOnly" in flags[0] and "SameSite=Lax" in flags[0]
    home = visit.at_demo.get("/").body
    assert "Hello, Grace Hopper" in home and "grace@example.com" in home

    assert visit.at_demo.post("/logout", {}).status == 403  # no token: another site cannot log anybody out
    assert "Hello, Grace Hopper" in visit.at_demo.get("/").body
    out = visit.at_demo.post("/logout", {"_xsrf": token_in(home)})
    assert (out.status, urlsplit(out.headers["Location"]).port) == (303, visit.at_provider.port)
    gone = visit.at_provider.get(path_of(out.headers["Location"]))
    assert gone.headers["Location"] == f"{demo.url}/"
    assert "Hello, stranger" in visit.at_demo.get("/").body


def test_the_answer_to_one_browsers_login_is_no_use_to_another(demo: Any) -> None:
    thief, victim = Visit(demo), Visit(demo)
    back = thief.choose(thief.begin(), "ada")
    assert victim.at_demo.get(back).status == 403  # it began none
    victim.begin()
    answer = victim.at_demo.get(back)
    assert answer.status == 403 and "state" in answer.body
    assert "Hello, stranger" in victim.at_demo.get("/").body


def test_a_login_is_answered_once(demo: Any) -> None:
    visit = Visit(demo)
    back = visit.choose(visit.begin(), "ada")
    cookies = dict(visit.at_demo.cookies)
    assert visit.at_demo.get(back).status == 302
    assert visit.at_demo.get(back).status == 403
    # Who kept the cookie of the login meets the provider, which takes a code once.
    again = demo.visitor()
    again.cookies.update(cookies)
    answer = again.get(back)
    assert answer.status == 403 and "invalid_grant" in answer.body


def test_a_login_replaces_what_was_planted_before_it(demo: Any) -> None:
    thief, victim = Visit(demo), Visit(demo)
    thief.at_demo.get(thief.choose(thief.begin(), "ada"))
    planted = thief.at_demo.cookies["user"]
    victim.at_demo.cookies["user"] = planted
    victim.at_demo.get(victim.choose(victim.begin(), "grace"))
    assert victim.at_demo.cookies["user"] != planted
    assert "Grace Hopper" in victim.at_demo.get("/").body
    assert "Grace Hopper" not in thief.at_demo.get("/").body


def test_a_refusal_is_told(demo: Any) -> None:
    visit = Visit(demo)
    answer = visit.at_demo.get(visit.choose(visit.begin(), ""))
    assert answer.status == 403 and "access_denied" in answer.body


def test_no_secret_is_printed(demo: Any) -> None:
    visit = Visit(demo)
    url = visit.begin()
    back = visit.choose(url, "ada")
    visit.at_demo.get("/login?code=stolen-code&state=wrong-state")
    demo.wait_for_line("login failed")
    visit.at_demo.get(back)
    visit.at_demo.get("/no-such-page")
    demo.wait_for_line("/no-such-page")
    printed = "\n".join(demo.lines)
    assert "login failed" in printed and "403 GET /login (" in printed
    brought = parse_qs(urlsplit(back).query)
    for secret in ("stolen-code", "wrong-state", brought["code"][0]):
        assert secret not in printed
