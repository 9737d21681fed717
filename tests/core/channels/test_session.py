"""What a client may say, and what it is told, with a door that the test opens and shuts."""

import asyncio
import base64
import json
import re

import pytest

from tests.core.channels.fakes import FakeBroker, settled
from zonda._core.base.limits import Limits
from zonda._core.channels import objects
from zonda._core.channels.commands import Command
from zonda._core.channels.errors import BrokerUnavailable
from zonda._core.channels.hub import Hub
from zonda._core.channels.position import Position
from zonda._core.channels.session import Session, shown_id
from zonda._core.channels.topic import Topic

TOPICS = [
    Topic("plain"),
    Topic("kept", history=100),
    Topic("room", presence=True),
    Topic("slow", history=10, queue_bytes=2000),
    Topic("drops", history=100, queue_bytes=2000, slow="drop-oldest"),
    Topic("newest", queue_bytes=2000, slow="latest"),
    Topic("many.*"),
]


class FakeGate:
    """Allows everything but the topics named here."""

    def __init__(self):
        self.refused = set()
        self.asked = []
        self.info = None
        #: Where it is set, everybody waits for it.
        self.gate = None

    async def authorize(self, topic):
        self.asked.append(topic)
        if self.gate is not None:
            await self.gate.wait()
        return topic not in self.refused

    def authorize_publish(self, topic, data):
        self.asked.append((topic, data))
        return topic not in self.refused

    def presence_info(self, topic):
        return self.info


class FakeDoor:
    """Writes down what is sent; `room`: how many more the connection takes before it says that it is full."""

    form = "fake"

    def __init__(self, room=10**9):
        self.sent = []
        self.room = room
        self.renders = 0
        self.said = []

    def render(self, message):
        self.renders += 1
        return objects.message(message)

    def wrap(self, printed):
        return printed

    def send(self, printed):
        self.sent.append(json.loads(printed))
        self.room -= 1
        return self.room > 0

    def hold(self):
        self.said.append("hold")

    def overflow(self, reason):
        self.said.append(reason)

    def leave(self):
        self.said.append("leave")

    def taken(self):
        sent, self.sent = self.sent, []
        return sent


class Client:
    """A session and what stands around it."""

    def __init__(self, hub, *, client="me", gate=None, room=10**9, quiet=False):
        self.gate = gate or FakeGate()
        self.door = FakeDoor(room)
        self.session = Session(hub, hub, self.gate, self.door, client, quiet=quiet)

    async def say(self, *commands):
        """What it is told then."""
        for command in commands:
            self.session.receive(command if isinstance(command, str) else json.dumps(command))
        await settled(40)
        return self.door.taken()


def make_hub(broker="local://", **limits):
    return Hub(broker, TOPICS, limits=Limits(**limits))


