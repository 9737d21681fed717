import pytest

from zonda._core.channels.errors import TopicError
from zonda._core.channels.topic import Topic, Topics, check_name


@pytest.mark.parametrize("name", ["a", "room.1", "user/ada@example:x", "A-Z_~+", "x" * 200])
def test_a_name(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a*", "a>", "a=b", "a,b", "ä", "x" * 201, "a\n", "a\x00"])
def test_no_name(name):
    with pytest.raises(TopicError, match="no name of a topic"):
        check_name(name)


def test_names_come_before_patterns_and_patterns_in_their_order():
    name, first, second = Topic("room.1"), Topic("room.*"), Topic("*")
    topics = Topics([second, first, name])
    assert topics.find("room.1") is name
    assert topics.find("room.2") is second
    assert Topics([first, second]).find("room.2") is first


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "anything", True),
        ("room.*", "room.", True),
        ("room.*", "room", False),
        ("*.log", "a.log", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a**b", "ab", True),
    ],
)
def test_a_pattern(pattern, name, matches):
    topics = Topics([Topic(pattern)])
    if matches:
        assert topics.find(name).pattern == pattern
    else:
        with pytest.raises(TopicError, match="declared are: "):
            topics.find(name)


def test_a_pattern_is_matched_in_linear_time():
    topics = Topics([Topic("*a" * 60 + "b")])
    with pytest.raises(TopicError):
        topics.find("a" * 200)


def test_found_names_are_remembered_in_a_bounded_number():
    topics = Topics([Topic("*")])
    for number in range(3 * Topics._REMEMBERED):
        topics.find(f"t{number}")
    assert len(topics._found) <= Topics._REMEMBERED


@pytest.mark.parametrize(
    ("declaration", "fault"),
    [
        ({"pattern": "a b"}, "no name or pattern"),
        ({"pattern": "a", "history": -1}, "history is 0 or more"),
        ({"pattern": "a", "history": 1, "ttl": 0}, "ttl"),
        ({"pattern": "a", "queue_bytes": 0}, "queue_bytes"),
        ({"pattern": "a", "slow": "wait"}, "not 'wait'"),
        ({"pattern": "a", "reach": "moon"}, "not 'moon'"),
        ({"pattern": "a", "durable": True}, "durable asks for a history"),
    ],
)
def test_a_declaration_that_makes_no_sense(declaration, fault):
    with pytest.raises(TopicError, match=fault):
        Topic(**declaration)
