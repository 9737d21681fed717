"""The chat demo over HTTP: its addresses, history, cursor, XSRF and signed names, without a browser."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

NEW = "/a/message/new"


class Guest:
    """A visitor that has opened the page and knows its XSRF token."""

    def __init__(self, demo: Any) -> None:
        self.visitor = demo.visitor()
        page = self.visitor.get("/")
        assert page.status == 200
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.body)
        assert token is not None
        self.token = token[1]
        start = re.search(r'data-position="([^"]+)"', page.body)
        assert start is not None
        self.cursor = f"room={start[1]}"

    def say(self, body: str) -> str:
        """Says something; its position."""
        answer = self.visitor.post(NEW, {"_xsrf": self.token, "body": body})
        assert answer.status == 200
        return str(json.loads(answer.body)["position"])

    def poll(self) -> list[Any]:
        """Waits for something to be said; the messages since the page, or the last poll."""
        answer = self.visitor.get(f"/channels?topic=room&cursor={self.cursor}")
        assert answer.status == 200
        told = json.loads(answer.body)
        self.cursor = told["cursor"]
        return [said["data"]["message"] for said in told["messages"] if "data" in said]


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("chat")


def test_a_message_reaches_a_waiting_poll_at_once(demo: Any) -> None:
    ada, grace = Guest(demo), Guest(demo)
    ada.say("first")
    assert [message["body"] for message in ada.poll()] == ["first"]
    assert [message["body"] for message in grace.poll()] == ["first"]
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(guest.poll) for guest in (ada, grace)]
        # A bad request in between shows that the server is not held by those who wait.
        assert grace.visitor.get("/nowhere").status == 404
        grace.say("second")
        for poll in waiting:
            assert [message["body"] for message in poll.result(timeout=10)] == ["second"]


def test_the_room_forgets_the_oldest(demo: Any) -> None:
    guest = Guest(demo)
    for n in range(205):
        guest.say(f"message {n}")
    page = guest.visitor.get("/").body
    assert re.findall(r'class="text">(.*?)</p>', page) == [f"message {n}" for n in range(5, 205)]
    # The position on the page of then is too old: that is told, and nothing is given in part.
    answer = json.loads(guest.visitor.get(f"/channels?topic=room&cursor={guest.cursor}").body)
    assert [(told["subscribed"], told["recovered"]) for told in answer["messages"]] == [("room", False)]


def test_who_has_not_opened_the_page_hears_nothing(demo: Any) -> None:
    Guest(demo).say("secret")
    answer = json.loads(demo.visitor().get("/channels?topic=room").body)
    assert [told["error"]["code"] for told in answer["messages"]] == ["forbidden"]


def test_nobody_may_say_something_under_any_name(demo: Any) -> None:
    guest = Guest(demo)
    answer = guest.visitor.ask(
        "POST",
        "/channels",
        body=json.dumps({"publish": "room", "data": "forged"}),
        headers={"Content-Type": "application/json", "X-XSRFToken": guest.token},
    )
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (403, "forbidden")


def test_the_page_shows_history_and_escapes_it(demo: Any) -> None:
    guest = Guest(demo)
    guest.say("<script>alert('ö')</script>")
    answer = json.loads(guest.visitor.get(f"/channels?topic=room&cursor={guest.cursor}").body)
    said = answer["messages"][0]["data"]
    assert said["message"]["body"] == "<script>alert('ö')</script>"
    for text in (said["html"], guest.visitor.get("/").body):
        assert "&lt;script&gt;alert(" in text and "ö" in text
        assert "<script>alert" not in text


def test_every_visitor_keeps_who_he_is_and_cannot_be_another(demo: Any) -> None:
    guest = Guest(demo)
    guest.say("one")
    guest.say("two")
    first, again = ((message["visitor"], message["author"]) for message in guest.poll())
    assert first == again
    forged = guest.visitor.cookies["visitor"].split("|")
    forged[4] = "5:QWxhbg=="
    guest.visitor.cookies["visitor"] = "|".join(forged)
    guest.say("three")
    (message,) = guest.poll()
    # The name alone may be the same: there are few, and they are drawn.
    assert message["author"] != "Alan" and message["visitor"] != first[0]


def test_a_post_without_its_xsrf_token_is_refused(demo: Any) -> None:
    guest = Guest(demo)
    assert guest.visitor.post(NEW, {"body": "forged"}).status == 403
    assert demo.visitor().post(NEW, {"body": "forged", "_xsrf": guest.token}).status == 403
    assert "forged" not in guest.visitor.get("/").body


@pytest.mark.parametrize("fields", [{}, {"body": ""}, {"body": "   "}, {"body": "x" * 2001}])
def test_messages_that_are_missing_empty_or_too_long_are_refused(demo: Any, fields: dict[str, str]) -> None:
    guest = Guest(demo)
    assert guest.visitor.post(NEW, {"_xsrf": guest.token, **fields}).status == 400


def test_a_browser_without_scripts_gets_the_page_again(demo: Any) -> None:
    guest = Guest(demo)
    answer = guest.visitor.post(NEW, {"_xsrf": guest.token, "body": "plain", "next": "//elsewhere.example"})
    assert (answer.status, answer.headers["Location"]) == (302, "/")
