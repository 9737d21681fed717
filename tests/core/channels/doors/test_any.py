"""One URL for all: commands by POST, and one cursor over each of the three ways."""

import json

import pytest

from tests.core.channels.doors.asking import Open, serving
from zonda._core.base.limits import Limits
from zonda.channels import Hub, Topic

TOPICS = [Topic("plain"), Topic("kept", history=100), Topic("room", presence=True), Topic("secret")]


def make_hub(**limits):
    return Hub("local://", TOPICS, limits=Limits(**limits))


def test_a_cursor_goes_from_one_way_to_the_next(run):
    async def main():
        async with serving(make_hub()) as served:
            hub = served.hub
            socket = await served.socket()
            socket.say({"subscribe": "kept"})
            position = (await socket.object())["position"]
            await hub.publish("kept", 1)
            position = (await socket.object())["position"]
            socket.connection.close()

            await hub.publish("kept", 2)
            stream = await served.stream({"topic": "kept", "cursor": f"kept={position}"})
            assert (await stream.object())["recovered"] is True
            told, id = await stream.event()
            assert told["data"] == 2
            stream.connection.close()

            await hub.publish("kept", 3)
            await hub.publish("kept", 4)
            answer = await served.ask({"topic": "kept", "cursor": id})
            assert [one["data"] for one in answer.json["messages"]] == [3, 4]
            cursor = answer.json["cursor"]

            await hub.publish("kept", 5)
            stream = await served.stream({"topic": "kept"}, Last_Event_ID=cursor)
            assert (await stream.object())["recovered"] is True
            told, id = await stream.event()
            assert told["data"] == 5

            await hub.publish("kept", 6)
            socket = await served.socket()
            socket.say({"subscribe": "kept", "since": id.partition("=")[2]})
            assert (await socket.object())["recovered"] is True
            assert (await socket.object())["data"] == 6

    run(main())


def test_a_command_is_posted(run):
    async def main():
        async with serving(make_hub()) as served:
            stream = await served.stream({"topic": "kept"})
            await stream.object()
            command = {"publish": "kept", "data": {"a": 1}, "key": "k", "id": 3}
            answer = await served.post(command, {"client": "ada"})
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json; charset=UTF-8"
            told = await stream.object()
            assert answer.json == {"published": "kept", "position": told["position"], "id": 3}
            assert told["data"] == {"a": 1}
            # The same key is the same message, of the same client.
            assert (await served.post(command, {"client": "ada"})).json == answer.json
            assert (await served.post(command, {"client": "bob"})).json != answer.json
            assert (await served.post({"presence": "room"})).json == {"presence": "room", "members": []}

    run(main())


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [
        (b"", 400, "bad-request"),
        (b"{", 400, "bad-request"),
        (b"\xff", 400, "bad-request"),
        (b"[]", 400, "bad-request"),
        ({"subscribe": "plain"}, 400, "bad-request"),
        ({"unsubscribe": "plain"}, 400, "bad-request"),
        ({"ping": True}, 400, "bad-request"),
        ({"publish": "secret", "data": 1}, 403, "forbidden"),
        ({"presence": "secret"}, 403, "forbidden"),
        ({"publish": "nowhere", "data": 1}, 404, "unknown-topic"),
        ({"publish": "plain", "data": "x" * 100}, 413, "bad-payload"),
        (b" " * 10_000, 413, "bad-payload"),
    ],
)
def test_a_command_that_is_none_or_cannot_be_carried_out(run, command, status, code):
    async def main():
        async with serving(make_hub(channel_message_bytes=100)) as served:
            answer = await served.post(command)
            assert (answer.status, answer.code) == (status, code)

    run(main())


def test_an_error_tells_the_commands_id_and_topic(run):
    async def main():
        async with serving(make_hub()) as served:
            answer = await served.post({"publish": "secret", "data": 1, "id": "x"})
            assert (answer.json["id"], answer.json["topic"]) == ("x", "secret")

    run(main())


def test_a_hub_that_is_closed_is_unavailable(run):
    async def main():
        async with serving(make_hub()) as served:
            await served.hub.close()
            answer = await served.post({"publish": "plain", "data": 1})
            assert (answer.status, answer.code) == (503, "unavailable")

    run(main())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 200),
    ],
)
def test_another_sites_page_cannot_post(run, fields, status):
    async def main():
        async with serving(make_hub()) as served:
            assert (await served.post({"publish": "plain", "data": 1}, **fields)).status == status

    run(main())


def test_an_application_with_xsrf_cookies_wants_its_token(run, expect_log):
    expect_log("zonda.general", "'_xsrf' argument missing")

    async def main():
        async with serving(make_hub(), xsrf_cookies=True) as served:
            command = {"publish": "plain", "data": 1}
            assert (await served.post(command)).status == 403
            token = "0123456789abcdef0123456789abcdef"
            fields = {"Cookie": f"_xsrf={token}", "X-XSRFToken": token}
            assert (await served.post(command, **fields)).status == 200

    run(main())


def test_hooks_know_the_user_of_the_request(run):
    class Users(Open):
        def get_current_user(self):
            return self.get_cookie("user")

        def authorize(self, topic):
            return self.current_user == "ada"

        async def presence_info(self, topic):
            return {"name": self.current_user}

    async def main():
        async with serving(make_hub(), Users) as served:
            for user, says in (("ada", "subscribed"), ("eve", "error")):
                fields = {"Cookie": f"user={user}"}
                socket = await served.socket({"client": "c"}, **fields)
                socket.say({"subscribe": "room", "presence": True})
                assert says in await socket.object()
                stream = await served.stream({"topic": "room"}, **fields)
                assert says in await stream.object()
                assert says in (await served.ask({"topic": "room"}, **fields)).json["messages"][0]
                if says == "subscribed":
                    (member,) = (await socket.object())["members"]
                    assert member["info"] == {"name": "ada"}
                    assert member["client"].startswith("c.")

    run(main())


def test_a_page_of_another_origin_is_let_in_where_the_handler_says_so(run):
    class Elsewhere(Open):
        def check_origin(self, origin):
            return origin == "http://friend.example"

    async def main():
        async with serving(make_hub(), Elsewhere) as served:
            for origin, status in (("http://friend.example", 200), ("http://localhost", 403)):
                assert (await served.ask({"topic": "plain"}, Origin=origin)).status == status
                command = {"publish": "plain", "data": 1}
                assert (await served.post(command, Origin=origin)).status == status
            await served.socket(Origin="http://friend.example")

    run(main())


def test_other_methods_are_not_allowed(run):
    async def main():
        async with serving(make_hub()) as served:
            connection = await served.connect()
            connection.writer.write(b"PUT /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            assert (await connection.head())[0] == 405

    run(main())


def test_what_is_published_is_the_same_over_all_ways(run):
    async def main():
        async with serving(make_hub()) as served:
            data = ["\u2028\n\r", {"ä": 1.5, "b": [None, True]}, "😀"]
            socket = await served.socket()
            socket.say({"subscribe": "kept"})
            start = (await socket.object())["position"]
            stream = await served.stream({"topic": "kept"})
            await stream.object()
            socket.say({"publish": "kept", "data": data})
            told = await socket.object()
            assert told["data"] == data
            assert await stream.object() == told
            assert (await served.ask({"topic": "kept", "cursor": f"kept={start}"})).json["messages"] == [told]
            assert json.loads(json.dumps(told)) == told

    run(main())
