"""The line to a supervisor, heard on both loops; the id of a process."""

import asyncio
import os
import re
import socket
import subprocess
import sys

import pytest

from tests.core.net.loops import Run
from zonda._core.net import supervised
from zonda._core.net.control import ControlLine


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No id was asked for yet, and no supervisor was joined."""
    monkeypatch.setattr(supervised, "_own", None)
    monkeypatch.setattr(supervised, "_is_worker", False)
    return monkeypatch


def test_an_id_is_made_once_for_each_process(fresh):
    own = supervised.node_id()
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", own)
    assert supervised.node_id() == own
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, supervised.node_id().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        other = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", other)
    assert other != own


@pytest.mark.parametrize("given", ["a-b.c_9", "x" * 64])
def test_a_supervisors_id_is_taken_and_not_handed_on(fresh, given):
    fresh.setenv("ZONDA_NODE", given)
    assert supervised.node_id() == given
    ask = "from zonda._core.net.supervised import node_id; print(node_id())"
    other = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert other.strip() not in ("", given)


@pytest.mark.parametrize("given", ["", "a/b", "x" * 65, "a\n"])
def test_an_id_that_is_none_is_not_taken(fresh, given):
    fresh.setenv("ZONDA_NODE", given)
    assert supervised.node_id() != given


def test_without_a_supervisor_all_is_harmless(run: Run, monkeypatch):
    monkeypatch.delenv("ZONDA_CONTROL_FD", raising=False)

    async def main() -> None:
        assert await supervised.join() is False
        assert supervised.tell(ready=True) is False
        supervised.on_node_gone(print)()
        assert supervised.inherited_sockets("ZONDA_LISTEN_FDS") == []

    run(main())


@pytest.mark.parametrize("fd", ["x", "987654"])
def test_a_wrong_number_in_the_environment_is_named(run: Run, monkeypatch, fd):
    monkeypatch.setenv("ZONDA_CONTROL_FD", fd)
    monkeypatch.setenv("ZONDA_NODE", "n")
    with pytest.raises(ValueError, match=f"names '{fd}', which is no socket"):
        run(supervised.join())


def test_what_goes_over_the_line(run: Run, fresh, expect_log):
    expect_log("zonda.application", "in a callback of on_node_gone")
    ours, theirs = socket.socketpair()
    fresh.setenv("ZONDA_CONTROL_FD", str(theirs.detach()))
    heard: list[object] = []

    def failing(node: str) -> None:
        raise RuntimeError

    async def main() -> None:
        takers = [supervised.on_node_gone(failing), supervised.on_node_gone(heard.append)]
        line = await ControlLine.open(ours)
        assert await supervised.join()
        assert "ZONDA_CONTROL_FD" not in os.environ
        assert supervised.tell(ready=True)
        async for message in line.messages():
            assert message == {"ready": True}
            break
        line.send({"gone": "n-1"})
        line.send({"news": "not understood, passed over"})
        line.send({"leave": True})
        line.send({"leave": "now"})
        line.close()
        await supervised.hear(heard.append)
        assert heard == ["n-1", False, True, False]
        for take_back in takers:
            take_back()
        await asyncio.sleep(0)

    run(main())


@pytest.mark.parametrize("bad", [b"no json\n", b"x" * 5000 + b"\n", b"\xff\n", b'{"cut": '])
def test_a_bad_line_ends_the_line(run: Run, expect_log, bad):
    expect_log("zonda.general", "Not a line of control", required=b"cut" not in bad)
    ours, theirs = socket.socketpair()

    async def main() -> None:
        line = await ControlLine.open(ours)
        theirs.sendall(b'{"a": 1}\n[]\n' + bad)
        theirs.close()
        assert [message async for message in line.messages()] == [{"a": 1}]
        line.close()
        await asyncio.sleep(0)

    run(main())


def test_what_is_never_read_is_bounded(run: Run, expect_log):
    dropped = expect_log("zonda.general", "Dropped")
    ours, theirs = socket.socketpair()

    async def main() -> None:
        line = await ControlLine.open(ours)
        for _ in range(2000):
            line.send({"gone": "n" * 1000})
        assert len(dropped.records) > 500
        line.close()
        theirs.close()
        await asyncio.sleep(0)

    run(main())