# ---- commands that are none


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "bad-request", "no JSON"),
        ("nonsense", "bad-request", "no JSON"),
        ("[" * 100_000, "bad-request", "too deep|no JSON"),
        ("1" * 10_000, "bad-request", "no JSON"),
        ('{"publish":"plain","data":NaN}', "bad-request", "NaN is not in JSON"),
        ("[1]", "bad-request", "a JSON object, not an array"),
        ("null", "bad-request", "a JSON object, not null"),
        ('"x"', "bad-request", "a JSON object, not a text"),
        ("1", "bad-request", "a JSON object, not a number"),
        ("{}", "bad-request", "subscribe, unsubscribe, publish, presence, ping; seen: none"),
        ('{"shout":1}', "bad-request", "seen: shout"),
        ('{"subscribe":"plain","colour":1}', "bad-request", "no key colour; allowed: id, presence, since"),
        ('{"subscribe":"plain","publish":"plain"}', "bad-request", "no key publish"),
        ('{"subscribe":1}', "bad-request", "subscribe is a text, not a number"),
        ('{"subscribe":"plain","since":1}', "bad-request", "since is a text, not a number"),
        ('{"subscribe":"plain","presence":1}', "bad-request", "true or false, not a number"),
        ('{"subscribe":"plain","presence":true}', "bad-request", "has no presence"),
        ('{"subscribe":"kept","since":"x"}', "bad-cursor", "EPOCH:OFFSET"),
        ('{"subscribe":"a b"}', "unknown-topic", "no name of a topic"),
        ('{"subscribe":"\\ud800"}', "unknown-topic", "no name of a topic"),
        ('{"subscribe":"nowhere"}', "unknown-topic", "there is no topic nowhere$"),
        ('{"unsubscribe":"plain"}', "bad-request", "is not subscribed to"),
        ('{"publish":"nowhere","data":1}', "unknown-topic", "there is no topic nowhere$"),
        ('{"publish":"plain"}', "bad-request", "either data or base64"),
        ('{"publish":"plain","data":1,"base64":""}', "bad-request", "either data or base64"),
        ('{"publish":"plain","base64":"*"}', "bad-payload", "base64 cannot be decoded"),
        ('{"publish":"plain","base64":"é"}', "bad-payload", "base64 cannot be decoded"),
        ('{"publish":"plain","data":"\\ud800"}', "bad-payload", "JSON value"),
        ('{"publish":"plain","data":1,"key":""}', "bad-request", "is no key"),
        ('{"publish":"plain","data":1,"key":"\\u00e4"}', "bad-request", "is no key"),
        ('{"publish":"plain","data":1,"key":2}', "bad-request", "key is a text"),
        (json.dumps({"publish": "plain", "data": "x" * 1000}), "bad-payload", "1002 bytes: 1000 are allowed"),
        ('{"presence":"plain"}', "unknown-topic", "has no presence"),
        ('{"presence":"nowhere"}', "unknown-topic", "there is no topic"),
        ('{"ping":true,"id":[]}', "bad-request", "an id is a number .* seen: \\[\\]"),
        ('{"ping":true,"id":true}', "bad-request", "an id is a number"),
        ('{"ping":true,"id":1e300}', "bad-request", "an id is a number"),
        (json.dumps({"ping": True, "id": "x" * 65}), "bad-request", "an id is a number"),
    ],
)
def test_what_is_no_command_gets_an_error_and_nothing_else_happens(run, text, code, says):
    async def main():
        hub = make_hub(channel_message_bytes=1000)
        client = Client(hub)
        (told,) = await client.say(text)
        assert told["error"]["code"] == code
        assert re.search(says, told["error"]["message"]), told
        assert await client.say({"ping": True, "id": "x"}) == [{"pong": True, "id": "x"}]
        await hub.close()

    run(main())


def test_an_error_tells_id_and_topic_of_its_command(run):
    async def main():
        hub = make_hub()
        (told,) = await Client(hub).say({"subscribe": "plain", "colour": 1, "id": 1.5})
        assert (told["id"], told["topic"]) == (1.5, "plain")
        (told,) = await Client(hub).say('{"publish": "\\ud800", "data": 1, "id": "\\ud800"}')
        assert (told["id"], told["topic"]) == ("\ud800", "\ud800")
        await hub.close()

    run(main())


# ---- subscribing


def test_messages_come_from_subscribed_to_unsubscribed(run):
    async def main():
        hub = make_hub()
        client = Client(hub)
        (told,) = await client.say({"subscribe": "kept", "id": 7})
        epoch = told["position"].partition(":")[0]
        assert told == {"subscribed": "kept", "position": f"{epoch}:0", "id": 7}
        assert await client.say({"subscribe": "plain"}) == [{"subscribed": "plain"}]
        await hub.publish("kept", {"ä": [None]})
        await hub.publish("plain", b"\0\xff")
        assert client.door.taken() == [
            {"topic": "kept", "data": {"ä": [None]}, "position": f"{epoch}:1"},
            {"topic": "plain", "base64": "AP8="},
        ]
        assert client.session.cursor() == f"kept={epoch}:1,plain="
        assert await client.say({"unsubscribe": "kept", "id": 8}) == [{"unsubscribed": "kept", "id": 8}]
        await hub.publish("kept", 2)
        assert client.door.taken() == []
        assert client.session.cursor() == "plain="
        # And again.
        assert (await client.say({"subscribe": "kept"}))[0]["position"] == f"{epoch}:2"
        await hub.close()

    run(main())


def test_what_was_missed_follows_or_nothing_of_it(run):
    async def main():
        hub = make_hub()
        first = await hub.publish("kept", 1)
        await hub.publish("kept", 2)
        client = Client(hub)
        told = await client.say({"subscribe": "kept", "since": str(first)})
        assert told == [
            {"subscribed": "kept", "position": f"{first.epoch}:2", "recovered": True},
            {"topic": "kept", "data": 2, "position": f"{first.epoch}:2"},
        ]
        told = await Client(hub).say({"subscribe": "kept", "since": "other:1"})
        assert told == [{"subscribed": "kept", "position": f"{first.epoch}:2", "recovered": False}]
        told = await Client(hub).say({"subscribe": "plain", "since": "other:1"})
        assert told == [{"subscribed": "plain", "recovered": False}]
        await hub.close()

    run(main())


