"""Histories over a JetStream whose every answer is in the test's hands, as only a cluster gives them."""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("nats")

import nats
from nats.aio.msg import Msg

from tests.contract.brokers import KEEP, Node
from tests.nats_server import NatsServer, needs_nats, running_nats
from zonda._core.base.limits import Limits
from zonda._core.channels.broker import History
from zonda._core.channels.brokers.nats import NatsBroker

pytestmark = needs_nats

SECONDS = 20
#: What is answered to: a subject behind `$JS.API.`, how often it was asked before, what was asked.
Answering = Callable[[str, int, dict], bytes | dict | None]


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with running_nats(jetstream=False) as started:
        yield started


def state(first: int, last: int) -> dict:
    """Of the stream of a topic "t"."""
    config = {
        "subjects": ["zonda.keep.t.e"],
        "max_msgs": KEEP.size,
        "max_age": 300 * 10**9,
        "duplicate_window": 300 * 10**9,
    }
    return {"config": config, "state": {"messages": last - first + 1, "first_seq": first, "last_seq": last}}


async def history(server: NatsServer, answering: Answering) -> History:
    """What a broker gives of "t"."""
    counts: dict[str, int] = {}

    async def asked(message: Msg) -> None:
        what = message.subject.removeprefix("$JS.API.")
        answer: bytes | dict | None = {}
        headers = {}
        if what != "INFO":
            name = f"{what} {message.data.decode()}"
            counts[name] = counts.get(name, 0) + 1
            answer = answering(what, counts[name] - 1, json.loads(message.data or b"{}"))
        if isinstance(answer, bytes):
            number = json.loads(message.data)["seq"]
            headers = {
                "Nats-Subject": "zonda.keep.t.e",
                "Nats-Sequence": str(number),
                "Nats-Time-Stamp": "2100-01-01T00:00:00Z",
            }
        if answer is not None:
            packed = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            await jetstream.publish(message.reply, packed, headers=headers or None)

    jetstream = await nats.connect(server.url)
    await jetstream.subscribe("$JS.API.>", cb=asked)
    await jetstream.flush()
    broker = NatsBroker(server.url, Limits(broker_timeout=1.0))
    try:
        async with asyncio.timeout(SECONDS):
            await broker.start(Node("n", broker))
            try:
                return await broker.history("t", KEEP, None)
            finally:
                await broker.close()
    finally:
        await jetstream.close()


def test_a_question_that_is_never_answered_is_asked_again(server):
    def answering(what: str, times: int, asked: dict) -> dict | None:
        return state(1, 0) if times else None

    assert asyncio.run(history(server, answering)) == ([], ("e", 0), True)


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_message_that_is_not_there_is_gone_or_not_there_yet(server, is_gone):
    def answering(what: str, times: int, asked: dict) -> bytes | dict | None:
        if what.startswith("STREAM.INFO"):
            return state(2 if is_gone and times else 1, 2)
        assert what == "DIRECT.GET.zonda-t"
        if asked["seq"] == 1 and (is_gone or not times):
            return {"status": "not found"}
        return b"n b\n%d" % asked["seq"]

    found = asyncio.run(history(server, answering))
    assert [m.body for m in found.messages] == ([b"2"] if is_gone else [b"1", b"2"])
    assert found.top == ("e", 2) and found.recovered
