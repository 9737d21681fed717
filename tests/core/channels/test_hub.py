"""The hub over a broker that the test holds in its hands: order, holes, recovery, loss, presence."""

import asyncio
from dataclasses import replace

import pytest

from tests.core.channels.fakes import FakeBroker, Remembering, settled
from tests.core.link.harness import until
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.channels.broker import Promises, Receiver
from zonda._core.channels.errors import (
    BrokerUnavailable,
    HubClosed,
    PayloadError,
    SlowSubscriber,
    TopicError,
    TopicRefused,
)
from zonda._core.channels.hub import Hub
from zonda._core.channels.message import Joined, Left, Member
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Topic

TOPICS = [Topic("plain"), Topic("kept", history=100), Topic("here", presence=True)]


class Running:
    """A hub on a fake broker, closed at the end."""

    def __init__(self, **limits: float) -> None:
        self.broker = FakeBroker()
        self.hub = Hub(self.broker, TOPICS, limits=replace(DEFAULT_LIMITS, **limits))

    async def __aenter__(self) -> tuple[Hub, FakeBroker]:
        return self.hub, self.broker

    async def __aexit__(self, *exception: object) -> None:
        if self.broker.gate is not None:
            self.broker.gate.set()
        await self.hub.close()


def test_without_history_our_own_get_it_at_once_and_the_broker_carries_it(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("plain", subscriber)
            assert await hub.publish("plain", "hello") == NOWHERE
            assert subscriber.told == ["begin  None", "hello"]
            assert broker.carried == [("plain", b'"hello"')]

    run(main())


def test_with_history_what_the_broker_says_comes_in_order(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            assert await hub.publish("kept", 1) == Position("a", 1)
            broker.say("2")
            assert subscriber.told == ["begin a:0 None", 1, "2"]

    run(main())


def test_what_comes_twice_is_given_once(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            first = broker.say("1")
            broker.live(first)
            broker.say("2")
            broker.live(first)
            assert subscriber.told == ["begin a:0 None", "1", "2"]

    run(main())


def test_a_hole_is_filled_before_what_follows_it(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            broker.keep("1")
            broker.say("2")
            broker.say("3")
            await settled()
            broker.say("4")
            assert subscriber.told == ["begin a:0 None", "1", "2", "3", "4"]

    run(main())


def test_what_comes_while_a_hole_is_filled_is_not_lost(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            broker.gate = asyncio.Event()
            broker.keep("1")
            broker.say("2")
            await settled()  # the history has been read by now, its answer is on its way
            broker.say("3")
            broker.keep("4")
            broker.say("5")
            broker.gate.set()
            await settled()
            assert subscriber.told == ["begin a:0 None", "1", "2", "3", "4", "5"]

    run(main())


def test_a_hole_that_cannot_be_filled_is_a_gap(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            broker.say("1")
            broker.lose_state()
            broker.say("lost")
            await settled()
            broker.say("2")
            assert subscriber.told == ["begin a:0 None", "1", "gap b:1 False", "2"]

    run(main())


def test_a_silent_loss_is_noticed_by_the_check(run):
    async def main() -> None:
        async with Running(channel_check_interval=0.02) as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            broker.keep("never delivered")
            seen = asyncio.Event()
            subscriber.on_event = lambda event: seen.set()
            await asyncio.wait_for(seen.wait(), 5)
            assert subscriber.told == ["begin a:0 None", "never delivered"]

    run(main())


def test_behind_an_interruption_what_was_missed_is_fetched(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            broker.keep("1")
            hub.resumed()
            await settled()
            assert subscriber.told == ["begin a:0 None", "1"]

    run(main())


def test_a_broker_that_is_down_loses_nothing_when_it_is_back(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            broker.down = True
            broker.keep("1")
            broker.say("2")
            await settled()
            assert subscriber.told == ["begin a:0 None"]
            broker.down = False
            hub.resumed()
            await settled()
            assert subscriber.told == ["begin a:0 None", "1", "2"]

    run(main())


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (Position("a", 2), ["begin a:4 True", "3", "4"]),
        (Position("a", 4), ["begin a:4 True"]),
        (Position("a", 0), ["begin a:4 True", "1", "2", "3", "4"]),
        (Position("a", 9), ["begin a:4 False"]),
        (Position("z", 2), ["begin a:4 False"]),
    ],
)
@pytest.mark.parametrize("known_here", [True, False])
def test_a_position_is_gone_on_from(run, since, told, known_here):
    async def main() -> None:
        async with Running() as (hub, broker):
            if known_here:
                await hub.attach("kept", Remembering())
                for text in "1234":
                    broker.say(text)
            else:
                for text in "1234":
                    broker.keep(text)
            subscriber = Remembering()
            await hub.attach("kept", subscriber, since)
            assert subscriber.told == told
            broker.say("5")
            assert subscriber.told == [*told, "5"]

    run(main())


def test_what_comes_while_somebody_catches_up_comes_once_and_in_order(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            other = Remembering()
            await hub.attach("kept", other)
            for text in "123":
                broker.keep(text)
            broker.gate = asyncio.Event()
            subscriber = Remembering()
            attaching = asyncio.ensure_future(hub.attach("kept", subscriber, Position("a", 1)))
            await settled()
            broker.say("4")
            await settled()
            broker.gate.set()
            await attaching
            broker.say("5")
            assert subscriber.told == ["begin a:4 True", "2", "3", "4", "5"]
            assert other.told == ["begin a:0 None", "1", "2", "3", "4", "5"]

    run(main())


def test_a_message_that_comes_while_a_topic_is_opened_is_not_lost(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.start()
            broker.gate = asyncio.Event()
            subscriber = Remembering()
            attaching = asyncio.ensure_future(hub.attach("kept", subscriber, Position("a", 0)))
            await settled()
            broker.gate.set()
            await settled(2)
            broker.say("1")
            await attaching
            await settled()
            assert subscriber.told[-1] == "1"
            assert subscriber.told.count("1") == 1

    run(main())


def test_who_leaves_while_attaching_is_told_nothing(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.start()
            broker.gate = asyncio.Event()
            subscriber = Remembering()
            attaching = asyncio.ensure_future(hub.attach("kept", subscriber))
            await settled()
            hub.detach("kept", subscriber)
            broker.gate.set()
            await attaching
            broker.say("1")
            assert subscriber.told == []

    run(main())


def test_a_failed_attach_leaves_nothing_behind_and_may_be_tried_again(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.start()
            broker.down = True
            subscriber = Remembering()
            with pytest.raises(BrokerUnavailable):
                await hub.attach("kept", subscriber)
            broker.down = False
            await hub.attach("kept", subscriber)
            assert subscriber.told == ["begin a:0 None"]

    run(main())


def test_a_start_that_failed_is_tried_again(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            broker.down = True
            with pytest.raises(BrokerUnavailable):
                await hub.publish("plain", 1)
            broker.down = False
            await hub.publish("plain", 1)
            assert broker.log.count("start") == 2

    run(main())


def test_a_topic_nobody_wants_is_left_after_a_while_and_may_be_wanted_again(run):
    async def main() -> None:
        async with Running(channel_linger=0.01) as (hub, broker):
            subscriber = Remembering()
            await hub.attach("kept", subscriber)
            hub.detach("kept", subscriber)
            assert broker.subscribed == {"kept"}
            await until(lambda: not broker.subscribed)
            await hub.attach("kept", subscriber)
            broker.say("1")
            assert subscriber.told[-1] == "1"

    run(main())


def test_a_key_is_published_once(run):
    async def main() -> None:
        async with Running() as (hub, _):
            subscriber = Remembering()
            await hub.attach("plain", subscriber)
            await hub.publish("plain", "new", idempotency_key="new")
            await hub.publish("plain", "old", idempotency_key="again")
            assert subscriber.told == ["begin  None", "new"]
            with pytest.raises(PayloadError, match="0 characters"):
                await hub.publish("plain", 1, idempotency_key="")

    run(main())


@pytest.mark.parametrize("data", [object(), {1, 2}, float("nan"), "x" * 1001, {"a": b"bytes"}])
def test_what_is_no_message_is_refused(run, data):
    async def main() -> None:
        async with Running(channel_message_bytes=1000) as (hub, broker):
            with pytest.raises(PayloadError):
                await hub.publish("plain", data)
            assert broker.carried == []

    run(main())


def test_bytes_are_bytes_and_json_is_json(run):
    async def main() -> None:
        async with Running() as (hub, _):
            subscriber = Remembering()
            await hub.attach("plain", subscriber)
            for data in (b"\xff\x00", {"a": [1, None, "ä"]}, "", None):
                await hub.publish("plain", data)
            assert subscriber.told[1:] == [b"\xff\x00", {"a": [1, None, "ä"]}, "", None]

    run(main())


def test_what_is_kept_can_be_read(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            for text in "123":
                broker.keep(text)
            assert [m.data for m in (await hub.history("kept", most=2)).messages] == ["2", "3"]
            behind = await hub.history("kept", "a:2")
            assert ([m.data for m in behind.messages], behind.top) == (["3"], Position("a", 3))
            assert (await hub.history("kept", "b:2")).recovered is False
            with pytest.raises(TopicError, match="has no history"):
                await hub.history("plain")

    run(main())


def test_an_unknown_topic_is_refused(run):
    async def main() -> None:
        async with Running() as (hub, _):
            for call in (hub.publish("other", 1), hub.attach("other", Remembering()), hub.presence("other")):
                with pytest.raises(TopicError, match="declared are: plain, kept, here"):
                    await call
            with pytest.raises(TopicError, match="no presence"):
                await hub.join("kept", "ada")

    run(main())


@pytest.mark.parametrize(
    ("topic", "promises", "fault"),
    [
        (Topic("t", history=1), Promises(reach="machines", history=False), "a history"),
        (Topic("t", presence=True), Promises(reach="machines", presence=False), "presence"),
        (Topic("t", history=1, durable=True), Promises(reach="machines"), "outlives"),
        (Topic("t", reach="machines"), Promises(reach="machine"), "reach='machines'"),
    ],
)
def test_a_topic_that_asks_for_more_is_refused_when_the_hub_is_made(topic, promises, fault):
    broker = FakeBroker()
    broker.promises = promises
    with pytest.raises(TopicRefused, match=f"topic t asks for .*{fault}.*FakeBroker does not promise"):
        Hub(broker, [topic])


def test_a_broker_that_turns_out_to_promise_less_is_closed(run):
    class Late(FakeBroker):
        async def start(self, receiver: Receiver) -> None:
            await super().start(receiver)
            self.promises = Promises(reach="machines", history=False)

    async def main() -> None:
        broker = Late()
        hub = Hub(broker, [Topic("t", history=1)])
        with pytest.raises(TopicRefused, match="topic t asks for a history"):
            await hub.start()
        await hub.close()
        assert broker.log == ["start", "close"]

    run(main())


def test_a_hub_stays_on_its_loop_and_is_closed_once(run):
    hub = Hub(FakeBroker(), TOPICS)
    run(hub.start())

    async def elsewhere() -> None:
        with pytest.raises(HubClosed, match="another event loop"):
            await hub.publish("plain", 1)
        await hub.close()
        await hub.close()
        with pytest.raises(HubClosed, match="the hub is closed"):
            await hub.start()

    run(elsewhere())


def test_closing_ends_subscriptions(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.attach("plain", subscriber)
            await hub.close()
            assert subscriber.told[-1] == "ended"
            assert broker.log[-1] == "close"

    run(main())


def test_closing_ends_subscriptions_that_are_beginning(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            subscriber = Remembering()
            await hub.start()
            broker.gate = asyncio.Event()
            beginning = asyncio.create_task(hub.attach("plain", subscriber))
            await until(lambda: broker.log[-1] == "subscribe plain")
            await hub.close()
            await asyncio.wait([beginning])
            assert subscriber.told == ["ended"]

    run(main())


# ---- presence


def test_who_watches_is_told_who_comes_and_goes(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            watching, not_watching = Remembering(), Remembering()
            broker.records = [Member("ada", None, "n1"), Member("ada", None, "n2")]
            await hub.attach("here", watching, watch=True)
            await hub.attach("here", not_watching)
            assert watching.beginning.members == [Member("ada", None, "n1")]
            for joined, client, node in [(True, "bob", "n1"), (False, "ada", "n1"), (False, "ada", "n2")]:
                hub.presence_changed("here", joined, Member(client, None, node))
            hub.node_gone("n1")
            assert watching.told[1:] == ["joined bob", "left ada", "left bob"]
            assert not_watching.told == ["begin  None"]

    run(main())


def test_what_changes_while_the_records_are_read_is_not_lost(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.attach("here", Remembering())
            broker.gate = asyncio.Event()
            watching = Remembering()
            attaching = asyncio.ensure_future(hub.attach("here", watching, watch=True))
            await settled()
            hub.presence_changed("here", True, Member("ada", None, "n1"))
            broker.gate.set()
            await attaching
            assert [member.client for member in watching.beginning.members] == ["ada"]

    run(main())


def test_a_record_lost_or_made_without_a_word_is_noticed_by_the_heartbeat(run):
    async def main() -> None:
        async with Running(presence_timeout=0.06) as (hub, broker):
            watching = Remembering()
            broker.records = [Member("ada", None, "n1")]
            await hub.attach("here", watching, watch=True)
            broker.records = [Member("bob", None, "n2")]
            await until(lambda: len(watching.told) >= 3)
            assert watching.told[1:] == ["left ada", "joined bob"]
            assert "heartbeat" in broker.log

    run(main())


def test_a_client_that_is_here_twice_is_recorded_once(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.join("here", "ada", {"name": "Ada"})
            await hub.join("here", "ada", {"name": "Ada"})
            hub.leave("here", "ada", {"name": "Ada"})
            await settled()
            assert [record.client for record in broker.records] == ["ada"]
            hub.leave("here", "ada", {"name": "Ada"})
            hub.leave("here", "ada", {"name": "Ada"})
            await settled()
            assert broker.records == []
            assert [word for word in broker.log if "ada" in word] == ["join ada", "leave ada"]

    run(main())


def test_leaving_and_joining_again_at_once_ends_in_being_here(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.join("here", "ada")
            hub.leave("here", "ada")
            await hub.join("here", "ada")
            await settled()
            assert [record.client for record in broker.records] == ["ada"]

    run(main())


def test_records_are_made_again_behind_an_interruption(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            await hub.join("here", "ada")
            broker.records = []
            hub.resumed()
            await settled()
            assert [record.client for record in broker.records] == ["ada"]

    run(main())


def test_a_record_that_could_not_be_removed_is_removed_later(run):
    async def main() -> None:
        async with Running(presence_timeout=0.06) as (hub, broker):
            await hub.join("here", "ada")
            broker.down = True
            hub.leave("here", "ada")
            await settled()
            broker.down = False
            await until(lambda: not broker.records)

    run(main())


# ---- as an iterator


def test_a_loop_over_a_topic(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            got = []
            async with hub.subscribe("kept", since="a:0") as subscription:
                assert subscription.recovered is True
                broker.say("1")
                broker.say("2")
                async for message in subscription:
                    got.append(message.data)
                    if len(got) == 2:
                        break
            assert got == ["1", "2"]
            assert subscription.position == Position("a", 2)
            broker.say("3")
            assert not hub._channels["kept"]._subscribers

    run(main())


def test_leaving_a_loop_ends_its_subscription(run):
    async def main() -> None:
        async with Running() as (hub, broker):
            broker.keep("1")
            async for message in hub.subscribe("kept", since="a:0"):
                assert message.data == "1"
                break
            await settled()
            assert not hub._channels["kept"]._subscribers

    run(main())


def test_a_loop_with_presence_sees_who_comes_and_goes(run):
    async def main() -> None:
        async with Running() as (hub, _):
            async with hub.subscribe("here", presence=True) as subscription:
                member = Member("ada", None, "n1")
                hub.presence_changed("here", True, member)
                hub.presence_changed("here", False, member)
                got = []
                async for event in subscription:
                    got.append(event)
                    if len(got) == 2:
                        break
                assert got == [Joined("here", member), Left("here", member)]

    run(main())


def test_a_loop_that_is_too_slow_is_told_behind_what_it_can_still_get(run):
    async def main() -> None:
        broker = FakeBroker()
        hub = Hub(broker, [Topic("kept", history=100, queue_bytes=350)])
        got = []
        with pytest.raises(SlowSubscriber, match="more than 350 bytes of topic kept"):
            async with hub.subscribe("kept") as subscription:
                for text in "123456":
                    broker.say(text)
                async for message in subscription:
                    got += [message.data]
        assert got == ["1", "2", "3"]
        async with hub.subscribe("kept", since=subscription.position) as again:
            assert again.recovered is True
        await hub.close()

    run(main())


def test_a_loop_ends_with_its_hub(run):
    async def main() -> None:
        async with Running() as (hub, _):
            subscription = hub.subscribe("kept")

            async def loop() -> int:
                return len([event async for event in subscription])

            looping = asyncio.ensure_future(loop())
            await settled()
            await hub.close()
            assert await looping == 0

    run(main())
