"""Topics over WebSocket."""

import asyncio
import json
import zlib

import pytest

from tests.core.channels.doors.asking import Open, serving, until
from tests.core.wire.ws.frames import frame
from zonda.channels import ChannelWebSocketHandler, Hub, Topic

TOPICS = [
    Topic("plain"),
    Topic("kept", history=1000),
    Topic("room", presence=True),
    Topic("secret"),
    Topic("close", history=1000, queue_bytes=50_000),
    Topic("drop-oldest", queue_bytes=50_000, slow="drop-oldest"),
    Topic("latest", queue_bytes=50_000, slow="latest"),
]
DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate; client_no_context_takeover"}


def make_hub():
    return Hub("local://", TOPICS)


def test_clients_talk_to_each_other(run):
    async def main():
        async with serving(make_hub()) as served:
            ada, bob = await served.socket({"client": "ada"}), await served.socket()
            for one in (ada, bob):
                one.say({"subscribe": "room", "presence": True, "id": 1})
                assert await one.object() == {"subscribed": "room", "id": 1}
                assert {"client": "ada", "info": None} in (await one.object())["members"]
            assert "joined" in await ada.object()
            ada.say({"publish": "room", "data": "hello", "id": 2})
            assert await bob.object() == {"topic": "room", "data": "hello"}
            assert await ada.object() == {"topic": "room", "data": "hello"}
            assert await ada.object() == {"published": "room", "id": 2}
            ada.connection.close()
            assert (await bob.object())["left"] == {"client": "ada", "info": None}

    run(main())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", "bad-request"),
        ('{"subscribe":"secret"}', "forbidden"),
        ('{"publish":"secret","data":1}', "forbidden"),
        ('{"subscribe":"nowhere"}', "unknown-topic"),
        ('{"subscribe":"kept","since":"?"}', "bad-cursor"),
        ('{"publish":"plain","data":"' + "x" * 2_000_000 + '"}', "bad-payload"),
    ],
)
def test_bad_input_gets_an_error_and_ends_nobodys_connection(run, text, code):
    async def main():
        async with serving(make_hub()) as served:
            bad, good = await served.socket(), await served.socket()
            good.say({"subscribe": "plain"})
            assert await good.object() == {"subscribed": "plain"}
            bad.say(text)
            assert (await bad.object())["error"]["code"] == code
            bad.say({"publish": "plain", "data": 1})
            assert await bad.object() == {"published": "plain"}
            assert await good.object() == {"topic": "plain", "data": 1}

    run(main())


def test_a_binary_message_ends_the_connection(run):
    async def main():
        async with serving(make_hub()) as served:
            client = await served.socket()
            client.connection.writer.write(frame(0x82, b"{}"))
            assert await client.object() is None
            assert client.close_code == 1003

    run(main())


def test_a_message_longer_than_any_command_ends_the_connection(run):
    async def main():
        async with serving(make_hub(), websocket_max_message_size=1000) as served:
            client = await served.socket()
            client.say({"publish": "plain", "data": "x" * 1000})
            assert await client.object() is None
            assert client.close_code == 1009

    run(main())


def test_who_may_do_what_has_to_be_said(run, expect_log):
    class Undefined(ChannelWebSocketHandler):
        pass

    logged = expect_log("zonda.application", r"Undefined\.authorize(_publish)?\(\) is not defined")

    async def main():
        async with serving(make_hub(), Undefined) as served:
            for _ in range(2):
                client = await served.socket()
                client.say({"subscribe": "plain"}, {"publish": "plain", "data": 1})
                for hook in ("authorize", "authorize_publish"):
                    error = (await client.object())["error"]
                    assert error["code"] == "forbidden"
                    assert f"Undefined.{hook}() is not defined" in error["message"]

    run(main())
    assert len(logged.records) == 2


def test_without_a_hub_there_is_a_clear_error(run, expect_log):
    logged = expect_log("zonda.application", "Uncaught exception GET")

    async def main():
        async with serving(make_hub(), Hubless) as served:
            assert (await served.ask(Upgrade="websocket")).status == 500
        (record,) = logged.records
        assert 'Hubless has no hub: give it one in its route, (r"/channels"' in str(record.exc_info[1])
        async with serving(make_hub(), Hubless, hub=make_hub()) as served:
            client = await served.socket()
            client.say({"ping": True})
            assert await client.object() == {"pong": True}

    run(main())


