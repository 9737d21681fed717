"""Topics as server-sent events."""

import asyncio

import pytest

from tests.core.channels.doors.asking import Open, serving, until
from zonda._core.base.limits import Limits
from zonda.channels import ChannelSSEHandler, Hub, Topic

TOPICS = [
    Topic("plain"),
    Topic("kept", history=1000),
    Topic("other", history=1000),
    Topic("room", presence=True),
    Topic("secret"),
    Topic("close", history=1000, queue_bytes=50_000),
    Topic("drop-oldest", queue_bytes=50_000, slow="drop-oldest"),
    Topic("latest", queue_bytes=50_000, slow="latest"),
]


def make_hub(**limits):
    return Hub("local://", TOPICS, limits=Limits(**limits))


def used(hub, topic):
    return topic in hub._channels and hub._channels[topic].used


def test_a_stream_has_a_head_that_nobody_keeps_or_holds_back(run):
    async def main():
        async with serving(make_hub(), compress_response=True) as served:
            stream = await served.stream({"topic": "plain"}, Accept_Encoding="gzip")
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream"
            assert stream.headers["cache-control"] == "no-store"
            assert stream.headers["x-accel-buffering"] == "no"
            assert "content-encoding" not in stream.headers
            assert await stream.object() == {"subscribed": "plain"}
            assert 500 <= stream.reader.retry <= 2000

    run(main())


def test_each_event_has_a_cursor_with_all_topics_of_the_stream(run):
    async def main():
        async with serving(make_hub()) as served:
            hub = served.hub
            epochs = [(await hub.publish(topic, 0)).epoch for topic in ("kept", "other")]
            one = await served.stream({"topic": "kept"})
            many = await served.stream([("topic", "kept"), ("topic", "other"), ("topic", "plain")])
            for stream in (one, many, many, many):
                assert "subscribed" in await stream.object()
            await hub.publish("kept", 1)
            await hub.publish("other", 2)
            await hub.publish("plain", 3)
            assert await one.event() == (
                {"topic": "kept", "data": 1, "position": f"{epochs[0]}:2"},
                f"kept={epochs[0]}:2",
            )
            ids = [set((await many.event())[1].split(",")) for _ in range(3)]
            kept, other = f"kept={epochs[0]}:2", f"other={epochs[1]}:"
            assert ids == [{kept, other + "1", "plain="}, {kept, other + "2", "plain="}, ids[1]]

    run(main())


def test_a_stream_of_one_topic_is_printed_once_for_all(run):
    async def main():
        async with serving(make_hub()) as served:
            streams = [await served.stream({"topic": "kept"}) for _ in range(3)]
            for stream in streams:
                await stream.object()
            seen = []
            hub = served.hub
            hub._channels["kept"]._subscribers[Spy(seen)] = False
            hub._channels["kept"]._targets = None
            await hub.publish("kept", 1)
            for stream in streams:
                assert (await stream.event())[0]["data"] == 1
            assert seen[0].forms.keys() == {"json", "sse"}
            assert b"\nid: " in b"\n" + seen[0].forms["sse"]

    run(main())


class Spy:
    def __init__(self, seen):
        self.seen = seen

    def deliver(self, event):
        self.seen.append(event)

    def ended(self):
        pass


def test_last_event_id_comes_before_the_cursor(run):
    async def main():
        async with serving(make_hub()) as served:
            positions = [await served.hub.publish("kept", n) for n in range(4)]
            query = {"topic": "kept", "cursor": f"kept={positions[0]}"}
            stream = await served.stream(query)
            assert (await stream.event())[1] == f"kept={positions[0]}"
            assert [(await stream.event())[0]["data"] for _ in range(3)] == [1, 2, 3]
            stream = await served.stream(query, Last_Event_ID=f"kept={positions[2]}")
            assert (await stream.object())["recovered"] is True
            assert (await stream.object())["data"] == 3

    run(main())


