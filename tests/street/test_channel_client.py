"""The client of channels, against the stand-in for their server that the browser's client is proven with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.core.channels.doors.standin import Standin
from tests.core.net.loops import FACTORIES, Run, runner
from zonda._channel_client.client import ChannelClient, connect
from zonda._channel_client.subscription import ChannelSubscription
from zonda._channel_client.transport import pause
from zonda._core.base.limits import Limits
from zonda._core.channels.errors import (
    BadRequest,
    BrokerUnavailable,
    ChannelError,
    CursorError,
    Forbidden,
    PayloadError,
    TooMany,
    TopicError,
)
from zonda._core.channels.message import Event, Gap, Joined, Left, Member, Message
from zonda._core.channels.position import NOWHERE, Position

#: Short enough for tests, long enough for a busy machine.
LIMITS: dict[str, Any] = {"channel_answer_timeout": 2.0, "channel_retry": 0.01, "channel_retry_most": 0.1}
WAYS = ["websocket", "sse", "poll"]


@pytest.fixture(params=FACTORIES)
def run(request: pytest.FixtureRequest, expect_log: Callable[..., Any]) -> Run:
    expect_log("zonda.access", r"(403|50[23]) (GET|POST) /channels", required=False)
    return runner(FACTORIES[request.param])


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def on_stage(run: Run) -> Callable[..., None]:
    """Runs a test with a stand-in and a client of it."""

    def go(
        test: Callable[[Standin, ChannelClient], Coroutine[Any, Any, None]], *ways: str, **limits: Any
    ) -> None:
        async def main() -> None:
            standin = Standin()
            async with client_of(standin, *ways, **limits) as client:
                await test(standin, client)

        run(main())

    return go


@asynccontextmanager
async def client_of(standin: Standin, *ways: str, **limits: Any) -> AsyncIterator[ChannelClient]:
    async with standin.serving() as url:
        own = Limits(**{**LIMITS, **limits})
        async with connect(f"{url}/channels", transports=ways or WAYS, limits=own) as client:
            yield client


class Following:
    """A loop over a topic, in a Task of its own, and what it was given."""

    def __init__(self, subscription: ChannelSubscription) -> None:
        self.subscription = subscription
        self.events: list[Event] = []
        self.task = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        async for event in self.subscription:
            self.events.append(event)

    @property
    def data(self) -> list[Any]:
        return [event.data if isinstance(event, Message) else event for event in self.events]

    async def expect(self, *data: Any) -> None:
        """Exactly this was given, in this order."""
        await until(lambda: len(self.events) >= len(data))
        assert self.data == list(data)


async def until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110 - of two programs; the bound is that of `run`
        await asyncio.sleep(0.005)


async def begun(standin: Standin, subscription: ChannelSubscription) -> None:
    """Until the server tells it what comes."""
    await until(lambda: subscription.live and subscription.topic in topics(standin))


def topics(standin: Standin) -> set[str]:
    return {topic for listener in standin.listeners for topic in listener.topics}


def test_entering_a_subscription_waits_until_it_has_begun(on_stage: Callable[..., None]) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        async with client.subscribe("room") as room:
            assert room.live
            standin.publish("room", 1)
            async for message in room:
                assert message.data == 1
                break

    on_stage(test)


def test_entering_a_subscription_does_not_wait_for_ever(on_stage: Callable[..., None]) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.faults.update(dict.fromkeys(("websocket", "sse", "poll"), "silent"))
        with pytest.raises(BrokerUnavailable, match=r"within 0\.2 seconds"):
            async with client.subscribe("room"):
                pass
        assert client.subscriptions == {}

    on_stage(test, channel_client_timeout=0.2)


@pytest.mark.parametrize(
    ("way", "faults"),
    [
        ("websocket", {}),
        ("sse", {"websocket": "refuse"}),
        ("sse", {"websocket": "silent"}),
        ("poll", {"websocket": "refuse", "sse": "refuse"}),
        ("poll", {"websocket": "refuse", "sse": "silent"}),
    ],
)
def test_the_best_transport_that_works_is_taken(
    on_stage: Callable[..., None], way: str, faults: dict[str, str]
) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.faults.update(faults)
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        await until(lambda: client.transport == way)
        standin.publish("room", {"a": [1, "ä\u2028😀"]})
        standin.publish("room", b"\0\xff")
        await room.expect({"a": [1, "ä\u2028😀"]}, b"\0\xff")
        assert room.subscription.position == ("e1", 2)
        assert await client.publish("room", None) == ("e1", 3)
        assert await client.publish("room", b"\x01") == ("e1", 4)
        assert await client.publish("live", 1) == NOWHERE
        await room.expect({"a": [1, "ä\u2028😀"]}, b"\0\xff", None, b"\x01")
        posted = {by for by, _ in standin.commands("publish")}
        assert posted == {"websocket" if way == "websocket" else "post"}
        assert {query["client"] for _, query in standin.asked if "client" in query} == {client.client}
        await begun(standin, room.subscription)
        assert Member(client.client) in await client.presence("room")

    on_stage(test, channel_answer_timeout=0.5)


def test_a_topic_resumes_where_it_was_cut(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room, other = Following(client.subscribe("room")), Following(client.subscribe("other"))
        await begun(standin, other.subscription)
        standin.publish("room", 1)
        standin.publish("room", 2)
        await room.expect(1, 2)
        standin.cut()
        standin.publish("room", 3)
        standin.publish("other", "x")
        await room.expect(1, 2, 3)
        standin.publish("room", 4)
        await room.expect(1, 2, 3, 4)
        await other.expect("x")
        assert room.subscription.recovered is True

    on_stage(test, way)


def test_a_position_resumes_over_another_transport(run: Run) -> None:
    async def main() -> None:
        standin = Standin()
        for data in (1, 2, 3, 4):
            standin.publish("room", data)
        for number, way in enumerate(WAYS, 1):
            async with client_of(standin, way) as client:
                room = Following(client.subscribe("room", f"e1:{number}"))
                await room.expect(*range(number + 1, 5))

    run(main())


def test_what_comes_twice_is_given_once(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.twice = True
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        for data in (1, 2, 3):
            await client.publish("room", data)
        await room.expect(1, 2, 3)
        await client.publish("room", 4)
        await room.expect(1, 2, 3, 4)

    on_stage(test, way)


def test_a_lost_history_is_told(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.publish("room", 1)
        await room.expect(1)
        standin.cut()
        standin.lose()
        standin.publish("room", "unseen")
        await room.expect(1, Gap("room", Position("e2", 1), False))
        assert room.subscription.recovered is False
        assert room.subscription.position == ("e2", 1)
        await client.publish("room", 2)
        await room.expect(1, Gap("room", Position("e2", 1), False), 2)

    on_stage(test, way)


def test_a_gap_moves_the_position(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.tell("room", {"gap": True, "position": "e1:3", "recovered": True})
        await room.expect(Gap("room", Position("e1", 3), True))
        assert room.subscription.position == room.subscription.received == ("e1", 3)

    on_stage(test, way)


def test_who_comes_and_goes(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room", presence=True))
        await until(lambda: room.subscription.members)
        assert room.subscription.members == [Member(client.client)]
        await begun(standin, room.subscription)
        standin.tell("room", {"joined": {"client": "ada", "info": {"name": "Ada"}}})
        ada = Member("ada", {"name": "Ada"})
        await room.expect(Joined("room", ada))
        assert room.subscription.members == [Member(client.client), ada]
        await begun(standin, room.subscription)
        # She leaves while we are away.
        standin.cut()
        expected = [Joined("room", ada)]
        if way != "poll":
            expected.append(Left("room", ada))
        else:
            await begun(standin, room.subscription)
            standin.tell("room", {"left": {"client": "ada", "info": None}})
            expected.append(Left("room", Member("ada")))
        await room.expect(*expected)
        assert room.subscription.members == [Member(client.client)]

    on_stage(test, way)


def test_topics_come_and_go(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        a = Following(client.subscribe("a"))
        await begun(standin, a.subscription)
        b = Following(client.subscribe("b"))
        await begun(standin, b.subscription)
        standin.publish("a", 1)
        standin.publish("b", 2)
        await a.expect(1)
        await b.expect(2)
        a.subscription.close()
        await a.task
        await until(lambda: topics(standin) == {"b"})
        standin.publish("a", 3)
        standin.publish("b", 4)
        await b.expect(2, 4)
        again = Following(client.subscribe("a", a.subscription.position))
        await again.expect(3)
        with pytest.raises(BadRequest, match="subscribed to already"):
            client.subscribe("a")

    on_stage(test, way)


def test_a_topic_is_subscribed_to_again_from_elsewhere(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        for data in (1, 2, 3):
            standin.publish("room", data)
        async with client.subscribe("room") as first:
            await begun(standin, first)
        room = Following(client.subscribe("room", Position("e1", 1)))
        await room.expect(2, 3)

    on_stage(test, way)


def test_leaving_the_loop_ends_the_subscription(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.publish("room", 1)
        async with client.subscribe("room", "e1:0") as subscription:
            async for message in subscription:
                assert message.data == 1
                break
        await until(lambda: not topics(standin))
        assert client.subscriptions == {}

    on_stage(test, way)


def test_a_refused_topic_ends_alone(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.forbidden.add("secret")
        secret, room = Following(client.subscribe("secret")), Following(client.subscribe("room"))
        with pytest.raises(Forbidden, match="you may not read secret"):
            await secret.task
        await begun(standin, room.subscription)
        standin.publish("room", 1)
        await room.expect(1)
        with pytest.raises(Forbidden, match="you may not write secret"):
            await client.publish("secret", 1)

    on_stage(test, way)


def test_what_is_unavailable_is_asked_for_again(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.unavailable = 1
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.unavailable_commands = 2
        assert await client.publish("room", 1, key="k") == ("e1", 1)
        assert [command["key"] for _, command in standin.commands("publish")] == ["k"] * 3
        await room.expect(1)

    on_stage(test, way)


def test_a_publication_is_sent_again_with_its_key(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.unanswered = 2
        assert await client.publish("room", 1) == ("e1", 1)
        assert await client.publish("room", 2, key="mine") == ("e1", 2)
        await room.expect(1, 2)
        keys = [command["key"] for _, command in standin.commands("publish")]
        assert len(keys) == 4 and keys[0] == keys[1] == keys[2] != keys[3] == "mine"

    on_stage(test, way)


def test_publications_wait_for_a_connection_in_their_order(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        positions = await asyncio.gather(*(client.publish("room", n) for n in range(1, 30)))
        assert positions == [("e1", n) for n in range(1, 30)]
        assert [message["data"] for message in standin.histories["room"]] == list(range(1, 30))

    on_stage(test, way)


def test_commands_are_bounded_in_bytes_and_time(on_stage: Callable[..., None]) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.faults.update(dict.fromkeys(WAYS, "refuse"))
        client.subscribe("room")
        await until(lambda: len({way for way, _ in standin.asked}) == 3)
        results = await asyncio.gather(
            *(client.publish("room", "x" * 100) for _ in range(2)), return_exceptions=True
        )
        assert [type(result) for result in results] == [BrokerUnavailable, TooMany]
        # Of whichever transport it was tried with last.
        assert str(results[0]).startswith("no answer within 0.3 seconds: HTTP 502")
        assert "bytes of commands wait for answers: 200 are allowed" in str(results[1])

    on_stage(test, channel_client_timeout=0.3, channel_client_command_bytes=200)


def test_a_server_that_leaves_is_asked_again_at_once(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.publish("room", 1)
        await room.expect(1)
        await begun(standin, room.subscription)
        standin.leave()
        standin.publish("room", 2)
        await room.expect(1, 2)

    on_stage(test, way, channel_retry=60.0, channel_retry_most=60.0)


def test_a_better_transport_is_tried_again(on_stage: Callable[..., None]) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        standin.faults.update(websocket="refuse", sse="refuse")
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        await until(lambda: client.transport == "poll")
        standin.publish("room", 1)
        del standin.faults["sse"]
        await until(lambda: client.transport == "sse")
        standin.publish("room", 2)
        del standin.faults["websocket"]
        await until(lambda: client.transport == "websocket")
        standin.publish("room", 3)
        await room.expect(1, 2, 3)

    on_stage(test, channel_better_interval=0.05, channel_answer_timeout=0.4)


@pytest.mark.parametrize("way", ["websocket", "sse"])
def test_a_transport_that_falls_silent_is_left(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.faults[way] = "silent"
        await until(lambda: client.transport == "poll")

    on_stage(test, way, "poll", channel_answer_timeout=0.2, channel_keepalive=0.2)


def test_a_slow_loop_holds_the_server_back_and_publishing_goes_on(
    on_stage: Callable[..., None], way: str
) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        subscription = client.subscribe("room")
        await begun(standin, subscription)
        for number in range(300):
            standin.publish("room", f"{number}" + "x" * 10_000)
        await until(lambda: subscription.full)
        for _ in range(20):
            assert await client.publish("other", 1)
        assert subscription._bytes < 25_000
        room = Following(subscription)
        await until(lambda: len(room.events) == 300)
        assert [str(data).rstrip("x") for data in room.data] == [f"{number}" for number in range(300)]

    on_stage(test, way, channel_client_bytes=20_000)


def test_the_end_of_a_client(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        await begun(standin, room.subscription)
        standin.unavailable_commands = 1000
        publishing = asyncio.ensure_future(client.publish("room", 1))
        await until(lambda: standin.commands("publish"))
        await client.close()
        await room.task
        with pytest.raises(ChannelError, match="was closed"):
            await publishing
        with pytest.raises(ChannelError, match="is closed"):
            await client.publish("room", 1)
        with pytest.raises(ChannelError, match="is closed"):
            client.subscribe("room")
        assert client.transport is None
        await until(lambda: not standin.listeners)

    on_stage(test, way)


def test_nonsense_ends_the_connection_and_not_the_client(on_stage: Callable[..., None], way: str) -> None:
    async def test(standin: Standin, client: ChannelClient) -> None:
        room = Following(client.subscribe("room"))
        for nonsense in ({"data": 1, "position": "x"}, {"base64": "é"}, {"joined": 1}, {"error": 1}):
            await begun(standin, room.subscription)
            before = len(standin.asked)
            standin.tell("room", nonsense)
            await until(lambda before=before: len(standin.asked) > before)
        await begun(standin, room.subscription)
        await client.publish("room", 1)
        await room.expect(1)

    on_stage(test, way)


def test_what_can_be_seen_at_once_is_refused_at_once(run: Run) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        connect("ws://localhost/channels")
    with pytest.raises(ValueError, match="websocket, sse, poll; seen: \\['telepathy'\\]"):
        connect("http://localhost/channels", transports=["telepathy"])

    async def main() -> None:
        client = connect("http://localhost/channels")
        with pytest.raises(TopicError):
            client.subscribe("a b")
        with pytest.raises(CursorError):
            client.subscribe("a", "b")
        with pytest.raises(PayloadError):
            await client.publish("a", object())

    run(main())


def test_pauses_grow_up_to_their_bound_however_long_an_outage_lasts() -> None:
    limits = Limits(channel_retry=0.5, channel_retry_most=30.0)
    assert [pause(limits, tries) for tries in (0, 1, 5, 6, 100, 5000)] == [0.5, 1.0, 16.0, 30.0, 30.0, 30.0]
