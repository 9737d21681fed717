"""RFC 6455 section 5 and 8.1: what frames are taken, and how the others are refused, however they are cut."""

import random
import time
import zlib

import pytest

from tests.core.wire.ws.frames import cuts, frame, plain, read_all, reader
from zonda._core.wire.ws.deflate import Decompressor

HELLO = frame(0x81, b"Hello")
LONG = b"x" * 70000


def deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        pytest.param(HELLO, ["Hello"], id="5.6 text"),
        pytest.param(frame(0x82, b"\x00\xff"), [b"\x00\xff"], id="5.6 binary"),
        pytest.param(frame(0x81), [""], id="5.6 empty text"),
        pytest.param(frame(0x82, b"y" * 126), [b"y" * 126], id="5.2 sixteen bits"),
        pytest.param(frame(0x82, LONG), [LONG], id="5.2 sixty-four bits"),
        pytest.param(frame(0x01, b"Hel") + frame(0x80, b"lo"), ["Hello"], id="5.4 fragments"),
        pytest.param(frame(0x01) + frame(0x00) + frame(0x80), [""], id="5.4 empty fragments"),
        pytest.param(
            frame(0x01, b"Hel") + frame(0x89, b"p") + frame(0x80, b"lo"),
            [("control", 9, b"p"), "Hello"],
            id="5.4 a ping between fragments",
        ),
        pytest.param(frame(0x01, b"\xe2\x82") + frame(0x80, b"\xac"), ["€"], id="8.1 a character cut in two"),
        pytest.param(frame(0x8A), [("control", 10, b"")], id="5.5.3 pong nobody asked for"),
        pytest.param(frame(0x88), [("close", None, None)], id="5.5.1 close without a code"),
        pytest.param(frame(0x88, b"\x03\xe8bye"), [("close", 1000, "bye")], id="5.5.1 close"),
        pytest.param(
            frame(0x88, b"\x03\xe8") + HELLO, [("close", 1000, None)], id="5.5.1 nothing behind close"
        ),
        pytest.param(HELLO + frame(0xC1, b"x"), ["Hello", ("failure", 1002)], id="5.2 RSV1 not negotiated"),
        pytest.param(frame(0xA1, b"x"), [("failure", 1002)], id="5.2 RSV2"),
        pytest.param(frame(0x91, b"x"), [("failure", 1002)], id="5.2 RSV3"),
        pytest.param(frame(0x83, b"x"), [("failure", 1002)], id="5.2 opcode 3"),
        pytest.param(frame(0x8B, b"x"), [("failure", 1002)], id="5.2 opcode 11"),
        pytest.param(frame(0x81, b"x", masked=False), [("failure", 1002)], id="5.1 not masked"),
        pytest.param(
            frame(0x81, b"x", length=b"\x7e\x00\x01"), [("failure", 1002)], id="5.2 length not minimal"
        ),
        pytest.param(
            frame(0x82, b"x", length=b"\x7f" + (65535).to_bytes(8, "big")),
            [("failure", 1002)],
            id="5.2 long length not minimal",
        ),
        pytest.param(
            frame(0x82, b"x", length=b"\x7f" + (1 << 63).to_bytes(8, "big")),
            [("failure", 1002)],
            id="5.2 length of 64 bits",
        ),
        pytest.param(frame(0x09, b"x"), [("failure", 1002)], id="5.5 fragmented ping"),
        pytest.param(frame(0x89, b"x" * 126), [("failure", 1002)], id="5.5 ping too long"),
        pytest.param(frame(0x80, b"x"), [("failure", 1002)], id="5.4 nothing to continue"),
        pytest.param(frame(0x01, b"x") + HELLO, [("failure", 1002)], id="5.4 a message inside a message"),
        pytest.param(frame(0x88, b"\x03"), [("failure", 1002)], id="5.5.1 close of one byte"),
        pytest.param(frame(0x88, b"\x03\xed"), [("failure", 1002)], id="7.4.1 code 1005"),
        pytest.param(frame(0x88, b"\x03\xe7"), [("failure", 1002)], id="7.4.2 code 999"),
        pytest.param(frame(0x88, b"\x03\xe8\xff"), [("failure", 1007)], id="5.5.1 reason not UTF-8"),
        pytest.param(frame(0x81, b"\xff"), [("failure", 1007)], id="8.1 not UTF-8"),
        pytest.param(frame(0x81, b"\xed\xa0\x80"), [("failure", 1007)], id="8.1 a surrogate"),
        pytest.param(frame(0x01, b"\xe2\x82") + frame(0x80), [("failure", 1007)], id="8.1 half a character"),
    ],
)
def test_frames_mean_the_same_however_they_are_cut(data, events):
    for pieces in cuts(data) if len(data) < 1000 else [[data], [data[:5], data[5:]]]:
        one = reader()
        assert [event for piece in pieces for event in read_all(one, piece)] == events


@pytest.mark.parametrize("size", [122, 125, 126, 127, 128, 511, 513, 4096, 4099, 65535, 65536])
def test_5_3_a_message_in_one_read_is_unmasked_as_one_in_two(size):
    text = "".join(chr(97 + at % 26) for at in range(size))
    for data, message in [(frame(0x81, text.encode()), text), (frame(0x82, text.encode()), text.encode())]:
        assert read_all(reader(), data) == [message]
        assert type(read_all(reader(), data)[0]) is type(message)
        one = reader()
        assert read_all(one, data[:13]) + read_all(one, data[13:]) == [message]
    assert read_all(reader(), frame(0x81, text.encode() + b"\xff")) == [("failure", 1007)]
    assert read_all(reader(size=size - 1), frame(0x82, text.encode())) == [("failure", 1009)]