def test_the_cursor_stands_at_what_was_sent_while_what_was_missed_is_on_its_way(run):
    async def main():
        hub = make_hub()
        positions = [await hub.publish("kept", n) for n in range(5)]
        client = Client(hub, room=1)
        told = await client.say({"subscribe": "kept", "since": str(positions[0])})
        assert [one.get("position") for one in told] == [str(positions[4])]
        assert client.session.cursor() == f"kept={positions[0]}"
        client.door.room = 2
        client.session.writable()
        assert [one.get("data") for one in client.door.taken()] == [1, 2]
        assert client.session.cursor() == f"kept={positions[2]}"
        client.door.room = 1
        client.session.writable()
        assert client.session.cursor() == f"kept={positions[3]}"
        client.door.room = 10
        client.session.writable()
        assert [one.get("data") for one in client.door.taken()] == [3, 4]
        assert client.session.cursor() == f"kept={positions[4]}"
        await hub.close()

    run(main())


def test_a_subscription_is_one(run):
    async def main():
        hub = make_hub(channel_topics=2)
        client = Client(hub)
        await client.say({"subscribe": "plain"})
        (told,) = await client.say({"subscribe": "plain"})
        assert told["error"]["code"] == "bad-request"
        await client.say({"subscribe": "many.1"})
        (told,) = await client.say({"subscribe": "many.2"})
        assert told["error"] == {
            "code": "too-many",
            "message": "2 topics are subscribed to: no more are allowed",
        }
        await client.say({"unsubscribe": "many.1"})
        assert await client.say({"subscribe": "many.2"}) == [{"subscribed": "many.2"}]
        await hub.close()

    run(main())


def test_commands_on_a_topic_are_carried_out_in_their_order_and_others_go_past_them(run):
    async def main():
        hub = make_hub()
        client = Client(hub)
        client.gate.gate = asyncio.Event()
        assert await client.say({"subscribe": "plain", "id": 1}, {"unsubscribe": "plain", "id": 2}) == []
        assert await client.say({"publish": "kept", "data": 1, "id": 3}) != []
        client.gate.gate.set()
        assert [told["id"] for told in await client.say()] == [1, 2]
        await hub.close()

    run(main())


# ---- who may


def test_each_subscription_is_asked_for_and_each_publish(run):
    async def main():
        hub = make_hub()
        client = Client(hub)
        client.gate.refused = {"plain", "room"}
        for command in ({"subscribe": "plain"}, {"publish": "plain", "data": 1}, {"presence": "room"}):
            (told,) = await client.say(command)
            assert told["error"]["code"] == "forbidden"
        position = await hub.publish("kept", 1)
        for _ in range(2):
            await client.say({"subscribe": "kept", "since": str(position)}, {"unsubscribe": "kept"})
        assert client.gate.asked == ["plain", ("plain", 1), "room", "kept", "kept"]
        await hub.publish("plain", "not for them")
        assert client.door.taken() == []
        await hub.close()

    run(main())


def test_a_hook_that_fails_is_logged_once_and_told(run, expect_log):
    async def main():
        hub = make_hub()
        client = Client(hub)
        client.gate.authorize = lambda topic: 1 / 0
        logged = expect_log("zonda.application", "Uncaught exception in .*lambda")
        (told,) = await client.say({"subscribe": "plain"})
        assert told["error"]["code"] == "unavailable"
        assert "ZeroDivision" not in told["error"]["message"]
        assert len(logged.records) == 1
        client.gate.authorize = lambda topic: True
        assert await client.say({"subscribe": "plain"}) == [{"subscribed": "plain"}]
        await hub.close()

    run(main())


def test_a_broker_that_is_away_is_told_and_leaves_nothing(run):
    async def main():
        broker = FakeBroker()
        hub = make_hub(broker)
        await hub.start()
        broker.down = True
        client = Client(hub)
        (told,) = await client.say({"subscribe": "kept", "since": "a:3"})
        assert told["error"]["code"] == "unavailable"
        assert client.session.cursor() == "kept=a:3"
        broker.down = False
        (told,) = await client.say({"subscribe": "kept", "since": "a:0"})
        assert told["recovered"] is True
        await hub.close()

    run(main())


