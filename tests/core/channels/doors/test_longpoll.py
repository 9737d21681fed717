"""Topics by long polling."""

import asyncio

import pytest

from tests.core.channels.doors.asking import Open, serving, until
from zonda._core.base.limits import Limits
from zonda.channels import ChannelPollHandler, Hub, Topic

TOPICS = [
    Topic("plain"),
    Topic("kept", history=1000),
    Topic("room", presence=True),
    Topic("secret"),
]


def make_hub(**limits):
    return Hub("local://", TOPICS, limits=Limits(**limits))


def used(hub, topic):
    return topic in hub._channels and hub._channels[topic].used


async def waits(served, topic):
    """A poll has come, and waits."""
    await until(lambda: used(served.hub, topic))


def test_the_first_poll_is_answered_at_once_and_the_next_when_there_is_something(run):
    async def main():
        async with serving(make_hub()) as served:
            query = [("topic", "plain"), ("topic", "kept")]
            answer = await served.ask(query)
            assert answer.headers["content-type"] == "application/json; charset=UTF-8"
            assert answer.headers["cache-control"] == "no-store"
            assert "etag" not in answer.headers
            told = {one["subscribed"]: one for one in answer.json["messages"]}
            position = told["kept"]["position"]
            assert told == {
                "plain": {"subscribed": "plain"},
                "kept": {"subscribed": "kept", "position": position},
            }
            cursor = answer.json["cursor"]
            assert set(cursor.split(",")) == {"plain=", f"kept={position}"}
            for topic in ("plain", "kept"):
                poll = await served.begin([*query, ("cursor", cursor)])
                await waits(served, "plain")
                await waits(served, "kept")
                last = await served.hub.publish(topic, topic)
                answer = await served._answer(b"", poll)
                (told,) = answer.json["messages"]
                assert (told["topic"], told["data"]) == (topic, topic)
                assert not used(served.hub, "plain")
            # What comes between two polls is there for topics with history.
            await served.hub.publish("kept", "between")
            answer = await served.ask([*query, ("cursor", answer.json["cursor"])])
            assert [one["data"] for one in answer.json["messages"]] == ["between"]
            assert f"kept={last.epoch}:{last.offset + 1}" in answer.json["cursor"]

    run(main())


def test_who_does_not_wait_is_answered_at_once(run):
    async def main():
        async with serving(make_hub()) as served:
            cursor = (await served.ask({"topic": "plain"})).json["cursor"]
            for wait in ("0", "0.01"):
                answer = await served.ask({"topic": "plain", "cursor": cursor, "wait": wait})
                assert answer.json == {"messages": [], "cursor": "plain="}

    run(main())


def test_nobody_waits_longer_than_the_limit(run):
    async def main():
        async with serving(make_hub(channel_poll_wait=0.05)) as served:
            for wait in ({}, {"wait": "1000"}):
                answer = await served.ask({"topic": "plain", "cursor": "plain=", **wait})
                assert answer.json == {"messages": [], "cursor": "plain="}

    run(main())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "bad-request"),
        ({"topic": "plain", "wait": "long"}, "bad-request"),
        ({"topic": "plain", "wait": "-1"}, "bad-request"),
        ({"topic": "plain", "wait": "nan"}, "bad-request"),
        ({"topic": "plain", "presence": "room"}, "bad-request"),
        ({"topic": "plain", "client": "ä"}, "bad-request"),
    ],
)
def test_what_is_no_poll(run, query, code):
    async def main():
        async with serving(make_hub()) as served:
            answer = await served.ask(query)
            assert (answer.status, answer.code) == (400, code)

    run(main())


def test_a_page_from_elsewhere_may_not_poll(run):
    async def main():
        async with serving(make_hub()) as served:
            answer = await served.ask({"topic": "plain"}, Origin="http://evil.example")
            assert (answer.status, answer.code) == (403, "forbidden")

    run(main())


def test_errors_come_at_once_and_the_cursor_leaves_out_what_is_refused(run):
    async def main():
        async with serving(make_hub()) as served:
            topics = [("topic", name) for name in ("secret", "nowhere", "a b", "plain")]
            answer = await served.ask([*topics, ("cursor", "secret=,plain=,nowhere=a:1")])
            codes = {one["topic"]: one["error"]["code"] for one in answer.json["messages"]}
            assert codes == {"secret": "forbidden", "nowhere": "unknown-topic", "a b": "unknown-topic"}
            assert answer.json["cursor"] == "plain="

    run(main())


def test_a_cursor_that_is_none_or_not_known_is_told(run):
    async def main():
        async with serving(make_hub()) as served:
            answer = await served.ask({"topic": "kept", "cursor": "nonsense"})
            error, told = answer.json["messages"]
            assert error["error"]["code"] == "bad-cursor"
            assert "recovered" not in told
            assert answer.json["cursor"] == f"kept={told['position']}"
            (told,) = (await served.ask({"topic": "kept", "cursor": "kept=gone:3"})).json["messages"]
            assert told["recovered"] is False

    run(main())