def test_5_1_a_client_refuses_masked_frames():
    assert read_all(reader(masked=False), HELLO) == [("failure", 1002)]
    assert read_all(reader(masked=False), frame(0x81, b"Hello", masked=False)) == ["Hello"]


def test_8_1_what_is_no_utf8_is_refused_with_the_byte_that_shows_it():
    one = reader()
    assert read_all(one, frame(0x01, b"ok")) == []
    assert read_all(one, frame(0x00, b"\xff")) == [("failure", 1007)]
    # In a frame that is not complete, too.
    assert read_all(reader(), frame(0x81, b"ab\xff" + b"x" * 100)[:10]) == [("failure", 1007)]


def test_a_message_is_bounded_by_what_its_frames_announce():
    assert read_all(reader(size=5), HELLO) == ["Hello"]
    assert read_all(reader(size=4), HELLO) == [("failure", 1009)]
    assert read_all(reader(size=4), frame(0x02, b"abc") + frame(0x80, b"de")) == [("failure", 1009)]
    assert read_all(reader(size=1000), frame(0x82, b"x" * 1001)[:4]) == []
    assert read_all(reader(size=1000), frame(0x82, b"x" * 1001)[:8]) == [("failure", 1009)]


def test_fragments_of_one_message_are_counted():
    many = frame(0x02, b"x") + frame(0x00, b"x") * 9
    assert read_all(reader(websocket_frames=10), many) == []
    assert read_all(reader(websocket_frames=9), many) == [("failure", 1008)]


def test_nothing_is_read_behind_a_failure():
    one = reader()
    assert read_all(one, frame(0x83) + HELLO) == [("failure", 1002)]
    assert read_all(one, HELLO) == []
    one.push(HELLO)
    assert (one.waiting, one.more) == (0, False)


def test_a_turn_ends_after_some_frames():
    one = reader()
    first = one.feed(HELLO * 1000)
    assert 0 < len(first) < 1000
    assert one.more
    assert len(first) + len(read_all(one, b"")) == 1000


class TestDeflate:
    """RFC 7692 section 6 and 7.2.2."""

    def one(self, size=1 << 20, persistent=True):
        one = reader(size=size)
        one.use(Decompressor(persistent, None, size))
        return one

    def test_a_compressed_message_however_it_is_cut(self):
        payload = deflated(b"Hello Hello Hello")
        data = frame(0x41, payload[:5]) + frame(0x89) + frame(0x80, payload[5:]) + HELLO
        for pieces in cuts(data):
            one = self.one()
            events = [event for piece in pieces for event in read_all(one, piece)]
            assert events == [("control", 9, b""), "Hello Hello Hello", "Hello"]

    def test_rsv1_stands_in_the_first_frame_alone(self):
        assert read_all(self.one(), frame(0x41, b"x") + frame(0xC0, b"x"))[-1] == ("failure", 1002)
        assert read_all(self.one(), frame(0xC9)) == [("failure", 1002)]

    def test_a_bomb_is_refused_before_it_is_inflated(self):
        bomb = deflated(b"\0" * 50_000_000)
        begin = time.process_time()
        assert read_all(self.one(size=100_000), frame(0xC2, bomb)) == [("failure", 1009)]
        assert time.process_time() - begin < 1

    def test_what_is_not_deflated_is_refused(self):
        assert read_all(self.one(), frame(0xC2, b"\xff" * 20)) == [("failure", 1007)]

    def test_final_blocks_begin_anew_and_are_counted(self):
        deflater = zlib.compressobj(wbits=-15)
        final = deflater.compress(b"Hello") + deflater.flush(zlib.Z_FINISH)
        assert read_all(self.one(), frame(0xC1, final + b"\x00")) == ["Hello"]
        assert read_all(self.one(), frame(0xC1, (b"\x03\x00") * 5000)) == [("failure", 1007)]


def _seconds(data: bytes) -> float:
    best = 9.0
    for _ in range(3):
        one = reader(size=1 << 24, websocket_frames=1 << 30)
        begin = time.process_time()
        read_all(one, data)
        best = min(best, time.process_time() - begin)
    return best


@pytest.mark.parametrize(
    "build",
    [
        lambda n: frame(0x89) * n,
        lambda n: frame(0x02, b"x") + frame(0x00, b"x") * n,
        lambda n: frame(0x81, b"x") * n,
    ],
    ids=["pings", "fragments", "messages"],
)
def test_cost_grows_with_the_number_of_frames_alone(build):
    assert _seconds(build(40_000)) < 30 * max(_seconds(build(4_000)), 0.001)


def test_fuzz_no_bytes_raise_and_no_cut_matters():
    chance = random.Random(6455)
    for _ in range(400):
        firsts = (0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, chance.randrange(256))
        sizes = (0, 1, 2, 5, 125, 126, 300)
        count = chance.randrange(1, 6)
        data = b"".join(
            frame(chance.choice(firsts), chance.randbytes(chance.choice(sizes))) for _ in range(count)
        )
        if chance.random() < 0.5:
            at = chance.randrange(len(data))
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        whole, pieces = reader(size=400), reader(size=400)
        expected = read_all(whole, data)
        seen, at = [], 0
        while at < len(data):
            end = at + chance.randrange(1, 9)
            seen += [plain(event) for event in pieces.feed(data[at:end])]
            at = end
        assert seen == expected
