"""RFC 6455 section 4, RFC 7692 section 7.1: who is let in, and what is agreed on."""

import pytest

from tests.core.wire.growth import assert_linear
from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.wire.http1.request import RequestReader
from zonda._core.wire.ws import handshake
from zonda._core.wire.ws.extension import Agreement, accept_offer, print_offer, read_answer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def head(*, line="GET / HTTP/1.1", version="13", keys=(KEY,), upgrade="websocket", more=""):
    text = f"{line}\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: {upgrade}\r\n"
    text += "".join(f"Sec-WebSocket-Key: {key}\r\n" for key in keys)
    text += f"Sec-WebSocket-Version: {version}\r\n{more}\r\n"
    return RequestReader(Limits()).feed(text.encode())[0]


def test_1_3_the_accept_value_of_the_rfc():
    assert handshake.accept_value(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_4_2_1_a_good_request_gives_its_key():
    good = head(upgrade="h2c, WebSocket")
    handshake.check_upgrade(good)
    assert handshake.check_key(good) == KEY


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head(version="8"), 426),
        (head(version="13, 8"), 426),
        (head(keys=()), 400),
        (head(keys=(KEY, KEY)), 400),
        (head(keys=("c2hvcnQ=",)), 400),
        (head(keys=("dGhlIHNhbXBsZSBub25jZSEh",)), 400),
        (head(keys=("*" * 24,)), 400),
        (head(line="POST / HTTP/1.1", more="Content-Length: 0\r\n"), 400),
        (head(more="Content-Length: 3\r\n"), 400),
        (head(more="Transfer-Encoding: chunked\r\n"), 400),
        (head(line="GET / HTTP/1.0"), 400),
    ],
)
def test_4_2_1_others_are_refused(request_head, status):
    with pytest.raises(ProtocolError) as caught:
        handshake.check_key(request_head)
    assert caught.value.status == status


@pytest.mark.parametrize("name", ["caf\xe9", "a b", "a,,b", '"a"'])
def test_4_1_a_subprotocol_is_a_token(name):
    with pytest.raises(ProtocolError):
        handshake.offered_subprotocols(head(more=f"Sec-WebSocket-Protocol: {name}\r\n"))


def test_4_1_subprotocols_keep_their_order_over_several_fields():
    more = "Sec-WebSocket-Protocol: b, a\r\nSec-WebSocket-Protocol: c\r\n"
    assert handshake.offered_subprotocols(head(more=more)) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("offer", "options", "answer"),
    [
        ("permessage-deflate", {}, "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", {}, "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits",
            {"client_max_window_bits": 10},
            "permessage-deflate; client_max_window_bits=10",
        ),
        ("permessage-deflate", {"client_max_window_bits": 10}, "permessage-deflate"),
        (
            "permessage-deflate; server_max_window_bits=10; server_no_context_takeover",
            {},
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
        ),
        (
            "permessage-deflate",
            {"client_no_context_takeover": True, "server_max_window_bits": 12},
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=12",
        ),
        ("permessage-deflate; server_max_window_bits=16, permessage-deflate", {}, "permessage-deflate"),
        ("x-other, permessage-deflate", {}, "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits", {}, None),
        ("permessage-deflate; server_max_window_bits=08", {}, None),
        ("permessage-deflate; client_no_context_takeover=1", {}, None),
        ("permessage-deflate; unknown", {}, None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", {}, None),
        ("permessage-deflate; =1", {}, None),
        ("", {}, None),
    ],
)
def test_7692_7_1_the_server_answers_an_offer(offer, options, answer):
    accepted = accept_offer([offer], options)
    assert (accepted and accepted[1]) == answer


def test_7692_a_window_of_eight_bits_is_read_and_not_written():
    accepted = accept_offer(["permessage-deflate; server_max_window_bits=8"], {})
    assert accepted is not None
    assert accepted[0].compressor(True, {}) is None


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ("permessage-deflate", None),
        ("x-other", {}),
        ("permessage-deflate, permessage-deflate", {}),
        ("permessage-deflate; client_max_window_bits", {}),
        ("permessage-deflate; server_max_window_bits=12", {"server_max_window_bits": 10}),
        ("permessage-deflate", {"server_no_context_takeover": True}),
    ],
)
def test_7692_7_1_the_client_refuses_what_it_did_not_offer(answer, options):
    with pytest.raises(ProtocolError):
        read_answer([answer], options)


def test_7692_7_1_the_client_offers_and_agrees():
    options = {"server_no_context_takeover": True, "client_max_window_bits": 12}
    offer = print_offer(options)
    accepted = accept_offer([offer], {})
    assert accepted is not None
    assert read_answer([accepted[1]], options) == Agreement(True, False, 15, 12) == accepted[0]


@pytest.mark.parametrize(
    "element",
    ["permessage-deflate; server_max_window_bits=16,", 'x; a="b\\"c",', ",", '"', "; a;", "a=b ;\t"],
)
def test_cost_of_extensions_is_linear(element):
    assert_linear(lambda n: [element * n], lambda values: accept_offer(values, {}), 20)


def test_cost_of_subprotocols_is_linear():
    assert_linear(
        lambda n: head(more=f"Sec-WebSocket-Protocol: {'a, ' * n}b\r\n"), handshake.offered_subprotocols, 20
    )
