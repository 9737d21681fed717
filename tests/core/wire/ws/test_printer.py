"""RFC 6455 sections 5.2, 5.3, 5.5.1, 5.5.2, 7.4; RFC 7692 section 7.2: what goes out, and when."""

import pytest

from tests.core.wire.ws.frames import read_all, reader
from zonda._core.wire.ws.close import may_be_sent, print_close
from zonda._core.wire.ws.deflate import Compressor, Decompressor, DeflateSettings
from zonda._core.wire.ws.pinging import Pinger
from zonda._core.wire.ws.printer import PreparedMessage, print_frame, print_message


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("masked", [True, False])
def test_what_is_printed_is_read(size, masked):
    payload = bytes(number % 251 for number in range(size))
    assert read_all(reader(masked), print_frame(2, payload, masked)) == [payload]
    assert print_message(payload, True) == print_frame(2, payload, False)


def test_5_3_each_frame_has_a_key_of_its_own():
    assert len({print_frame(1, b"", True)[2:6] for _ in range(20)}) == 20


def test_7_4_codes_that_may_stand_in_a_frame():
    allowed = [code for code in range(6000) if may_be_sent(code)]
    assert allowed == [1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)]


def test_5_5_1_a_close_frame_holds_what_fits():
    assert print_close(None, None) == b""
    assert print_close(None, "bye") == b"\x03\xe8bye"
    assert len(print_close(4000, "é" * 61)) == 124
    for code, reason in [(1005, ""), (1006, ""), (999, ""), (5000, ""), (70000, ""), (1000, "é" * 62)]:
        with pytest.raises(ValueError, match="WebSocket close"):
            print_close(code, reason)


@pytest.mark.parametrize("persistent", [True, False])
def test_7692_messages_refer_to_those_before_only_if_they_may(persistent):
    compressor, decompressor = Compressor(persistent, None), Decompressor(persistent, None, 1000)
    sizes = []
    for _ in range(3):
        payload = compressor.compress(b"the same words")
        sizes.append(len(payload))
        assert decompressor.decompress(payload) == b"the same words"
    assert (sizes[1] < sizes[0]) is persistent


def test_a_prepared_message_is_made_once_for_each_setting():
    message = PreparedMessage("hello hello hello")
    assert message.plain() is message.plain()
    settings = DeflateSettings(wbits=10)
    assert message.deflated(settings) is message.deflated(DeflateSettings(wbits=10))
    assert message.deflated(settings) is not message.deflated(DeflateSettings(wbits=11))


def test_a_prepared_message_does_not_disturb_the_messages_around_it():
    compressor, other = Compressor(True, None), PreparedMessage("in between, the same words")
    one = reader(False)
    one.use(Decompressor(True, None, 1000))
    data = print_frame(1, compressor.compress(b"the same words"), False, rsv1=True)
    compressor.forget()
    data += other.deflated(compressor.settings)
    data += print_frame(1, compressor.compress(b"the same words"), False, rsv1=True)
    assert read_all(one, data) == ["the same words", "in between, the same words", "the same words"]


def test_a_compressor_takes_no_window_that_zlib_cannot_write():
    with pytest.raises(ValueError, match="9 to 15"):
        Compressor(True, 8)


def test_5_5_2_pings_keep_their_rhythm_while_one_is_waited_for():
    pinger = Pinger(10, 25, 0)
    assert (pinger.due(9), pinger.due(10), pinger.due(20)) == (False, True, True)
    assert (pinger.expired(34), pinger.expired(35)) == (False, True)
    pinger.answered()
    assert (pinger.expired(100), pinger.wakes_at) == (False, 30)


def test_5_5_2_a_timeout_may_be_shorter_than_the_interval_or_none():
    short, never = Pinger(10, 2, 0), Pinger(10, 0, 0)
    assert short.due(10) and never.due(10)
    assert (short.wakes_at, short.expired(12)) == (12, True)
    assert (never.wakes_at, never.expired(1e9)) == (20, False)


def test_a_peer_that_was_not_read_is_excused():
    pinger = Pinger(10, 5, 0)
    pinger.due(10)
    pinger.excuse(15)
    assert (pinger.expired(15), pinger.expired(20)) == (False, True)
