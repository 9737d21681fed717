"""The Facebook demo, with the stand-in that it starts."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("facebook")


def begin(visitor: Any) -> str:
    """The path of the demo to which Facebook sends the browser back."""
    url = urlsplit(visitor.get("/login").headers["Location"])
    assert url.path == "/dialog/oauth"
    back = urlsplit(type(visitor)(url.port).get(f"{url.path}?{url.query}").headers["Location"])
    assert back.port == visitor.port
    return f"{back.path}?{back.query}"


def test_login_and_logout(demo: Any) -> None:
    visitor = demo.visitor()
    back = begin(visitor)
    assert visitor.get(back).headers["Location"] == "/"
    home = visitor.get("/").body
    assert "Hello, Ada Lovelace" in home and "ada@example.com" in home
    token = re.search(r'name="_xsrf" value="([^"]+)"', home)
    assert token is not None
    assert visitor.post("/logout", {"_xsrf": token[1]}).status == 303
    assert "Hello, stranger" in visitor.get("/").body


def test_the_answer_to_another_browsers_login_is_refused(demo: Any) -> None:
    back = begin(demo.visitor())
    victim = demo.visitor()
    assert victim.get(back).status == 403
    begin(victim)
    assert victim.get(back).status == 403
    assert "Hello, stranger" in victim.get("/").body


def test_a_code_is_good_once_and_its_end_is_no_server_error(demo: Any) -> None:
    visitor = demo.visitor()
    back = begin(visitor)
    cookies = dict(visitor.cookies)
    assert visitor.get(back).status == 302
    visitor.cookies.update(cookies)
    assert visitor.get(back).status == 403


def test_a_refusal_is_told(demo: Any) -> None:
    assert demo.visitor().get("/login?error=access_denied").status == 403