@pytest.mark.parametrize(
    "cursor", ["nonsense", "kept=x", "kept=a:1,", "a b=c:1", "kept=a:99999999999999999999"]
)
def test_a_cursor_that_is_none_is_told_and_everything_begins_anew(run, cursor):
    async def main():
        async with serving(make_hub()) as served:
            stream = await served.stream({"topic": "kept", "cursor": cursor})
            assert (await stream.object())["error"]["code"] in ("bad-cursor", "unknown-topic")
            told, id = await stream.event()
            assert told["subscribed"] == "kept" and "recovered" not in told
            assert id == f"kept={told['position']}"

    run(main())


def test_a_cursor_that_is_not_known_is_not_recovered(run):
    async def main():
        async with serving(make_hub()) as served:
            stream = await served.stream({"topic": "kept"}, Last_Event_ID="kept=gone:5")
            told, id = await stream.event()
            assert told["recovered"] is False
            assert id == f"kept={told['position']}"

    run(main())


def test_topics_that_are_refused_leave_the_others(run):
    async def main():
        async with serving(make_hub(channel_topics=2)) as served:
            topics = ["secret", "nowhere", "a b", "plain", "kept", "other"]
            stream = await served.stream([("topic", topic) for topic in topics])
            told = [await stream.object() for _ in topics]
            codes = {one["topic"]: one["error"]["code"] for one in told if "error" in one}
            assert codes["a b"] == "unknown-topic"
            assert codes["nowhere"] == "unknown-topic"
            assert codes["secret"] == "forbidden"
            assert set(codes.values()) == {"unknown-topic", "forbidden", "too-many"}
            assert sum("subscribed" in one for one in told) == 2

    run(main())


@pytest.mark.parametrize(
    ("query", "fields", "status", "code"),
    [
        ({}, {}, 400, "bad-request"),
        ({"topic": "plain", "presence": "room"}, {}, 400, "bad-request"),
        ({"topic": "plain", "client": "*"}, {}, 400, "bad-request"),
        ({"topic": "plain"}, {"Origin": "http://evil.example"}, 403, "forbidden"),
    ],
)
def test_what_is_no_request_for_a_stream(run, query, fields, status, code):
    async def main():
        async with serving(make_hub()) as served:
            answer = await served.ask(query, Accept="text/event-stream", **fields)
            assert (answer.status, answer.code) == (status, code)
            assert (await served.stream({"topic": "plain"}, Origin="http://localhost")).status == 200

    run(main())


def test_presence_lasts_as_long_as_the_stream(run):
    async def main():
        async with serving(make_hub()) as served:
            ada = await served.stream({"topic": "room", "presence": "room", "client": "ada"})
            assert await ada.object() == {"subscribed": "room"}
            assert (await ada.object())["members"] == [{"client": "ada", "info": None}]
            bob = await served.stream({"topic": "room", "client": "bob"})
            assert (await ada.object())["joined"]["client"] == "bob"
            bob.connection.close()
            assert (await ada.object())["left"]["client"] == "bob"

    run(main())


def test_a_client_that_goes_is_detached_at_once(run):
    async def main():
        async with serving(make_hub()) as served:
            stream = await served.stream({"topic": "plain"})
            await stream.object()
            assert used(served.hub, "plain")
            stream.connection.close()
            await until(lambda: not used(served.hub, "plain"))
            # One that is half-closed has gone too, and its answer ends.
            stream = await served.stream({"topic": "plain"})
            await stream.object()
            stream.connection.writer.write_eof()
            assert await stream.object() is None
            assert not used(served.hub, "plain")

    run(main())


def test_lines_of_comment_keep_it_alive(run):
    async def main():
        async with serving(make_hub(channel_keepalive=0.05)) as served:
            streams = [await served.stream({"topic": "plain"}) for _ in range(30)]
            for stream in streams:
                await stream.object()
            async with asyncio.timeout(5):
                for stream in streams:
                    for _ in range(2):
                        assert await stream.connection.chunk() == b": \n\n"
            for stream in streams:
                stream.connection.close()

    run(main())


