"""The upload demo: bodies are hashed in pieces, and the token is asked for before a body is read."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PIECE = bytes(range(256)) * 256
PIECES = 2**14  # 1 GiB; the server takes 100 MB of a body that is held
GROWTH = 4_000  # kilobytes: no more than what is on its way through


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("upload")


def signed_visitor(demo: Any) -> Any:
    visitor = demo.visitor()
    token = re.search(r'data-xsrf="([^"]+)"', visitor.get("/").body)
    assert token is not None
    visitor.headers["X-XSRFToken"] = token[1]
    return visitor


def peak_kilobytes(demo: Any) -> int:
    status = Path(f"/proc/{demo.process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1])


def forget_peak(demo: Any) -> None:
    """The peak begins anew from now: start-up's own could hide a growth."""
    Path(f"/proc/{demo.process.pid}/clear_refs").write_text("5")


def test_a_body_is_hashed_while_it_arrives(demo: Any) -> None:
    answer = signed_visitor(demo).ask("PUT", "/upload/some%20file", body=PIECE)
    told = json.loads(answer.body)
    assert told.pop("pieces") >= 1
    assert told == {"name": "some file", "size": len(PIECE), "sha256": hashlib.sha256(PIECE).hexdigest()}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")
def test_a_large_body_is_never_held(demo: Any) -> None:
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for _ in range(PIECES):
            digest.update(PIECE)
            yield PIECE

    visitor = signed_visitor(demo)
    forget_peak(demo)
    before = peak_kilobytes(demo)
    length = {"Content-Length": str(PIECES * len(PIECE))}
    told = json.loads(visitor.ask("PUT", "/upload/large", body=pieces(), headers=length).body)
    assert (told["size"], told["sha256"]) == (PIECES * len(PIECE), digest.hexdigest())
    assert peak_kilobytes(demo) - before < GROWTH


def test_a_body_without_the_token_is_refused(demo: Any) -> None:
    assert demo.visitor().ask("PUT", "/upload/x", body=b"x").status == 403
