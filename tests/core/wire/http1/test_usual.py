"""Readers that share a parser and the hosts seen: what one reads is nothing to the others."""

import pytest

from tests.core.wire.http1.corpus import BAD, GOOD, NEXT
from tests.core.wire.http1.reading import Seen, drive, plain
from zonda._core.base.limits import Limits
from zonda._core.wire.http1.events import RequestHead
from zonda._core.wire.http1.request import RequestReader
from zonda._core.wire.http1.usual import Shared

ALL = GOOD | BAD


def told(data: bytes, shared: Shared | None = None) -> list[Seen]:
    return [plain(event) for event in drive(RequestReader(Limits(), shared), data)]


def get(host: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


@pytest.mark.parametrize("name", ALL)
def test_whatever_one_reads_the_next_reads_as_if_it_were_alone(name: str) -> None:
    data, _ = ALL[name]
    alone, usual = told(data), told(NEXT)
    shared = Shared()
    assert told(NEXT, shared) == usual
    for _ in range(2):
        assert told(data, shared) == alone
        assert told(NEXT, shared) == usual
    # Whatever was wrong, the quickest way is open to the next.
    told(get(b"a"), shared)
    assert RequestReader(Limits(), shared)._read_usual(get(b"a")) is not None


def test_a_host_that_one_found_good_the_others_need_not_look_at() -> None:
    shared = Shared()
    for host, text in (
        (b"a.example", "a.example"),
        (b"b.example:80", "b.example:80"),
        (b"a.example", "a.example"),
    ):
        (head,) = RequestReader(Limits(), shared).feed(get(host))
        assert isinstance(head, RequestHead)
        assert head.host == text
    assert set(shared.hosts) == {"a.example", "b.example:80"}
    reader = RequestReader(Limits(), shared)
    assert reader._read_usual(get(b"b.example:80")) is not None
    assert reader._read_usual(get(b"c.example")) is None


def test_hosts_that_are_remembered_are_bounded() -> None:
    shared = Shared()
    for number in range(1000):
        drive(RequestReader(Limits(), shared), get(b"host-%d.example" % number))
    drive(RequestReader(Limits(), shared), get(b"x" * 1000))
    assert 0 < len(shared.hosts) <= 256
    assert max(map(len, shared.hosts)) < 300
    assert "host-999.example" in shared.hosts


def test_a_bad_host_is_not_remembered() -> None:
    shared = Shared()
    drive(RequestReader(Limits(), shared), get(b"a b"))
    assert not shared.hosts
