"""The account of compression contexts, and how both sides draw from it before they agree."""

import gc
import random
import threading
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zonda._core.base.errors import ProtocolError
from zonda._core.wire.ws.deflate import Compressor, Decompressor
from zonda._core.wire.ws.deflate_memory import MEMORY, DeflateMemory, deflater_bytes, inflater_bytes
from zonda._core.wire.ws.extension import accept_offer, draw_for_offer, print_offer, read_answer

OFFER = ["permessage-deflate; client_max_window_bits"]
#: Of one connection with zlib's defaults: what its manual says, and 8 KB each.
BOTH = (128 + 128 + 8 + 32 + 8) * 1024


@pytest.fixture(autouse=True)
def nothing_is_drawn_before_and_after():
    gc.collect()
    assert MEMORY.drawn == 0
    yield
    assert MEMORY.drawn == 0


def test_no_more_is_drawn_than_allowed():
    account = DeflateMemory()
    first, second = account.draw(60, 100), account.draw(40, 100)
    assert first is not None and second is not None
    assert account.draw(1, 100) is None
    assert account.drawn == 100
    # Who is allowed more finds more; nothing is what everybody may draw.
    assert account.draw(5, 105) is not None
    assert account.draw(0, 100) is not None
    assert account.draw(10**9, None) is not None


def test_what_nobody_holds_is_given_back():
    account = DeflateMemory()
    share = account.draw(60, 100)
    holders = [share, share]
    del share
    holders.pop()
    assert account.drawn == 60
    holders.pop()
    assert account.drawn == 0
    assert account.draw(100, 100) is not None


def test_what_is_not_needed_is_given_back():
    account = DeflateMemory()
    share = account.draw(60, 100)
    share.shrink(10)
    assert (account.drawn, share.size) == (10, 10)
    del share
    assert account.drawn == 0


def test_a_share_in_a_cycle_is_given_back_whenever_it_is_found():
    account = DeflateMemory()
    for _ in range(2000):
        # The collector comes along in the middle of what the account does.
        cycle = [account.draw(1, None)]
        cycle.append(cycle)
    del cycle
    gc.collect()
    assert account.drawn == 0


def test_threads_draw_from_the_same_account():
    account = DeflateMemory()
    drawn: list[int] = []

    def draw():
        for _ in range(2000):
            share = account.draw(3, 10)
            if share is not None:
                drawn.append(account.drawn)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(drawn) <= 9
    assert account.drawn == 0


# ---- what is agreed on


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, BOTH),
        ({"mem_level": 9}, BOTH + 128 * 1024),
        ({"mem_level": 1, "server_max_window_bits": 9}, 2048 + 1024 + 8192 + 32768 + 8192),
        ({"client_max_window_bits": 10}, deflater_bytes(15, 8) + inflater_bytes(10)),
        ({"server_no_context_takeover": True}, inflater_bytes(15)),
        ({"client_no_context_takeover": True}, deflater_bytes(15, 8)),
        # zlib writes no such window: nothing is compressed.
        ({"server_max_window_bits": 8}, inflater_bytes(15)),
        ({"server_no_context_takeover": True, "client_no_context_takeover": True}, 0),
    ],
)
def test_the_server_draws_what_its_contexts_hold(options, size):
    agreement, field = accept_offer(OFFER, options, size)
    assert MEMORY.drawn == size == agreement.context_bytes(True, options)
    again, field_again = accept_offer(OFFER, options, size)
    forgets = (again.server_no_context_takeover, again.client_no_context_takeover)
    if size:
        assert forgets == (True, True)
        assert field_again.startswith(
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        )
        assert MEMORY.drawn == size
    else:
        assert field_again == field


def test_without_a_bound_everybody_draws():
    agreements = [accept_offer(OFFER, {}) for _ in range(1000)]
    assert {field for _, field in agreements} == {"permessage-deflate"}
    assert MEMORY.drawn == 1000 * BOTH


@pytest.mark.parametrize("first", [0, 1])
def test_the_contexts_hold_the_share(first):
    agreement, _ = accept_offer(OFFER, {}, BOTH)
    contexts = [agreement.compressor(True, {}), agreement.decompressor(True, 1000)]
    del agreement
    assert MEMORY.drawn == BOTH
    contexts.pop(first)
    assert MEMORY.drawn == BOTH
    contexts.pop()
    assert MEMORY.drawn == 0


def test_an_offer_that_is_not_taken_draws_nothing():
    assert accept_offer(["permessage-deflate; unknown, x-other"], {}, 10**6) is None
    assert MEMORY.drawn == 0


def test_the_client_draws_before_it_offers():
    options, share = draw_for_offer({}, BOTH)
    assert print_offer(options) == "permessage-deflate; client_max_window_bits"
    assert MEMORY.drawn == BOTH
    options, none = draw_for_offer({"mem_level": 5}, BOTH)
    assert none is None
    assert print_offer(options) == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    )
    assert options["mem_level"] == 5
    # The client has no context, whatever the server answers; and the server must promise to have none.
    agreement = read_answer(["permessage-deflate; server_no_context_takeover"], options, none)
    assert agreement.context_bytes(False, options) == 0
    with pytest.raises(ProtocolError):
        read_answer(["permessage-deflate"], options, none)
    assert share.size == BOTH


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        ("permessage-deflate", BOTH),
        ("permessage-deflate; server_no_context_takeover", deflater_bytes(15, 8)),
        ("permessage-deflate; client_no_context_takeover", inflater_bytes(15)),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
            deflater_bytes(9, 8) + inflater_bytes(10),
        ),
        ("permessage-deflate; client_max_window_bits=8", inflater_bytes(15)),
    ],
)
def test_the_client_keeps_what_was_agreed_on(answer, size):
    options, share = draw_for_offer({}, None)
    agreement = read_answer([answer], options, share)
    assert MEMORY.drawn == size
    contexts = agreement.compressor(False, options), agreement.decompressor(False, 1000)
    del agreement, share
    assert MEMORY.drawn == size
    del contexts


# ---- messages without a context


@given(st.integers(9, 15), st.integers(1, 9), st.integers(0, 80_000), st.booleans())
@example(9, 1, 249, False)
@example(9, 1, 250, False)
@example(15, 9, 70_000, True)
def test_a_message_alone_keeps_to_the_window_that_was_agreed_on(wbits, mem_level, size, varied):
    pattern = bytes(range(256)) * 3 + b"x" * 100 if varied else b"to and fro "
    message = (pattern * (size // len(pattern) + 1))[:size]
    compressor = Compressor(False, wbits, {"mem_level": mem_level})
    decompressor = Decompressor(False, wbits, size)
    for _ in range(2):
        assert decompressor.decompress(compressor.compress(message)) == message


@pytest.mark.parametrize("size", [0, 1, 50, 249, 250, 1000, 5000, 30_000, 100_000])
def test_a_message_alone_gets_as_small_as_with_the_largest_window(size):
    message = b"".join(b"%d, " % (number * number) for number in range(20_000))[:size]
    whole = zlib.compressobj(-1, zlib.DEFLATED, -15, 8)
    printed = whole.compress(message) + whole.flush(zlib.Z_SYNC_FLUSH)
    assert len(Compressor(False, None).compress(message)) <= 1.02 * len(printed)


def test_a_message_alone_refers_to_all_of_itself():
    half = random.Random(1).randbytes(300)
    assert len(Compressor(False, None).compress(half + half)) < 330
