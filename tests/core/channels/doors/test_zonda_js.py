"""`zonda.js` in headless Chromium, against a stand-in for the server that has faults on demand."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Page

import zonda._core.channels.doors
from tests.browsing import chromium, needs_chromium
from tests.core.channels.doors.standin import Page as Blank
from tests.core.channels.doors.standin import Standin
from zonda.web import StaticFileHandler

DOORS = Path(zonda._core.channels.doors.__file__).parent

pytestmark = [needs_chromium, pytest.mark.timeout(120)]

#: Times short enough for tests, long enough for a busy machine.
OPEN = """async (options) => {
    const { Channels } = await import("/zonda.js");
    window.seen = [];
    window.states = [];
    window.channels = new Channels("/channels", { timeout: 2000, backoff: [20, 100], ...options });
    channels.on("state", (s) => states.push(s.transport ?? s.state));
    channels.on("error", (e) => seen.push(["error", e.code]));
    window.follow = (topic, options = {}) => channels.subscribe(topic, {
        message: (m) => seen.push(m.data instanceof Uint8Array ? ["bytes", ...m.data] : m.data),
        gap: (g) => seen.push(["gap", g.position ?? null, g.recovered]),
        joined: (m) => seen.push(["joined", m.client]),
        left: (m) => seen.push(["left", m.client]),
        members: (all) => seen.push(["members", ...all.map((m) => m.client)]),
        error: (e) => seen.push(["error", e.code, e.topic]),
        ...options,
    });
    if (options.topic) follow(options.topic);
}"""

T = TypeVar("T")


class Stage:
    """A page with channels open, and the stand-in, which lives on a loop in another thread."""

    def __init__(self, page: Page, standin: Standin, url: str, do: Callable[[Callable[[], Any]], Any]):
        self.page = page
        self.standin = standin
        self.url = url
        self.do = do

    def open(self, **options: Any) -> None:
        """A fresh page.  `topic`: one that is subscribed to before anything is connected."""
        self.page.goto(self.url)
        self.page.evaluate(OPEN, options)

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)

    def start(self, script: str) -> None:
        """Runs, and waits for nothing."""
        self.page.evaluate(f"void ({script})")

    def until(self, script: str) -> None:
        self.page.wait_for_function(script, polling=10, timeout=20_000)

    def publish(self, topic: str, *data: Any) -> None:
        self.do(lambda: [self.standin.publish(topic, one) for one in data])

    def expect(self, *seen: Any) -> None:
        """Exactly this was seen, in this order."""
        try:
            self.page.wait_for_function(f"seen.length >= {len(seen)}", polling=10, timeout=20_000)
        finally:
            assert self.run("seen") == list(seen)

    def follow(self, topic: str, options: str = "{}") -> None:
        """Subscribes, and waits until that has begun."""
        self.run(
            f"""new Promise((done) => {{
                window.sub = follow({topic!r}, {{ subscribed: done, ...{options} }});
            }})"""
        )

    def wait_listening(self, topic: str) -> None:
        self.wait(lambda: any(topic in listener.topics for listener in self.standin.listeners))

    def wait(self, condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            if self.do(condition):
                return
            self.page.wait_for_timeout(20)
        pytest.fail("waited for 20 seconds")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def stage(browser: Browser, expect_log: Callable[..., Any]) -> Iterator[Stage]:
    expect_log("zonda.access", r"50[23] (GET|POST) /channels|403 POST /channels", required=False)
    standin = Standin()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    end = asyncio.Event()
    url = ""

    async def serve() -> None:
        nonlocal url
        more = ("/(zonda.js)", StaticFileHandler, {"path": DOORS})
        async with standin.serving(more, ("/", Blank)) as url:
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()

    def do(call: Callable[[], T]) -> T:
        async def there() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(there(), loop).result(20)

    context = None
    try:
        assert ready.wait(20)
        context = browser.new_context()
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Stage(page, standin, url, do)
        assert complaints == []
    finally:
        if context is not None:
            context.close()
        loop.call_soon_threadsafe(end.set)
        thread.join(20)
        loop.close()


#: What blocks all transports better than a given one.
FAULTS: list[tuple[str, dict[str, str]]] = [
    ("websocket", {}),
    ("sse", {"websocket": "refuse"}),
    ("sse", {"websocket": "silent"}),
    ("poll", {"websocket": "refuse", "sse": "refuse"}),
    ("poll", {"websocket": "refuse", "sse": "silent"}),
]


def ids(fault: Any) -> str:
    return "-".join(f"{way}-{what}" for way, what in fault.items()) if isinstance(fault, dict) else str(fault)


@pytest.mark.parametrize(("way", "faults"), FAULTS, ids=ids)
def test_the_best_transport_that_works_is_taken(stage: Stage, way: str, faults: dict[str, str]) -> None:
    stage.standin.faults.update(faults)
    stage.open()
    stage.follow("room")
    assert stage.run("[channels.state, channels.transport]") == ["open", way]
    stage.publish("room", "a", {"b": [1, "ä\u2028😀"]}, b"\0\xff", None)
    stage.expect("a", {"b": [1, "ä\u2028😀"]}, ["bytes", 0, 255], None)
    assert stage.run("sub.position") == "e1:4"
    assert stage.run("channels.publish('room', 'c')") == "e1:5"
    assert stage.run("channels.publish('room', new Uint8Array([1, 254]))") == "e1:6"
    assert stage.run("channels.publish('live', 'd')") is None
    stage.expect("a", {"b": [1, "ä\u2028😀"]}, ["bytes", 0, 255], None, "c", ["bytes", 1, 254])
    published = {by for by, _ in stage.standin.commands("publish")}
    assert published == {"websocket" if way == "websocket" else "post"}
    client = stage.run("channels.client")
    assert re.fullmatch("[0-9a-f]{24}", client)
    assert {query["client"] for _, query in stage.standin.asked if "client" in query} == {client}
    assert client in stage.run("channels.presence('room')")[0]["client"]


WAYS = ["websocket", "sse", "poll"]


@pytest.fixture(params=WAYS)
def open_stage(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    stage.open(transports=[request.param])
    return stage


def test_a_topic_resumes_where_it_was_cut(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("room")
    stage.run("window.other = follow('other')")
    stage.wait_listening("other")
    stage.publish("room", 1, 2)
    stage.expect(1, 2)

    def cut() -> None:
        stage.standin.cut()
        stage.standin.publish("room", 3)
        stage.standin.publish("other", "x")

    stage.do(cut)
    stage.until("seen.length >= 4")
    stage.publish("room", 4)
    stage.until("seen.length >= 5")
    seen = stage.run("seen")
    assert [one for one in seen if one != "x"] == [1, 2, 3, 4] and seen.count("x") == 1
    assert stage.run("[sub.position, other.position]") == ["e1:4", "e1:1"]


def test_a_position_resumes_over_another_transport(stage: Stage) -> None:
    stage.publish("room", 1, 2, 3, 4)
    for number, way in enumerate(WAYS, 1):
        stage.open(transports=[way])
        stage.follow("room", f"{{ since: 'e1:{number}' }}")
        stage.expect(*range(number + 1, 5))


def test_what_comes_twice_is_told_once(open_stage: Stage) -> None:
    stage = open_stage
    stage.do(lambda: setattr(stage.standin, "twice", True))
    stage.follow("room")
    stage.publish("room", 1, 2)
    stage.expect(1, 2)
    stage.run("channels.publish('room', 3)")
    stage.expect(1, 2, 3)


def test_a_lost_history_is_told(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("room")
    stage.publish("room", 1, 2)
    stage.expect(1, 2)

    def lose() -> None:
        stage.standin.cut()
        stage.standin.lose()
        stage.standin.publish("room", "unseen")

    stage.do(lose)
    stage.expect(1, 2, ["gap", "e2:1", False])
    stage.publish("room", 3)
    stage.expect(1, 2, ["gap", "e2:1", False], 3)


def test_a_gap_moves_the_position(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("room")
    gap = {"gap": True, "position": "e1:3", "recovered": True}
    stage.wait_listening("room")
    stage.do(lambda: stage.standin.tell("room", gap))
    stage.expect(["gap", "e1:3", True])
    assert stage.run("sub.position") == "e1:3"


def test_who_comes_and_goes(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("room", "{ presence: true }")
    me = stage.run("channels.client")
    stage.until("seen.length")
    assert stage.run("seen[0]") == ["members", me]
    stage.do(lambda: stage.standin.tell("room", {"joined": {"client": "ada", "info": None}}))
    stage.until("seen.length >= 2")
    stage.wait_listening("room")
    stage.do(lambda: stage.standin.tell("room", {"left": {"client": "ada", "info": None}}))
    stage.expect(["members", me], ["joined", "ada"], ["left", "ada"])


def test_topics_come_and_go_on_one_connection(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("a")
    stage.run("window.a = sub")
    stage.follow("b")
    stage.publish("a", "a1")
    stage.until("seen.length >= 1")
    stage.publish("b", "b1")
    stage.until("seen.length >= 2")
    stage.run("a.unsubscribe()")
    stage.wait(lambda: [*stage.standin.listeners] != [] and all(
        listener.topics == {"b"} for listener in stage.standin.listeners
    ))  # fmt: skip
    stage.publish("a", "a2")
    stage.publish("b", "b2")
    stage.expect("a1", "b1", "b2")
    stage.run("window.more = follow('a', { since: a.position })")
    stage.expect("a1", "b1", "b2", "a2")


def test_a_topic_is_subscribed_to_again_from_elsewhere(open_stage: Stage) -> None:
    stage = open_stage
    stage.publish("room", 1, 2, 3)
    stage.follow("room")
    stage.run("sub.unsubscribe(); sub.unsubscribe(); follow('room', { since: 'e1:1' })")
    stage.expect(2, 3)


def test_a_refused_topic_ends_alone(open_stage: Stage) -> None:
    stage = open_stage
    stage.standin.forbidden.add("secret")
    stage.run("follow('secret')")
    stage.follow("room")
    stage.expect(["error", "forbidden", "secret"])
    stage.publish("room", 1)
    stage.expect(["error", "forbidden", "secret"], 1)
    assert stage.run("channels.publish('secret', 1).catch((e) => [e.name, e.code, e.topic, e.message])") == [
        "ChannelError", "forbidden", "secret", "you may not write secret",
    ]  # fmt: skip


def test_what_is_unavailable_is_asked_for_again(open_stage: Stage) -> None:
    stage = open_stage
    stage.do(lambda: setattr(stage.standin, "unavailable", 1))
    stage.follow("room")
    assert stage.run("seen") == [["error", "unavailable", "room"]]
    stage.do(lambda: setattr(stage.standin, "unavailable_commands", 2))
    assert stage.run("channels.publish('room', 1, { key: 'k' })") == "e1:1"
    assert len(stage.standin.commands("publish")) == 3


def test_a_publication_is_sent_again_with_its_key(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("room")
    stage.do(lambda: setattr(stage.standin, "unanswered", 2))
    assert stage.run("channels.publish('room', 1)") == "e1:1"
    assert stage.run("channels.publish('room', 2, { key: 'mine' })") == "e1:2"
    stage.expect(1, 2)
    keys = [command["key"] for _, command in stage.standin.commands("publish")]
    assert len(keys) == 4 and keys[0] == keys[1] == keys[2] != keys[3] == "mine"
    assert len(stage.standin.histories["room"]) == 2


def test_publications_wait_for_a_connection_in_their_order(open_stage: Stage) -> None:
    stage = open_stage
    positions = stage.run("Promise.all([1, 2, 3, 4, 5].map((n) => channels.publish('room', n)))")
    assert positions == [f"e1:{n}" for n in range(1, 6)]
    assert [message["data"] for message in stage.standin.histories["room"]] == [1, 2, 3, 4, 5]


def test_what_waits_for_answers_is_bounded(stage: Stage) -> None:
    stage.standin.faults["websocket"] = "refuse"
    stage.standin.post_status = 502
    stage.open(queue=2, publishTimeout=300)
    code = "(e) => [e.code, e.message]"
    assert stage.run(f"Promise.all([1, 2, 3].map((n) => channels.publish('room', n).catch({code})))") == [
        ["unavailable", "no answer within 0.3 seconds"],
        ["unavailable", "no answer within 0.3 seconds"],
        ["too-many", "2 commands wait for answers, no more are allowed"],
    ]


def test_a_server_that_leaves_is_asked_again_at_once(open_stage: Stage) -> None:
    stage = open_stage
    stage.run("channels._options.backoff = [60_000, 60_000]")
    stage.follow("room")
    stage.publish("room", 1)
    stage.expect(1)
    stage.do(stage.standin.leave)
    stage.wait_listening("room")
    stage.publish("room", 2)
    stage.expect(1, 2)
    assert stage.run("states").count("connecting") == 1


def test_a_better_transport_is_tried_again_and_remembered(stage: Stage) -> None:
    stage.standin.faults.update(websocket="refuse", sse="refuse")
    stage.open(better=100)
    stage.follow("room")
    # Between two tries of a better one there may be none for a moment.
    stage.until("channels.transport === 'poll'")
    stage.publish("room", 1)
    stage.expect(1)
    stage.do(lambda: stage.standin.faults.pop("sse"))
    stage.until("channels.transport === 'sse'")
    # The page that comes next begins with what worked.  The one before goes on trying until it is left.
    stage.open(better=100)
    stage.follow("room", "{ since: 'e1:0' }")
    client = stage.run("channels.client")
    ways = [way for way, query in stage.standin.asked if query.get("client") == client]
    assert ways[0] == "sse"
    stage.expect(1)
    stage.do(lambda: stage.standin.faults.pop("websocket"))
    stage.until("channels.transport === 'websocket'")
    stage.wait_listening("room")
    stage.publish("room", 2)
    stage.expect(1, 2)
    assert stage.run("states") == ["sse", "websocket"]


@pytest.mark.parametrize("way", ["websocket", "sse"])
def test_a_transport_that_falls_silent_is_left(stage: Stage, way: str) -> None:
    """Nothing arrives any more, and nothing says so."""
    stage.open(timeout=200, transports=[way, "poll"])
    stage.follow("room")
    stage.do(lambda: stage.standin.faults.update({way: "silent"}))
    stage.run("channels._link.heard = 1")
    stage.until("states.includes('connecting')")
    stage.until("channels.state === 'open'")


def test_a_page_that_wakes_up_asks_whether_it_is_connected(stage: Stage) -> None:
    stage.open(timeout=300)
    stage.follow("room")
    stage.do(lambda: stage.standin.faults.update(websocket="silent"))
    stage.run("dispatchEvent(new Event('online'))")
    stage.until("channels.transport === 'sse'")


def test_waking_up_ends_the_wait(stage: Stage) -> None:
    stage.standin.faults.update(dict.fromkeys(WAYS, "refuse"))
    stage.open(topic="room", backoff=[60_000, 60_000])
    stage.wait(lambda: {"websocket", "sse", "poll"} <= {way for way, _ in stage.standin.asked})
    stage.until("Boolean(channels._wakeUp)")
    stage.do(stage.standin.faults.clear)
    stage.run("document.dispatchEvent(new Event('visibilitychange'))")
    stage.until("channels.state === 'open'")


def test_a_page_goes_into_the_cache_and_comes_back(stage: Stage) -> None:
    stage.open()
    stage.follow("room")
    stage.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    stage.wait(lambda: not stage.standin.listeners)
    stage.publish("room", 1)
    stage.run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    stage.expect(1)


def test_the_end(open_stage: Stage) -> None:
    stage = open_stage
    stage.follow("room")
    stage.do(lambda: setattr(stage.standin, "unavailable_commands", 1000))
    code = "(e) => e.code"
    last = stage.run(f"(window.last = channels.publish('room', 1).catch({code}), channels.close(), last)")
    assert last == "closed"
    stage.wait(lambda: not stage.standin.listeners)
    assert stage.run("[channels.state, channels.transport, ...states]")[:2] == ["closed", None]
    assert stage.run(f"channels.publish('room', 1).catch({code})") == "closed"
    assert stage.run("(() => { try { follow('x'); } catch (e) { return e.code; } })()") == "closed"


def test_a_post_carries_cookie_and_headers(stage: Stage) -> None:
    stage.open(transports=["poll"], headers={"X-Token": "t"})
    stage.run("document.cookie = '_xsrf=2|ab|cd'")
    stage.run("channels.publish('room', 1)")
    assert stage.standin.asked[-1][1]["xsrf"] == "2|ab|cd"


def test_an_answer_from_somebody_in_between(stage: Stage) -> None:
    stage.open(transports=["sse"])
    stage.do(lambda: setattr(stage.standin, "post_status", 403))
    assert stage.run("channels.publish('room', 1).catch((e) => [e.code, e.message])") == [
        "forbidden", "HTTP 403",
    ]  # fmt: skip
    stage.do(lambda: setattr(stage.standin, "post_status", 502))
    stage.start("window.position = channels.publish('room', 1)")
    stage.wait(lambda: len(stage.standin.commands("publish")) >= 3)
    stage.do(lambda: setattr(stage.standin, "post_status", 0))
    assert stage.run("position") == "e1:1"


def test_a_fault_of_the_page_stops_nothing(stage: Stage) -> None:
    stage.open()
    stage.start("window.reportError = (e) => seen.push(['reported', e.message])")
    stage.follow("room", "{ message(m) { throw new Error(m.data); } }")
    stage.publish("room", "a", "b")
    stage.expect(["reported", "a"], ["reported", "b"])
