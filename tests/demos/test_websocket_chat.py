"""The WebSocket chat: over zonda's own client, and in headless Chromium."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import chromium, needs_chromium
from zonda.httpclient import HTTPClientError, HTTPRequest
from zonda.websocket import websocket_connect


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("websocket_chat")


async def leave(socket: Any) -> None:
    socket.close()
    while await socket.read_message() is not None:
        pass


async def next_of(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        event = json.loads(await socket.read_message())
        if event["kind"] == kind:
            return dict(event)


def test_what_one_says_all_hear_and_the_next_one_reads(demo: Any) -> None:
    async def main() -> None:
        url = f"ws://127.0.0.1:{demo.port}/socket"
        ada, grace = [await websocket_connect(url, compression_options={}) for _ in range(2)]
        me = (await next_of(ada, "welcome"))["me"]
        assert (await next_of(grace, "here"))["count"] == 2
        await ada.write_message("<b>hello</b> ✓")
        for socket in (ada, grace):
            said = await next_of(socket, "said")
            assert (said["author"], said["text"]) == (me, "<b>hello</b> ✓")
        late = await websocket_connect(url)
        assert [said["text"] for said in (await next_of(late, "welcome"))["history"]] == ["<b>hello</b> ✓"]
        await leave(late)
        await ada.write_message("x" * 2001)
        while await ada.read_message() is not None:
            pass
        assert ada.close_code == 1009
        await leave(grace)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_page_of_another_origin_is_not_let_in(demo: Any) -> None:
    async def main() -> None:
        headers = {"Origin": "http://evil.example"}
        await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{demo.port}/socket", headers=headers))

    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(asyncio.wait_for(main(), 30))


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@needs_chromium
@pytest.mark.timeout(120)
def test_two_windows_of_a_browser(demo: Any, browser: Browser) -> None:
    complaints: list[str] = []

    def window() -> Page:
        page = browser.new_context().new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(demo.url)
        return page

    ada = window()
    expect(ada.get_by_role("status")).to_have_text("Only you are here")
    grace = window()
    expect(ada.get_by_role("status")).to_have_text("2 are here")
    ada.get_by_label("Message").fill("<b>hello</b>")
    ada.get_by_role("button", name="Send").click()
    expect(grace.locator(".text")).to_have_text(["<b>hello</b>"])
    expect(ada.locator(".message.mine .text")).to_have_text(["<b>hello</b>"])
    grace.reload()
    expect(grace.locator(".text")).to_have_text(["<b>hello</b>"])
    grace.close()
    expect(ada.get_by_role("status")).to_have_text("Only you are here")
    assert complaints == []
