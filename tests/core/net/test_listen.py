"""Listening and accepting: out of file descriptors, many connections at once, paths."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.net.loops import Run
from zonda._core.net.listen import _ACCEPTS_PER_TURN
from zonda.netutil import add_accept_handler, bind_sockets, bind_unix_socket, is_valid_ip


class Exhausted(socket.socket):
    """A listening socket whose process has no file descriptor left until `healed`."""

    healed = False
    attempts = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.attempts += 1
        if not self.healed:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


@contextlib.contextmanager
def listening(kind: type[socket.socket] = socket.socket) -> Iterator[Any]:
    with kind(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        sock.listen(128)
        yield sock


def test_out_of_file_descriptors_the_loop_goes_on_and_accepts_later(run: Run, expect_log: Any) -> None:
    log = expect_log("zonda.general", "Cannot accept on .*Too many open files")

    async def main() -> None:
        accepted = asyncio.get_running_loop().create_future()
        with listening(Exhausted) as sock, socket.create_connection(sock.getsockname()):
            stop = add_accept_handler(sock, lambda connection, address: accepted.set_result(connection))
            served = 0
            async with asyncio.timeout(5):
                while sock.attempts < 3:
                    served += 1
                    await asyncio.sleep(0)
            # A loop that spins would have tried as often as it served.
            assert served > 100
            sock.healed = True
            (await accepted).close()
            stop()
        assert len(log.records) == 1

    run(main())


def test_stopped_while_it_rests(run: Run, expect_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expect_log("zonda.general", "Cannot accept")
    monkeypatch.setattr("zonda._core.net.listen._ACCEPT_RETRY", 0.005)

    async def main() -> None:
        with listening(Exhausted) as sock, socket.create_connection(sock.getsockname()):
            stop = add_accept_handler(sock, lambda connection, address: connection.close())
            for _ in range(100):
                await asyncio.sleep(0)
            attempts = sock.attempts
            assert attempts
            stop()
            await asyncio.sleep(0.03)  # several times what it rests: nothing may come
            assert sock.attempts == attempts

    run(main())


def test_a_queue_of_connections_is_taken_in_portions(run: Run) -> None:
    async def main() -> None:
        connections: list[socket.socket] = []
        per_turn: list[int] = []
        with listening() as sock, contextlib.ExitStack() as stack:
            for _ in range(_ACCEPTS_PER_TURN + 10):
                stack.enter_context(socket.create_connection(sock.getsockname()))
            stop = add_accept_handler(sock, lambda connection, address: connections.append(connection))
            while len(connections) < _ACCEPTS_PER_TURN + 10:
                before = len(connections)
                await asyncio.sleep(0)
                per_turn.append(len(connections) - before)
            assert max(per_turn) == _ACCEPTS_PER_TURN
            stop()
            for connection in connections:
                connection.close()

    run(main())


def test_a_stop_inside_the_callback_is_the_end(run: Run) -> None:
    async def main() -> None:
        taken = []
        with listening() as sock:
            with socket.create_connection(sock.getsockname()), socket.create_connection(sock.getsockname()):

                def take(connection: socket.socket, address: Any) -> None:
                    taken.append(address)
                    connection.close()
                    stop()

                stop = add_accept_handler(sock, take)
                for _ in range(20):
                    await asyncio.sleep(0)
        assert len(taken) == 1

    run(main())


def test_unix_socket_file(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with bind_unix_socket(str(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with bind_unix_socket(str(path), mode=0o660):  # the old one is replaced
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    other = tmp_path / "file"
    other.write_text("keep me")
    with pytest.raises(ValueError, match="not a socket"):
        bind_unix_socket(str(other))
    assert other.read_text() == "keep me"


def test_abstract_unix_socket() -> None:
    name = f"\0zonda-test-{os.getpid()}"
    with bind_unix_socket(name), socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(name)


def test_a_failed_bind_leaves_no_socket_open() -> None:
    # What it leaves is seen by the fixture that counts sockets.
    with listening() as taken, pytest.raises(OSError) as failure:
        bind_sockets(taken.getsockname()[1], "127.0.0.1")
    assert failure.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(
    "ip", ["127.1", "1", "0x7f.1", "01.2.3.4", "1.2.3.4%lo", "::1\n", "[::1]", "é", "::1%"]
)
def test_what_is_no_full_address_is_not_valid(ip: str) -> None:
    assert not is_valid_ip(ip)
