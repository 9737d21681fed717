import pytest

from zonda._core.channels.errors import ChannelError, CursorError
from zonda._core.channels.position import NOWHERE, Position, parse_cursor, print_cursor


def test_a_position_is_read_as_it_is_written():
    assert Position.parse(str(Position("k3Xa", 17))) == ("k3Xa", 17)
    assert str(NOWHERE) == ""


@pytest.mark.parametrize(
    "text",
    ["", "a", ":1", "a:", "a:-1", "a:1x", "a:1:1", "ä:1", "a:²", "a:" + "9" * 17, "a:9007199254740992"],
)
def test_no_position(text):
    with pytest.raises(CursorError, match="EPOCH:OFFSET"):
        Position.parse(text)


def test_a_cursor_is_read_as_it_is_written():
    positions = {"room:1": Position("a", 1), "no-history": NOWHERE, "b": Position("b", 0)}
    assert print_cursor(positions) == "room:1=a:1,no-history=,b=b:0"
    assert parse_cursor(print_cursor(positions), 3) == positions
    assert parse_cursor("", 1) == {}


@pytest.mark.parametrize(
    "text", ["a", "a=1", "=a:1", "a=b:1,", "a b=c:1", "a=b:1;c=d:1", "a=a:1,b=b:1,c=c:1"]
)
def test_no_cursor(text):
    with pytest.raises(ChannelError):
        parse_cursor(text, 2)


def test_a_long_cursor_is_refused_before_it_is_read():
    with pytest.raises(CursorError, match="more than 2 topics"):
        parse_cursor("a=b:1," * 1_000_000, 2)