def test_more_than_an_answer_holds_comes_with_the_next(run):
    async def main():
        async with serving(make_hub(channel_poll_bytes=1000)) as served:
            first = await served.hub.publish("kept", "x")
            for n in range(10):
                await served.hub.publish("kept", [n, "x" * 300])
            cursor, numbers, sizes = f"kept={first}", [], []
            while len(numbers) < 10:
                answer = await served.ask({"topic": "kept", "cursor": cursor})
                cursor = answer.json["cursor"]
                numbers += [one["data"][0] for one in answer.json["messages"]]
                sizes.append(len(answer.json["messages"]))
            assert numbers == list(range(10))
            assert sizes == [3, 3, 3, 1]

    run(main())


def test_a_client_that_goes_is_detached_at_once(run):
    async def main():
        async with serving(make_hub()) as served:
            poll = await served.begin({"topic": "plain", "cursor": "plain="})
            await waits(served, "plain")
            poll.close()
            await until(lambda: not used(served.hub, "plain"))

    run(main())


def test_a_client_that_goes_before_it_is_let_in_leaves_nothing(run):
    class Hangs(Open):
        ended = False

        async def authorize(self, topic):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.ended = True
                raise

    async def main():
        async with serving(make_hub(), Hangs) as served:
            poll = await served.begin({"topic": "plain"})
            await until(lambda: served.made and served.made[0]._door is not None)
            (handler,) = served.made
            poll.close()
            await until(lambda: handler.ended and handler._finished)

    run(main())


def test_a_client_between_two_polls_is_present(run):
    async def main():
        async with serving(make_hub(channel_poll_linger=0.8)) as served:
            watcher = await served.socket({"client": "watcher"})
            watcher.say({"subscribe": "room", "presence": True})
            for _ in range(2):
                await watcher.object()
            query = {"topic": "room", "presence": "room", "client": "ada"}
            answer = await served.ask(query)
            told = answer.json["messages"]
            assert told[0] == {"subscribed": "room"}
            assert {one["client"] for one in told[1]["members"]} == {"watcher", "ada"}
            for _ in range(5):
                answer = await served.ask({**query, "cursor": "room=", "wait": "0"})
                # Who is here is told each time: who came and went between two polls was told to nobody.
                assert [one["presence"] for one in answer.json["messages"]] == ["room"]
            assert (await watcher.object())["joined"]["client"] == "ada"
            # All the while nothing else; and then it has gone.
            assert (await watcher.object())["left"]["client"] == "ada"

    run(main())


def test_two_polls_of_a_client_at_once_are_one_presence(run):
    async def main():
        async with serving(make_hub(channel_poll_linger=0.05)) as served:
            query = {"topic": "room", "client": "ada", "cursor": "room="}
            polls = [await served.begin(query) for _ in range(2)]
            await until(lambda: len(served.hub._channels.get("room", NONE)._subscribers) == 2)
            await served.hub.publish("room", 1)
            for poll in polls:
                assert (await served._answer(b"", poll)).json["messages"][0]["data"] == 1
            members = await served.hub.presence("room")
            assert [member.client for member in members] == ["ada"]
            await until(lambda: not served.hub._broker._memory.members("room"))

    run(main())


class NONE:
    _subscribers = ()


def test_joins_are_told_while_a_poll_waits(run):
    async def main():
        async with serving(make_hub()) as served:
            query = {"topic": "room", "presence": "room", "client": "ada", "cursor": "room="}
            poll = await served.begin(query)
            await waits(served, "room")
            await served.ask({"topic": "room", "client": "bob"})
            answer = await served._answer(b"", poll)
            members, joined = answer.json["messages"]
            assert [one["client"] for one in members["members"]] == ["ada"]
            assert joined["joined"]["client"] == "bob"

    run(main())


def test_a_server_that_leaves_answers_at_once_with_bye(run):
    async def main():
        async with serving(make_hub()) as served:
            poll = await served.begin({"topic": "plain", "cursor": "plain="})
            await waits(served, "plain")
            served.server.stop()
            draining = asyncio.ensure_future(served.server.drain(5))
            answer = await served._answer(b"", poll)
            assert answer.json == {"messages": [{"bye": True}], "cursor": "plain="}
            poll.close()
            await draining

    run(main())


def test_a_hub_that_closes_says_bye(run):
    async def main():
        async with serving(make_hub()) as served:
            poll = await served.begin({"topic": "plain", "cursor": "plain="})
            await waits(served, "plain")
            await served.hub.close()
            assert (await served._answer(b"", poll)).json["messages"] == [{"bye": True}]

    run(main())


def test_a_handler_for_polls_alone(run):
    class Only(ChannelPollHandler):
        def authorize(self, topic):
            return True

    async def main():
        async with serving(make_hub(), Only) as served:
            answer = await served.ask({"topic": "plain"}, Accept="text/event-stream")
            assert answer.json["messages"] == [{"subscribed": "plain"}]

    run(main())
