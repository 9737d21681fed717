"""Topics in memory, with a clock in the test's hands."""

import gc
import re
import weakref
from dataclasses import replace

from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.channels.brokers.memory import Memory
from zonda._core.channels.message import Member
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import Retention

KEEP = Retention(size=100, ttl=60.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def memory(clock: Clock | None = None, **limits: object) -> Memory:
    return Memory(replace(DEFAULT_LIMITS, **limits), clock or Clock())


def publish(
    kept: Memory, topic: str, body: bytes, retention: Retention | None = KEEP, key: str | None = None
):
    published, message = kept.publish(topic, body, True, "node", retention, key)
    if message is not None:
        assert (message.topic, message.body, message.binary, message.origin) == (topic, body, True, "node")
        assert message.position == published.position
    assert (message is None) == published.duplicate
    return published


def bodies(kept: Memory, topic: str, since: Position | None = None) -> list[bytes]:
    return [message.body for message in kept.history(topic, since).messages]


# ---- histories


def test_offsets_count_from_one_within_an_epoch():
    kept = memory()
    positions = [publish(kept, "t", b"x").position for _ in range(3)]
    assert [p.offset for p in positions] == [1, 2, 3]
    assert len({p.epoch for p in positions}) == 1
    assert re.fullmatch("[A-Za-z0-9]{1,12}", positions[0].epoch)
    assert publish(kept, "other", b"x").position.epoch != positions[0].epoch


def test_without_a_history_nothing_is_kept():
    kept = memory()
    assert publish(kept, "t", b"x", None) == (NOWHERE, False)
    assert kept.history("t", None).top.offset == 0


def test_the_size_of_a_history_is_bounded():
    kept = memory()
    for number in range(10):
        publish(kept, "t", b"%d" % number, Retention(size=3, ttl=60.0))
    assert bodies(kept, "t") == [b"7", b"8", b"9"]


def test_the_bytes_of_a_history_are_bounded_and_the_newest_stays():
    kept = memory(history_bytes=100)
    for number in range(10):
        publish(kept, "t", b"%d" % number * 30)
    assert bodies(kept, "t") == [b"%d" % n * 30 for n in (7, 8, 9)]
    publish(kept, "t", b"x" * 1000)
    assert bodies(kept, "t") == [b"x" * 1000]
    publish(kept, "t", b"y")
    assert bodies(kept, "t") == [b"y"]


def test_messages_expire_one_by_one():
    clock = Clock()
    kept = memory(clock)
    epoch = publish(kept, "t", b"1").position.epoch
    clock.now += 30
    publish(kept, "t", b"2")
    clock.now += 29.9
    assert bodies(kept, "t") == [b"1", b"2"]
    clock.now += 0.1
    assert bodies(kept, "t") == [b"2"]
    assert kept.history("t", Position(epoch, 0)).recovered is False
    assert kept.history("t", Position(epoch, 1)).recovered is True
    clock.now += 30
    assert kept.history("t", None) == ([], (epoch, 2), True)
    assert publish(kept, "t", b"3").position == (epoch, 3)


def test_what_has_expired_is_dropped_though_nobody_asks_for_its_topic():
    clock = Clock()
    kept = memory(clock)
    _, message = kept.publish("silent", b"x", True, "node", KEEP, None)
    assert message is not None
    clock.now += 30
    publish(kept, "silent", b"y")
    # Messages have no place for a weak reference: their forms, an object of ours, do.
    message.forms["here"] = here = _Weak()
    seen = weakref.ref(here)
    del message, here
    publish(kept, "busy", b"x")
    assert seen() is not None
    clock.now += 30
    publish(kept, "busy", b"x")
    gc.collect()
    assert seen() is None
    assert bodies(kept, "silent") == [b"y"]


class _Weak:
    pass


def test_the_number_of_topics_is_bounded_and_a_forgotten_one_has_another_epoch():
    kept = memory(channel_topics_kept=3)
    epochs = {name: publish(kept, name, b"x").position.epoch for name in "abc"}
    kept.history("a", None)  # used: b is the oldest now
    publish(kept, "d", b"x")
    for name in "ac":
        assert kept.history(name, None).top == (epochs[name], 1)
    history = kept.history("b", Position(epochs["b"], 1))
    assert history.top.epoch != epochs["b"]
    assert history == ([], (history.top.epoch, 0), False)


def test_many_topics_that_come_and_go_leave_nothing():
    clock = Clock()
    kept = memory(clock, channel_topics_kept=10)
    for number in range(1000):
        publish(kept, f"t{number}", b"x")
    assert len(kept._logs) == 10
    assert len(kept._expiring) <= 31


def test_the_limits_may_be_replaced():
    kept = memory(history_bytes=10)
    for _ in range(3):
        publish(kept, "t", b"12345")
    assert len(bodies(kept, "t")) == 2
    kept.limits = Limits()
    publish(kept, "t", b"12345")
    assert len(bodies(kept, "t")) == 3


def test_asking_for_the_newest_does_not_go_through_the_others():
    kept = memory()
    many = Retention(size=100_000, ttl=60.0)
    for number in range(20_000):
        publish(kept, "t", b"%d" % number, many)
    log = kept._logs["t"]

    class Counting(type(log.messages)):  # type: ignore[misc]
        taken = 0

        def __reversed__(self):
            for message in super().__reversed__():
                Counting.taken += 1
                yield message

        def __iter__(self):
            raise AssertionError("from the front")

    log.messages = Counting(log.messages)
    assert [m.body for m in kept.history("t", None, 2).messages] == [b"19998", b"19999"]
    top = kept.history("t", None, 0).top
    assert bodies(kept, "t", Position(top.epoch, top.offset - 3)) == [b"19997", b"19998", b"19999"]
    assert Counting.taken <= 10


# ---- keys


def test_a_key_is_known_again_for_its_time():
    clock = Clock()
    kept = memory(clock, idempotency_ttl=10.0)
    first = publish(kept, "t", b"1", key="k")
    clock.now += 9.9
    assert publish(kept, "t", b"2", key="k") == (first.position, True)
    assert not publish(kept, "other", b"2", key="k").duplicate
    clock.now += 0.1
    assert publish(kept, "t", b"3", key="k").position.offset == 2
    clock.now += 9.9
    assert publish(kept, "t", b"3", key="k").duplicate
    assert bodies(kept, "t") == [b"1", b"3"]


def test_a_key_is_known_again_without_a_history():
    kept = memory()
    assert publish(kept, "t", b"1", None, "k") == (NOWHERE, False)
    assert publish(kept, "t", b"1", None, "k") == (NOWHERE, True)


def test_the_number_of_keys_is_bounded():
    clock = Clock()
    kept = memory(clock, idempotency_keys=3)
    for key in "abcd":
        publish(kept, "t", b"x", key=key)
    assert [publish(kept, "t", b"x", key=key).duplicate for key in "bcd"] == [True] * 3
    assert not publish(kept, "t", b"x", key="a").duplicate
    clock.now += DEFAULT_LIMITS.idempotency_ttl
    publish(kept, "t", b"x", key="new")
    assert len(kept._keys) == 1


def test_a_key_behind_longer_ones_is_forgotten_in_its_time():
    clock = Clock()
    kept = memory(clock, idempotency_ttl=100.0)
    publish(kept, "t", b"x", key="long")
    kept.limits = Limits(idempotency_ttl=1.0)
    publish(kept, "t", b"x", key="short")
    clock.now += 1
    assert not publish(kept, "t", b"x", key="short").duplicate
    assert publish(kept, "t", b"x", key="long").duplicate


# ---- presence


def test_records_are_by_topic_client_and_node():
    kept = memory()
    here, there = Member("ada", 1, "a"), Member("ada", 2, "b")
    assert kept.join("t", here) == kept.join("t", there) == []
    assert kept.members("t") == [here, there]
    assert kept.members("other") == []
    assert kept.leave("t", "ada", "a") == here
    assert kept.leave("t", "ada", "a") is None
    assert kept.leave("other", "ada", "b") is None
    assert kept.members("t") == [there]
    newer = Member("ada", 3, "b")
    kept.join("t", newer)
    assert kept.members("t") == [newer]


def test_a_node_is_forgotten_with_all_its_records():
    kept = memory()
    for topic in ("t", "u"):
        for client in ("ada", "bob"):
            kept.join(topic, Member(client, None, "a"))
    kept.join("t", Member("ada", None, "b"))
    kept.forget_node("a")
    kept.forget_node("nobody")
    assert kept.members("t") == [Member("ada", None, "b")]
    assert kept.members("u") == []
    kept.forget_node("b")
    assert not kept._records and not kept._nodes


def test_the_number_of_topics_with_presence_is_bounded_and_who_is_forgotten_is_told():
    kept = memory(channel_topics_kept=2)
    ada, bob = Member("ada", None, "a"), Member("bob", None, "a")
    kept.join("t", ada)
    kept.join("t", bob)
    kept.join("u", ada)
    assert kept.join("v", ada) == [("t", ada), ("t", bob)]
    assert kept.members("t") == []
    kept.members("u")
    assert kept.join("t", ada) == [("v", ada)]
