"""The programs of 2009 answer as they did then."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Start = Callable[..., Any]


def test_hello_world_arguments_of_the_address_and_a_form(start_demo: Start) -> None:
    visitor = start_demo("classic").visitor()
    hello = visitor.get("/")
    assert (hello.status, hello.body) == (200, "Hello, world")
    assert hello.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert visitor.get("/story/17").body == "This is story 17"
    assert visitor.get("/story/101").status == 404
    assert visitor.get("/story/x").status == 404
    assert '<form action="/form" method="post">' in visitor.get("/form").body
    answer = visitor.post("/form", {"message": "grüße & more"})
    assert answer.body == "You wrote grüße & more"
    assert answer.headers.get_content_type() == "text/plain"
    assert visitor.post("/form", {}).status == 400


def test_an_answer_is_finished_later_from_a_callback(start_demo: Start) -> None:
    demo = start_demo("classic", "later.py")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: demo.visitor().get("/"), range(5)))
    assert [(answer.status, answer.body) for answer in answers] == [(200, "Wait for it ... ... ... done")] * 5


def test_one_request_finishes_another(start_demo: Start) -> None:
    demo = start_demo("classic", "later.py")
    with ThreadPoolExecutor() as pool:
        ada = pool.submit(demo.visitor().get, "/meet/ada")
        grace = pool.submit(demo.visitor().get, "/meet/grace")
        assert (ada.result().body, grace.result().body) == ("ada meets grace", "grace meets ada")


def test_signing_in_with_a_signed_cookie(start_demo: Start) -> None:
    visitor = start_demo("classic", "login.py").visitor()
    refused = visitor.get("/")
    assert (refused.status, refused.headers["Location"]) == (302, "/login?next=%2F")
    form = visitor.get("/login").body
    token = re.search(r'<input type="hidden" name="_xsrf" value="([^"]+)"/>', form)
    assert token is not None
    assert visitor.post("/login", {"name": "Ada"}).status == 403
    entered = visitor.post("/login", {"name": "Ada <3", "_xsrf": token[1]})
    assert (entered.status, entered.headers["Location"]) == (302, "/")
    assert visitor.get("/").body == "Hello, Ada &lt;3"

    signed = visitor.cookies["user"]
    visitor.cookies["user"] = signed[:-1] + ("0" if signed[-1] != "0" else "1")
    assert visitor.get("/").status == 302
    visitor.cookies["user"] = signed
    assert visitor.get("/logout").status == 302
    assert "user" not in visitor.cookies
    assert visitor.get("/").status == 302


def test_a_plain_cookie(start_demo: Start) -> None:
    visitor = start_demo("classic", "login.py").visitor()
    assert visitor.get("/cookie").body == "Your cookie was not set yet!"
    assert visitor.get("/cookie").body == "Your cookie was set!"


def test_templates_and_ui_modules(start_demo: Start) -> None:
    visitor = start_demo("classic", "pages.py").visitor()
    home = visitor.get("/").body
    assert home.count('<div class="entry">') == 2
    assert home.index("Callbacks") < home.index("Wind &amp; weather")
    assert "3 with the one you will write" in home
    assert "&lt;self.finish&gt;" in home
    assert "No comments yet" not in home and "newest first %}" not in home
    # The style of a module is in the head and its script at the end of the body, once.
    head, _, body = home.partition("</head>")
    assert head.count(".entry { margin-bottom: 1em; }") == home.count(".entry {") == 1
    assert body.count("document.title +=") == home.count("document.title +=") == 1
    assert body.index("The newest first") < body.index("document.title +=") < body.index("</body>")

    entry = visitor.get("/entry/1").body
    assert "<title>Wind &amp; weather</title>" in entry
    assert "No comments yet" in entry
    assert visitor.get("/entry/9").status == 404


@pytest.mark.parametrize(
    ("headers", "path", "expected"),
    [
        ({}, "/?person=Ada", ["Sign in", "Username", "Ada:", "A person liked this"]),
        ({"Accept_Language": "es-AR,es;q=0.9"}, "/?person=Ada", ["Entrar", "A una persona le gustó esto"]),
        ({"Accept_Language": "fr;q=0.9,de;q=0.8"}, "/?person=Ada&person=Alan", ["2 Personen gefällt das"]),
        ({"Accept_Language": "es"}, "/?locale=de", ['<html lang="de">', "Anmelden", "Passwort"]),
    ],
)
def test_the_page_speaks_the_language_of_its_reader(
    start_demo: Start, headers: dict[str, str], path: str, expected: list[str]
) -> None:
    page = start_demo("classic", "words.py").visitor(**headers).get(path).body
    assert [text for text in expected if text not in page] == []
