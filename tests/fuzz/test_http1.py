"""Mutations of good and bad requests: whatever comes, the request reader keeps its promises.

Seeded, so that a failure repeats; ZONDA_FUZZ_SECONDS and ZONDA_FUZZ_SEED make it run longer and elsewhere.
"""

import os
import random
import time
from dataclasses import replace

from tests.core.wire.http1.corpus import BAD, GOOD, NEXT
from tests.core.wire.http1.reading import Seen, drive, one_by_one, read
from zonda._core.base.limits import DEFAULT_LIMITS
from zonda._core.wire.http1.events import END, RequestHead
from zonda._core.wire.http1.request import RequestReader

SECONDS = float(os.environ.get("ZONDA_FUZZ_SECONDS", "6"))
SEED = int(os.environ.get("ZONDA_FUZZ_SEED", "20091110"))
#: Small enough for mutations to reach each bound.
LIMITS = replace(
    DEFAULT_LIMITS,
    line_bytes=200,
    head_bytes=600,
    header_count=40,
    body_bytes=400,
    chunk_extra_bytes=100,
    pipelined_requests=4,
)

CORPUS = [data for data, _ in (GOOD | BAD).values() if len(data) < 2000]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"=", b'"', b"0", b"1", b"f", b"-", b"+",
    b"\xff", b"\r\n\r\n", b"\n\n", b"\n\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"1;a=b\r\nx\r\n",
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"Host: b\r\n", b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"Connection: keep-alive\r\n", b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n",
    b"Proxy-Connection: close\r\n", b"Expect: 100-continue\r\n", b"Trailer: x\r\n",
    b"X: " + b"a" * 300 + b"\r\n", b"Content-Length: 5\r\n\r\n", b"POST / HTTP/1.0\r\n", b"X:\r\n", b"GET ",
    b"POST ", b"CONNECT a:1 ", b"http://c/d", b"*", NEXT,
]  # fmt: skip


def mutate(rng: random.Random, data: bytes) -> bytes:
    mutant = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(mutant))
        kind = rng.randrange(6)
        if kind == 0:
            mutant[at:at] = rng.choice(TOKENS)
        elif kind == 1:
            mutant[at : at + rng.randint(1, 6)] = b""
        elif kind == 2:
            mutant[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            mutant[at : at + rng.randint(1, 4)] = rng.choice(TOKENS)
        elif kind == 4:
            mutant += rng.choice(CORPUS)
        else:
            mutant[at:at] = mutant[at : at + rng.randint(1, 40)]
    return bytes(mutant[:4000])


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    points = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, 6)))
    return [data[a:b] for a, b in zip([0, *points], [*points, len(data)], strict=True)]


def check_head(event: Seen) -> None:
    _, method, target, version, _, block, _, length, chunked, _, _ = event
    assert isinstance(block, str) and isinstance(target, str) and isinstance(length, int)
    lines = block[2:-2].split("\r\n") if len(block) > 2 else []
    for line in lines:
        assert "\n" not in line and "\r" not in line and "\0" not in line, block
        name, colon, _ = line.partition(":")
        assert colon and name and name == name.strip(), block
    names = [line.partition(":")[0].lower() for line in lines]
    assert names.count("host") == 1 or (version == "HTTP/1.0" and "host" not in names)
    assert names.count("content-length") <= 1 and names.count("transfer-encoding") <= 1
    assert not ("content-length" in names and "transfer-encoding" in names)
    assert chunked == ("transfer-encoding" in names)
    assert not (chunked and version == "HTTP/1.0")
    assert len(names) <= LIMITS.header_count and len(block) <= LIMITS.head_bytes
    assert target.startswith("/") or (target == "*" and method == "OPTIONS")
    assert target.isprintable() and " " not in target
    assert method != "CONNECT"


def check(seen: list[Seen]) -> None:
    """What must hold of any input's events."""
    body: int | None = None
    head: Seen = ()
    for number, event in enumerate(seen):
        kind = event[0]
        if kind == "head":
            assert body is None, "a head inside a body"
            check_head(event)
            head = event
            body = 0 if event[7] or event[8] else None
        elif kind == "body":
            assert body is not None and isinstance(event[1], bytes)
            body += len(event[1])
            assert body <= LIMITS.body_bytes
        elif kind == "end":
            assert body is not None and (head[8] or body == head[7])
            body = None
        else:
            assert number == len(seen) - 1 and event[1] in (400, 413, 414, 431)
            assert isinstance(event[2], str) and event[2]


def test_mutations_keep_the_promises_of_the_reader() -> None:
    rng = random.Random(SEED)
    deadline = time.monotonic() + SECONDS
    tried = accepted = refused = 0
    while time.monotonic() < deadline:
        data = mutate(rng, rng.choice(CORPUS))
        try:
            whole = read([data], LIMITS)
            check(whole)
            assert read(cut(rng, data), LIMITS) == whole
            assert read([data], LIMITS, warm=True) == whole
            if tried % 10 == 0:
                assert read(one_by_one(data), LIMITS) == whole
            failed = bool(whole) and whole[-1][0] == "error"
            if failed:
                # Nothing is read behind an error.
                assert read([data, NEXT], LIMITS) == whole
        except BaseException:
            print(f"input number {tried}, seed {SEED}: {data!r}")
            raise
        tried += 1
        accepted += not failed
        refused += failed
    assert accepted > 100 and refused > 100, (tried, accepted, refused)


def test_random_bytes_are_no_requests() -> None:
    rng = random.Random(SEED)
    for _ in range(2000):
        data = rng.randbytes(rng.randint(1, 200)) + b"\r\n\r\n"
        events = drive(RequestReader(LIMITS), data)
        assert not any(isinstance(event, RequestHead) or event is END for event in events)