# ---- publishing


def test_a_key_is_the_clients_own(run):
    async def main():
        hub = make_hub()
        one, other = Client(hub, client="one"), Client(hub, client="other")
        command = {"publish": "kept", "data": 1, "key": "k"}
        first = await one.say(command)
        assert await Client(hub, client="one").say(command) == first
        assert await other.say(command) != first
        last = await hub.publish("kept", 2, idempotency_key="k")
        assert last.offset == 3
        await hub.close()

    run(main())


def test_what_was_published_by_a_client_that_is_gone_is_published(run):
    async def main():
        broker = FakeBroker()
        hub = make_hub(broker)
        client = Client(hub)
        await client.say({"ping": True})
        client.session.receive('{"publish":"kept","data":1}')
        client.session.close()
        await settled(40)
        assert broker.carried == [("kept", b"1")]
        assert client.door.taken() == []
        await hub.close()

    run(main())


# ---- presence


def test_a_client_is_present_while_it_is_subscribed(run):
    async def main():
        hub = make_hub()
        ada, bob = Client(hub, client="ada"), Client(hub, client="bob")
        assert await ada.say({"subscribe": "room", "presence": True, "id": 1}) == [
            {"subscribed": "room", "id": 1},
            {"presence": "room", "members": [{"client": "ada", "info": None}]},
        ]
        await bob.say({"subscribe": "room"})
        assert await ada.say() == [{"topic": "room", "joined": {"client": "bob", "info": None}}]
        bob.session.close()
        assert await ada.say() == [{"topic": "room", "left": {"client": "bob", "info": None}}]
        await ada.say({"unsubscribe": "room"})
        assert await ada.say({"presence": "room", "id": 2}) == [{"presence": "room", "members": [], "id": 2}]
        await hub.close()

    run(main())


def test_nobody_takes_the_place_of_another_by_its_id(run):
    async def main():
        hub = make_hub()
        ada, eve = Client(hub, client="ada"), Client(hub, client="ada")
        ada.gate.info, eve.gate.info = {"name": "Ada"}, {"name": "Eve"}
        await ada.say({"subscribe": "room"})
        told = await eve.say({"subscribe": "room", "presence": True})
        names = {member["client"]: member["info"]["name"] for member in told[1]["members"]}
        assert sorted(names.values()) == ["Ada", "Eve"]
        assert names[shown_id("ada", {"name": "Ada"})] == "Ada"
        assert all(id.startswith("ada.") for id in names)
        await hub.close()

    run(main())


def test_a_session_that_is_closed_while_it_begins_leaves_nothing(run):
    async def main():
        broker = FakeBroker()
        hub = make_hub(broker)
        await hub.start()
        for steps in range(12):
            client = Client(hub)
            client.session.receive('{"subscribe":"room","presence":true}')
            await settled(steps)
            client.session.close()
            await settled(40)
            assert broker.records == [], steps
            assert not hub._channels or not hub._channels["room"].used, steps
            assert not client.session._tasks
        await hub.close()

    run(main())


# ---- a slow client


def test_a_message_is_rendered_once_for_all(run):
    async def main():
        hub = make_hub()
        clients = [Client(hub) for _ in range(3)]
        for client in clients:
            await client.say({"subscribe": "plain"})
        await hub.publish("plain", 1)
        assert [client.door.taken() for client in clients] == [[{"topic": "plain", "data": 1}]] * 3
        assert sum(client.door.renders for client in clients) == 1
        await hub.close()

    run(main())


@pytest.mark.parametrize(
    ("topic", "data", "gap"),
    [("drops", [18, 19], "17"), ("newest", [19], None)],
)
def test_a_slow_client_is_told_of_the_gap(run, topic, data, gap):
    async def main():
        hub = make_hub()
        client = Client(hub, room=1)
        other = Client(hub)
        await client.say({"subscribe": topic})
        await other.say({"subscribe": topic})
        for n in range(20):
            await hub.publish(topic, [n, "x" * 700])
        assert client.door.said == ["hold"]
        client.door.room = 100
        client.session.writable()
        first, *rest = client.door.taken()
        assert (first["topic"], first["gap"]) == (topic, True)
        assert first.get("position", ":").partition(":")[2] == ("18" if gap else "")
        assert first["recovered"] is bool(gap)
        assert [one["data"][0] for one in rest] == data
        assert len(other.door.taken()) == 20
        # From here on it keeps up.
        await hub.publish(topic, ["live"])
        assert client.door.taken()[0]["data"] == ["live"]
        await hub.close()

    run(main())


