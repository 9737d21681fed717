"""The chat in four processes, in real headless Chromium: two pages on different workers, over each transport.

What is not allowed is blocked in the browser's network: the page finds out by itself what is left.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.browsing import chromium, needs_chromium

pytestmark = [needs_chromium, pytest.mark.timeout(180)]

PATIENCE = 60_000  # ms; the machine may be busy


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def _without_websocket(route: WebSocketRoute) -> None:
    route.close()


def _without_streams(route: Route) -> None:
    if "text/event-stream" in route.request.headers.get("accept", ""):
        route.abort()
    else:
        route.continue_()


class Window:
    """A visitor's page, what carries its channels, and the process that does at the other end."""

    def __init__(self, browser: Browser, url: str, transport: str) -> None:
        context = browser.new_context()
        if transport != "websocket":
            context.route_web_socket("**/channels*", _without_websocket)
        if transport == "poll":
            context.route("**/channels*", _without_streams)
        #: The process that answered last.
        self.pid = 0
        self.page: Page = context.new_page()
        devtools = context.new_cdp_session(self.page)
        devtools.send("Network.enable")
        devtools.on("Network.webSocketHandshakeResponseReceived", self._answered)
        devtools.on("Network.responseReceived", self._answered)
        self.page.goto(url)
        expect(self.page.locator("#room")).to_have_attribute("data-transport", transport, timeout=PATIENCE)
        self.expect_live()

    def _answered(self, event: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in event["response"]["headers"].items()}
        if "x-process" in headers:
            self.pid = int(headers["x-process"])

    def expect_live(self) -> None:
        expect(self.page.get_by_role("status")).to_have_text("Live", timeout=PATIENCE)

    def say(self, text: str) -> None:
        self.page.get_by_label("Message").fill(text)
        self.page.get_by_role("button", name="Send").click()

    def expect_messages(self, *texts: str) -> None:
        expect(self.page.locator(".message .text")).to_have_text(list(texts), timeout=PATIENCE)

    def expect_people(self, number: int) -> None:
        expect(self.page.locator("#people")).to_have_text(f"{number} here", timeout=PATIENCE)


def _elsewhere(browser: Browser, url: str, transport: str, pid: int) -> Window:
    """A window whose channels hang on another process than `pid`."""
    for _ in range(30):
        window = Window(browser, url, transport)
        if window.pid != pid:
            return window
        window.page.context.close()
    raise AssertionError(f"30 windows, and all on process {pid}")


@pytest.mark.parametrize("transport", ["websocket", "sse", "poll"])
def test_two_pages_on_different_workers_and_the_worker_under_one_is_killed(
    start_demo: Callable[..., Any], browser: Browser, transport: str
) -> None:
    demo = start_demo("chat", "main.py", "--workers=4")
    ada = Window(browser, demo.url, transport)
    grace = _elsewhere(browser, demo.url, transport, ada.pid)
    for window in (ada, grace):
        window.expect_people(2)
    ada.say("one")
    grace.expect_messages("one")
    grace.say("two")
    ada.expect_messages("one", "two")

    killed = ada.pid
    os.kill(killed, signal.SIGKILL)
    grace.say("three")
    for window in (ada, grace):
        window.expect_messages("one", "two", "three")
        window.expect_people(2)
    ada.expect_live()
    ada.say("four")
    for window in (ada, grace):
        window.expect_messages("one", "two", "three", "four")
    deadline = time.monotonic() + PATIENCE / 1000
    while ada.pid == killed and time.monotonic() < deadline:
        ada.page.wait_for_timeout(50)
    assert ada.pid not in (0, killed)
    assert ada.page.get_attribute("#room", "data-transport") == transport
