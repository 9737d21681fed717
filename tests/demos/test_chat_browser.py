"""The chat demo in real headless Chromium: what one window says, the other shows, also after a reload."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import chromium, needs_chromium

pytestmark = [needs_chromium, pytest.mark.timeout(120)]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


class Window:
    """One visitor's page, and everything that went wrong in it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self.page: Page = browser.new_context().new_page()
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.goto(url)
        expect(self.page.get_by_role("status")).to_have_text("Live")

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def say(self, text: str) -> None:
        self.page.get_by_label("Message").fill(text)
        self.page.get_by_role("button", name="Send").click()

    def expect_messages(self, *texts: str) -> None:
        expect(self.page.locator(".message .text")).to_have_text(list(texts))


@pytest.fixture
def windows(start_demo: Callable[..., Any], browser: Browser) -> Iterator[tuple[Window, Window]]:
    demo = start_demo("chat")
    pair = Window(browser, demo.url), Window(browser, demo.url)
    yield pair
    for window in pair:
        assert window.complaints == []
        assert [url for url in window.requested if not url.startswith(demo.url)] == []


def test_a_message_of_one_window_appears_in_the_other_and_stays(windows: tuple[Window, Window]) -> None:
    ada, grace = windows
    expect(grace.page.get_by_text("Nobody has said anything yet.")).to_be_visible()
    ada.say("Hello from the first window")
    grace.expect_messages("Hello from the first window")
    ada.expect_messages("Hello from the first window")
    expect(grace.page.get_by_text("Nobody has said anything yet.")).to_be_hidden()

    grace.say("<b>hello</b> from the second & last")
    ada.say("third")
    for window in windows:
        window.expect_messages("Hello from the first window", "<b>hello</b> from the second & last", "third")

    grace.page.reload()
    grace.expect_messages("Hello from the first window", "<b>hello</b> from the second & last", "third")
    ada.say("fourth, after the reload")
    expect(grace.page.locator(".message .text").last).to_have_text("fourth, after the reload")


def test_own_messages_stand_apart(windows: tuple[Window, Window]) -> None:
    ada, grace = windows
    ada.say("mine")
    expect(ada.page.locator(".message")).to_have_class(re.compile(r"\bmine\b"))
    expect(grace.page.locator(".message")).not_to_have_class(re.compile(r"\bmine\b"))


def test_the_page_follows_the_newest_message(windows: tuple[Window, Window]) -> None:
    ada, grace = windows
    for n in range(30):
        ada.say(f"line {n}")
        expect(ada.page.locator(".message")).to_have_count(n + 1)
    expect(grace.page.locator(".message .text").last).to_have_text("line 29")
    expect(grace.page.locator(".message").last).to_be_in_viewport()