def test_a_server_that_leaves_says_bye_and_ends_the_stream(run):
    async def main():
        async with serving(make_hub()) as served:
            position = await served.hub.publish("kept", 1)
            stream = await served.stream({"topic": "kept"})
            await stream.object()
            served.server.stop()
            draining = asyncio.ensure_future(served.server.drain(5))
            assert await stream.event() == ({"bye": True}, f"kept={position}")
            assert await stream.object() is None
            stream.connection.close()
            await draining
            assert not used(served.hub, "kept")

    run(main())


def test_a_hub_that_closes_says_bye(run):
    async def main():
        async with serving(make_hub()) as served:
            stream = await served.stream({"topic": "plain"})
            await stream.object()
            await served.hub.close()
            assert await stream.object() == {"bye": True}
            assert await stream.object() is None

    run(main())


def test_a_connection_that_carried_a_stream_is_good_for_another_request(run):
    async def main():
        async with serving(make_hub()) as served:
            stream = await served.stream({"topic": "plain"})
            await stream.object()
            await served.hub.close()
            while await stream.object():
                pass
            answer = await served.ask({}, connection=stream.connection)
            assert answer.status == 400

    run(main())


@pytest.mark.parametrize("policy", ["close", "drop-oldest", "latest"])
def test_a_client_that_does_not_read_meets_the_policy_and_takes_no_memory(run, policy):
    async def main():
        async with serving(make_hub()) as served:
            slow = await served.stream({"topic": policy}, slow=True)
            await until(lambda: served.made and used(served.hub, policy))
            (handler,) = served.made
            fast = await served.stream({"topic": policy})
            await fast.object()
            session = handler._door._session
            connection = handler.request.connection.connection
            largest = 0
            for n in range(300):
                await served.hub.publish(policy, [n, "x" * 5000])
                assert (await fast.object())["data"][0] == n
                lanes = sum(lane.size for lane in session._waiting._lanes.values())
                largest = max(largest, connection.unsent() + lanes)
            assert largest <= 65536 + 5200 + 50_000 + 5200
            slow.connection.wake()
            await slow.connection.head()
            numbers, gaps, id = [], 0, ""
            while not numbers or numbers[-1] != 299:
                event = await slow.event()
                if event is None:
                    break
                told, id = event
                gaps += "gap" in told
                numbers += [told["data"][0]] if "data" in told else []
            if policy == "close":
                assert numbers == list(range(len(numbers))) and 0 < len(numbers) < 100 and not gaps
                back = await served.stream({"topic": policy}, Last_Event_ID=id)
                assert (await back.object())["recovered"] is True
                assert (await back.object())["data"][0] == len(numbers)
            else:
                assert numbers[-1] == 299 and numbers == sorted(numbers)
                assert gaps == 1 and len(numbers) < 100

    run(main())


def test_a_handler_for_streams_alone(run):
    class Only(ChannelSSEHandler):
        def authorize(self, topic):
            return True

    async def main():
        async with serving(make_hub(), Only) as served:
            stream = await served.stream({"topic": "plain"}, Accept="*/*")
            assert await stream.object() == {"subscribed": "plain"}
            assert (await served.post({"presence": "room"})).json["members"] == []

    run(main())


def test_a_request_with_a_wrong_hook_costs_nobody_else(run, expect_log):
    class Broken(Open):
        async def authorize(self, topic):
            if topic == "secret":
                raise ValueError("no")
            return True

    logged = expect_log("zonda.application", "Uncaught exception in .*Broken.authorize")

    async def main():
        async with serving(make_hub(), Broken) as served:
            stream = await served.stream([("topic", "secret"), ("topic", "plain")])
            told = [await stream.object(), await stream.object()]
            assert {"subscribed": "plain"} in told
            assert [one["error"]["code"] for one in told if "error" in one] == ["unavailable"]

    run(main())
    assert len(logged.records) == 1
