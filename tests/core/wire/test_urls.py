"""Hosts (RFC 3986, 3.2), queries, credentials."""

import ipaddress
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda._core.wire.urls import check_host, encode_username_password, split_host_and_port, url_concat

PORTS = st.none() | st.integers(0, 65535)


@given(st.ip_addresses() | st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,10}){0,4}", fullmatch=True), PORTS)
def test_good_hosts_pass_and_are_split(host, port):
    text = f"[{host}]" if isinstance(host, ipaddress.IPv6Address) else str(host)
    netloc = text if port is None else f"{text}:{port}"
    assert check_host(netloc)
    if port is not None or not text.startswith("["):
        assert split_host_and_port(netloc) == (text, port)


@pytest.mark.parametrize(
    "host",
    ["a", "a.b:80", "a_b", "~", "a%41:1", "127.0.0.1:65535", "[::1]", "[::ffff:1.2.3.4]:1", "[v1.a:b]", "a:",
     "[::1]:", "a:00080", "xn--bcher-kva.example", "(a)!"],
)  # fmt: skip
def test_host_of_rfc_3986_passes(host):
    assert check_host(host)


@pytest.mark.parametrize(
    "host",
    ["", ":", ":80", "[::1", "[zz]", "[]", "[]:80", "a:8x", "a:1:2", "a:65536", "a:-1", "a:+1", "a: 1",
     "a:8_0", "a:\u0668", "a:\uff18", "a b", " a", "a ", "a\n", "a:80\n", "a\t", "a/b", "a?b", "a#b", "a@b",
     "u:p@h",
     "a\\b", "a,b", "a,b c", "\u00e9", "a%4", "a%zz", "a%", "[::1]x", "[::1]80", "[[::1]]", "[::1%25eth0]",
     "[::1%eth0]", "[1.2.3.4]", "::1", "[1:2:3:4:5:6:7:8:9]", "[v.a]", "[v1.]", "a\0", "a\x7f", "a[b]", "<a>",
     "[::1]:65536", "a:000080"],
)  # fmt: skip
def test_other_hosts_are_refused(host):
    assert not check_host(host)


@given(st.text(max_size=30))
def test_what_passes_is_safe_to_put_in_a_url(host):
    if check_host(host):
        assert not set(host) & set('\r\n\t /\\?#@<>"\0')
        assert host.isascii()


def test_cost_of_hosts_is_linear():
    for make in (
        lambda n: "a" * n + "/",
        lambda n: "a." * n + ":1:1",
        lambda n: "%41" * n + "%",
        lambda n: "[" + ":" * n + "]",
        lambda n: "[v1." + "a" * n + "/]",
        lambda n: "a:" + "1" * n,
    ):
        assert_linear(make, check_host, 1000)
        assert not check_host(make(1000))


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        # Obtained from Tornado 6.6.1.
        ("a:", ("a:", None)), (":80", (":80", None)), ("a:80:90", ("a:80", 90)), ("::1", (":", 1)),
        ("[::1]", ("[::1]", None)), ("a:-1", ("a:-1", None)), ("", ("", None)),
        ("a:99999999", ("a", 99999999)),
        # There Tornado takes digits of other scripts.
        ("a:\u0662", ("a:\u0662", None)),
        ("a:" + "9" * 100000, ("a:" + "9" * 100000, None)),
    ],
)  # fmt: skip
def test_splitting(netloc, expected):
    assert split_host_and_port(netloc) == expected


@given(st.lists(st.tuples(st.text(), st.text(min_size=1))), st.text(alphabet="abc&=%+;", max_size=10))
def test_arguments_of_a_url_are_read_back(args, query):
    before = parse_qsl(query, keep_blank_values=True)
    parts = urlsplit(url_concat(f"http://h/p?{query}#f", args))
    assert parse_qsl(parts.query, keep_blank_values=True) == before + args
    assert (parts.netloc, parts.path, parts.fragment) == ("h", "/p", "f")


@pytest.mark.parametrize("args", [5, "ab", b"ab", {1}])
def test_arguments_of_other_kinds_are_refused(args):
    with pytest.raises(TypeError, match="'args' parameter should be dict, list or tuple"):
        url_concat("http://a/", args)


def test_credentials_are_normalized_text_or_bytes_as_they_are():
    assert encode_username_password("e\u0301", b"\xff") == b"\xc3\xa9:\xff"
