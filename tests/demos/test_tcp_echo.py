"""The TCP echo demo: its server by a bare socket, and its client as a program."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "demos" / "tcp_echo" / "main.py"


@pytest.fixture
def demo(start_demo: Callable[..., Any]) -> Any:
    return start_demo("tcp_echo")


def client(port: int, *lines: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), f"--port={port}", "--connect", *lines],
        input=standard_input,
        capture_output=True,
        text=True,
        timeout=20,
    )


def connect(demo: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", demo.port), timeout=10)


def read_until_close(sock: socket.socket) -> bytes:
    read = b""
    while piece := sock.recv(65536):
        read += piece
    return read


def test_the_client_prints_what_the_server_sends_back(demo: Any) -> None:
    done = client(demo.port, "hello", "zwölf Boxkämpfer", "")
    assert (done.stdout, done.stderr, done.returncode) == ("hello\nzwölf Boxkämpfer\n\n", "", 0)
    demo.wait_for_line(" went")


def test_the_client_reads_lines_of_standard_input(demo: Any) -> None:
    done = client(demo.port, standard_input="one\ntwo without an end")
    assert (done.stdout, done.returncode) == ("one\ntwo without an end\n", 0)


def test_the_client_says_that_nobody_is_there(free_port: Callable[[], int]) -> None:
    port = free_port()
    done = client(port, "hello")
    assert done.returncode == 1 and done.stderr.startswith(f"No echo from 127.0.0.1:{port}: ")
    assert "Traceback" not in done.stderr


def test_lines_come_back_however_they_are_cut_and_beside_one_another(demo: Any) -> None:
    with connect(demo) as slow, connect(demo) as quick:
        slow.sendall(b"begun, ")
        quick.sendall(b"one\ntwo\n" + b"x" * 30000 + b"\nunfinished")
        quick.shutdown(socket.SHUT_WR)
        assert read_until_close(quick) == b"one\ntwo\n" + b"x" * 30000 + b"\n"
        slow.sendall(b"and done\n")
        slow.shutdown(socket.SHUT_WR)
        assert read_until_close(slow) == b"begun, and done\n"


def test_a_line_too_long_ends_its_connection_and_no_other(demo: Any) -> None:
    with connect(demo) as other, connect(demo) as endless:
        with pytest.raises(ConnectionError):
            for _ in range(
                1000
            ):  # 64 MB; without a longest line the stream's whole buffer would fill, 100 MB
                endless.sendall(b"x" * 65536)
        other.sendall(b"still here\n")
        other.shutdown(socket.SHUT_WR)
        assert read_until_close(other) == b"still here\n"


def test_who_does_not_read_is_not_read_from(demo: Any) -> None:
    line = b"x" * 9999 + b"\n"
    with connect(demo) as deaf:
        deaf.settimeout(0.5)
        with pytest.raises(TimeoutError):
            for _ in range(6400):  # 64 MB: more than the buffers between two sockets hold
                deaf.sendall(line)
    assert client(demo.port, "still here").stdout == "still here\n"
