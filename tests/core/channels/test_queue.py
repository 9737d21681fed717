import pytest

from zonda._core.channels.message import Gap, Joined, Member, Message
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.queue import Lanes
from zonda._core.channels.topic import Topic


def message(topic: str, offset: int, size: int = 900, epoch: str = "e") -> Message:
    return Message(topic, b"x" * size, True, Position(epoch, offset) if epoch else NOWHERE)


def taken(lanes: Lanes) -> list[object]:
    out: list[object] = []
    while lanes:
        event = lanes.take()
        out.append(event.position.offset if isinstance(event, Message) else event)
    return out


def test_events_of_a_topic_keep_their_order_and_topics_take_turns():
    lanes = Lanes()
    a, b = Topic("a"), Topic("b")
    for offset in (1, 2):
        assert lanes.put(message("a", offset), a)
    assert lanes.put(message("b", 11), b)
    assert taken(lanes) == [1, 11, 2]
    with pytest.raises(IndexError):
        lanes.take()


def test_close_refuses_what_has_no_room():
    lanes, topic = Lanes(), Topic("a", queue_bytes=2000)
    assert lanes.put(message("a", 1), topic)
    assert lanes.put(message("a", 2), topic)
    assert not lanes.put(message("a", 3), topic)
    assert taken(lanes) == [1, 2]


def test_drop_oldest_tells_with_a_gap():
    lanes, topic = Lanes(), Topic("a", queue_bytes=2000, slow="drop-oldest")
    for offset in range(1, 8):
        assert lanes.put(message("a", offset), topic)
    assert taken(lanes) == [Gap("a", Position("e", 5), True), 6, 7]


def test_latest_keeps_the_newest_alone():
    lanes, topic = Lanes(), Topic("a", slow="latest")
    for offset in range(1, 8):
        assert lanes.put(message("a", offset), topic)
    assert taken(lanes) == [Gap("a", Position("e", 6), True), 7]


def test_latest_does_not_drop_what_never_waited():
    lanes, topic = Lanes(), Topic("a", slow="latest")
    lanes.put(message("a", 1), topic)
    assert taken(lanes) == [1]


def test_without_history_nothing_can_be_recovered():
    lanes, topic = Lanes(), Topic("a", slow="latest")
    for _ in range(2):
        lanes.put(message("a", 0, epoch=""), topic)
    assert lanes.take() == Gap("a", NOWHERE, False)


def test_a_dropped_gap_is_not_forgotten():
    lanes, topic = Lanes(), Topic("a", queue_bytes=1200, slow="drop-oldest")
    lanes.put(Gap("a", Position("e", 3), False), topic)
    lanes.put(message("a", 4), topic)
    lanes.put(message("a", 5), topic)
    assert taken(lanes) == [Gap("a", Position("e", 4), False), 5]


def test_a_message_larger_than_the_bound_may_wait_alone():
    lanes, topic = Lanes(), Topic("a", queue_bytes=10)
    assert lanes.put(message("a", 1), topic)
    assert not lanes.put(message("a", 2), topic)


def test_what_waits_of_one_topic_does_not_count_for_another():
    lanes, a, b = Lanes(), Topic("a", queue_bytes=1000), Topic("b", queue_bytes=1000)
    assert lanes.put(message("a", 1), a)
    assert lanes.put(message("b", 1), b)
    assert not lanes.put(message("a", 2), a)


def test_what_was_missed_takes_no_room_from_what_comes_live():
    lanes, topic = Lanes(), Topic("a", queue_bytes=1000)
    for offset in range(1, 5):
        lanes.push(message("a", offset), topic)
    assert lanes.put(message("a", 5), topic)
    assert not lanes.put(Joined("a", Member("c")), topic)
    assert taken(lanes) == [1, 2, 3, 4, 5]


def test_what_was_missed_is_dropped_first_where_what_comes_live_needs_room():
    lanes, topic = Lanes(), Topic("a", queue_bytes=2100, slow="drop-oldest")
    for offset in range(1, 4):
        lanes.push(message("a", offset), topic)
    for offset in range(4, 6):
        assert lanes.put(message("a", offset), topic)
    assert lanes.take().position.offset == 1
    assert lanes.put(message("a", 6), topic)
    assert taken(lanes) == [Gap("a", Position("e", 4), True), 5, 6]
    assert lanes.put(message("a", 7), topic)


def test_discarding_a_topic_leaves_the_others():
    lanes, topic = Lanes(), Topic("*")
    for name in ("a", "b"):
        lanes.put(message(name, 1), topic)
    lanes.discard("a")
    lanes.discard("never")
    assert [lanes.take().topic] == ["b"]
    assert not lanes