def test_a_client_too_slow_for_policy_close_is_closed_and_nobody_else(run):
    async def main():
        hub = make_hub()
        client, other = Client(hub, room=1), Client(hub)
        await client.say({"subscribe": "slow"})
        await other.say({"subscribe": "slow"})
        for n in range(20):
            await hub.publish("slow", [n, "x" * 700])
        assert client.door.said == ["hold", "too slow: over 2000 bytes of slow waited"]
        client.door.room = 100
        client.session.writable()
        assert client.door.taken() == []
        assert len(other.door.taken()) == 20
        await hub.close()

    run(main())


def test_answers_come_before_the_messages_that_wait_and_an_unsubscribed_topic_is_silent(run):
    async def main():
        hub = make_hub()
        client = Client(hub)
        await client.say({"subscribe": "kept"}, {"subscribe": "plain"})
        client.door.room = 1
        await hub.publish("kept", 1)
        await hub.publish("kept", 2)
        await hub.publish("plain", 3)
        assert await client.say({"ping": True}, {"unsubscribe": "kept"}) != []
        client.door.room = 100
        client.session.writable()
        assert client.door.taken() == [
            {"pong": True},
            {"unsubscribed": "kept"},
            {"topic": "plain", "data": 3},
        ]
        await hub.close()

    run(main())


def test_more_commands_than_allowed_have_to_wait(run):
    async def main():
        hub = make_hub(channel_commands=3)
        client = Client(hub)
        client.gate.gate = asyncio.Event()
        for n in range(2):
            assert client.session.receive(json.dumps({"subscribe": f"many.{n}"})) is None
        room = client.session.receive('{"subscribe":"many.2"}')
        assert room is not None and not room.done()
        client.gate.gate.set()
        async with asyncio.timeout(5):
            await room
        await settled()
        # So does who does not read the answers.
        client.door.room = 1
        client.session.receive('{"ping":true}')
        rooms = [client.session.receive('{"ping":true}') for _ in range(3)]
        assert rooms[0] is rooms[1] is None
        assert not rooms[2].done()
        client.door.room = 100
        client.session.writable()
        assert rooms[2].done()
        await hub.close()

    run(main())


# ---- ends


def test_the_hubs_end_is_told_once(run):
    async def main():
        hub = make_hub()
        client = Client(hub)
        await client.say({"subscribe": "plain"}, {"subscribe": "kept"})
        await hub.close()
        assert client.door.said == ["leave"]
        (told,) = await Client(hub).say({"subscribe": "plain"})
        assert told["error"]["code"] == "unavailable"

    run(main())


def test_a_quiet_session_tells_only_what_is_new(run):
    async def main():
        hub = make_hub()
        position = await hub.publish("kept", 1)
        client = Client(hub, quiet=True)
        for topic, since in (("kept", position), ("plain", Position("", 0)), ("room", Position("", 0))):
            client.session.perform(Command("subscribe", topic, since=since, presence=topic == "room"))
        assert await client.say() == []
        assert [json.loads(one)["presence"] for one in client.session.aside] == ["room"]
        assert client.session.cursor() == f"kept={position},plain=,room="
        client = Client(hub, quiet=True)
        client.session.perform(Command("subscribe", "kept", since=Position("other", 1)))
        assert (await client.say())[0]["recovered"] is False
        await hub.close()

    run(main())


def test_bytes_and_text_survive_the_way_through_a_client(run):
    async def main():
        hub = make_hub()
        client = Client(hub)
        await client.say({"subscribe": "plain"})
        data = {"publish": "plain", "base64": base64.b64encode(bytes(range(256))).decode()}
        told = await client.say(data, {"publish": "plain", "data": "\u2028\r\n\0😀"})
        messages = [one for one in told if "topic" in one]
        assert base64.b64decode(messages[0]["base64"]) == bytes(range(256))
        assert messages[1]["data"] == "\u2028\r\n\0😀"
        await hub.close()

    run(main())


def test_errors_of_brokers_have_a_code_that_clients_know():
    assert json.loads(objects.error(BrokerUnavailable("away"), "t", None))["error"]["code"] == "unavailable"
