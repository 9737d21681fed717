"""The chat demo over HTTP: its addresses, history, cursor, XSRF and signed names, without a browser."""

import json
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

NEW = "/a/message/new"
UPDATES = "/a/message/updates"


class Guest:
    """A visitor that has opened the page and knows its XSRF token."""

    def __init__(self, demo: Any) -> None:
        self.visitor = demo.visitor()
        page = self.visitor.get("/")
        assert page.status == 200
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.body)
        assert token is not None
        self.token = token[1]

    def say(self, body: str) -> dict[str, str]:
        answer = self.visitor.post(NEW, {"_xsrf": self.token, "body": body})
        assert answer.status == 200
        return dict(json.loads(answer.body))

    def updates(self, **fields: str) -> list[dict[str, str]]:
        answer = self.visitor.post(UPDATES, {"_xsrf": self.token, **fields})
        assert answer.status == 200
        return list(json.loads(answer.body)["messages"])


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("chat")


def test_a_message_reaches_a_waiting_poll_at_once(demo: Any) -> None:
    ada, grace = Guest(demo), Guest(demo)
    first = ada.say("first")
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(guest.updates, cursor=first["id"]) for guest in (ada, grace)]
        # A bad request in between shows that the server is not held by those who wait.
        assert grace.visitor.get("/nowhere").status == 404
        second = grace.say("second")
        for poll in waiting:
            assert poll.result(timeout=10) == [second]


def test_updates_without_a_cursor_are_the_whole_history_in_order(demo: Any) -> None:
    guest = Guest(demo)
    said = [guest.say(f"message {n}") for n in range(5)]
    assert guest.updates() == said
    assert guest.updates(cursor=said[2]["id"]) == said[3:]
    assert guest.updates(cursor="of-another-server") == said


def test_the_room_forgets_the_oldest(demo: Any) -> None:
    guest = Guest(demo)
    for n in range(205):
        guest.say(f"message {n}")
    remembered = [message["body"] for message in guest.updates()]
    assert remembered == [f"message {n}" for n in range(5, 205)]


def test_the_page_shows_history_and_escapes_it(demo: Any) -> None:
    guest = Guest(demo)
    message = guest.say("<script>alert('ö')</script>")
    assert message["body"] == "<script>alert('ö')</script>"
    for text in (message["html"], guest.visitor.get("/").body):
        assert "&lt;script&gt;alert(" in text and "ö" in text
        assert "<script>alert" not in text


def test_every_visitor_keeps_a_name_of_its_own_that_cannot_be_forged(demo: Any) -> None:
    guest = Guest(demo)
    name = guest.say("one")["author"]
    assert guest.say("two")["author"] == name
    forged = guest.visitor.cookies["visitor"].split("|")
    forged[4] = "5:QWxhbg=="
    guest.visitor.cookies["visitor"] = "|".join(forged)
    assert guest.say("three")["author"] != "Alan"


@pytest.mark.parametrize("address", [NEW, UPDATES])
def test_a_post_without_its_xsrf_token_is_refused(demo: Any, address: str) -> None:
    guest = Guest(demo)
    assert guest.visitor.post(address, {"body": "forged"}).status == 403
    assert demo.visitor().post(address, {"body": "forged", "_xsrf": guest.token}).status == 403
    assert "forged" not in guest.visitor.get("/").body


@pytest.mark.parametrize("fields", [{}, {"body": ""}, {"body": "   "}, {"body": "x" * 2001}])
def test_messages_that_are_missing_empty_or_too_long_are_refused(demo: Any, fields: dict[str, str]) -> None:
    guest = Guest(demo)
    assert guest.visitor.post(NEW, {"_xsrf": guest.token, **fields}).status == 400


def test_a_browser_without_scripts_gets_the_page_again(demo: Any) -> None:
    guest = Guest(demo)
    answer = guest.visitor.post(NEW, {"_xsrf": guest.token, "body": "plain", "next": "//elsewhere.example"})
    assert (answer.status, answer.headers["Location"]) == (302, "/")


def test_a_visitor_that_leaves_while_waiting_disturbs_nobody(demo: Any) -> None:
    guest = Guest(demo)
    body = f"_xsrf={guest.token}"
    cookies = "; ".join(f"{name}={value}" for name, value in guest.visitor.cookies.items())
    head = (
        f"POST {UPDATES} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", demo.port)) as leaving:
            leaving.sendall((head + body).encode())
        assert guest.visitor.get("/").status == 200
    message = guest.say("still here")
    assert guest.updates() == [message]