class Hubless(Open):
    def initialize(self, hub=None, made=None):
        pass


@pytest.mark.parametrize(
    ("query", "fields", "status"),
    [
        ({"client": "a b"}, {}, 400),
        ({"client": "x" * 65}, {}, 400),
        ({}, {"Origin": "http://evil.example"}, 403),
    ],
)
def test_who_is_not_let_in(run, query, fields, status):
    async def main():
        async with serving(make_hub()) as served:
            answer = await served.ask(
                query,
                Upgrade="websocket",
                Connection="Upgrade",
                Sec_WebSocket_Version="13",
                Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
                **fields,
            )
            assert answer.status == status
            if status == 400:
                assert answer.code == "bad-request"

    run(main())


def test_a_server_that_leaves_says_so(run):
    async def main():
        async with serving(make_hub()) as served:
            client, other = await served.socket(), await served.socket()
            client.say({"subscribe": "plain"})
            await client.object()
            await served.hub.close()
            assert await client.object() is None
            assert client.close_code == 1001
            served.server.stop()
            draining = asyncio.ensure_future(served.server.drain(5))
            assert await other.object() is None
            assert other.close_code == 1001
            other.connection.close()
            client.connection.close()
            await draining

    run(main())


def test_messages_are_compressed_only_where_the_handler_says_so_and_once_for_all(run):
    class Compressed(Open):
        def get_compression_options(self):
            return {}

    async def main():
        async with serving(make_hub()) as served:
            client = await served.socket(**DEFLATE)
            client.say({"ping": True})
            assert (await client.frame())[0] == 0x81
        async with serving(make_hub(), Compressed) as served:
            one, two, plain = [await served.socket(**more) for more in (DEFLATE, DEFLATE, {})]
            for client in (one, two, plain):
                client.say({"subscribe": "plain"})
                await client.frame()
            await served.hub.publish("plain", "z" * 500)
            first, payload = await one.frame()
            assert (first, payload) == await two.frame()
            assert first == 0xC1
            text = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
            assert json.loads(text)["data"] == "z" * 500
            assert await plain.object() == json.loads(text)

    run(main())


@pytest.mark.parametrize("policy", ["close", "drop-oldest", "latest"])
def test_a_client_that_does_not_read_meets_the_policy_and_takes_no_memory(run, policy):
    async def main():
        async with serving(make_hub()) as served:
            slow = await served.socket(slow=True)
            await until(lambda: served.made)
            (handler,) = served.made
            slow.say({"subscribe": policy})
            fast = await served.socket()
            fast.say({"subscribe": policy})
            await fast.object()
            await until(lambda: handler._session is not None and handler._session._subscriptions)
            connection = handler.ws_connection
            largest = 0
            for n in range(300):
                await served.hub.publish(policy, [n, "x" * 5000])
                assert (await fast.object())["data"][0] == n
                if connection.transport is not None:
                    largest = max(largest, connection.unsent() + waiting(handler._session))
            # What the transport holds, a message more, and what the topic allows.
            assert largest <= 65536 + 5200 + 50_000 + 5200
            numbers, gaps = await read_on(slow, policy)
            if policy == "close":
                assert numbers == list(range(len(numbers))) and not gaps
                assert slow.close_code == 4008
                position = await served.hub.publish(policy, "after")
                back = await served.socket()
                back.say({"subscribe": policy, "since": f"{position.epoch}:{len(numbers)}"})
                assert (await back.object())["recovered"] is True
                assert (await back.object())["data"][0] == len(numbers)
            else:
                assert numbers[-1] == 299 and numbers == sorted(numbers)
                assert gaps == 1 and len(numbers) < 100

    run(main())


def waiting(session):
    return sum(lane.size for lane in session._waiting._lanes.values()) if session is not None else 0


async def read_on(client, policy):
    """The numbers of the messages that come to a client that begins to read, and how many gaps."""
    client.connection.wake()
    await client.connection.head()
    numbers, gaps = [], 0
    try:
        while not numbers or numbers[-1] != 299:
            told = await client.object()
            if told is None:
                break
            if "gap" in told:
                gaps += 1
            elif "data" in told:
                numbers.append(told["data"][0])
    except EOFError:
        pass
    return numbers, gaps
