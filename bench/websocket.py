"""What a WebSocket costs: processor time for each echo, and memory while nothing is said."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence

from bench.contest import BENCH, BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import (
    ANSWER_SECONDS,
    CONNECTIONS,
    allow_files,
    pinned,
    processor_seconds,
    resident_kb,
    serving,
)
from bench.programs import program

SIZES = (32, 4096)
IDLE = 8000
OPEN_SECONDS = 60.0
MEASURES = (
    *(Measure(str(size), f"us/echo, {size} B") for size in SIZES),
    Measure("idle", "KB/idle connection", "KB"),
)
CONTESTANTS = (
    Contestant("zonda", "zonda", ("zonda", "uvloop")),
    Contestant("picows", "picows (Cython)", ("picows", "aiofastnet", "uvloop")),
    Contestant("aiohttp", "aiohttp on uvloop", ("aiohttp", "uvloop")),
    Contestant("websockets", "websockets on uvloop", ("websockets", "uvloop")),
    Contestant("tornado", "Tornado", ("tornado",)),
)
HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def check_echo(title: str, port: int) -> None:
    """A server that does not send back what it gets is not measured."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(HANDSHAKE)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            received = connection.recv(65536)
            if not received:
                raise BenchError(f"{title} answered {answer[:200]!r} to a WebSocket handshake")
            answer += received
        connection.sendall(b"\x81\x85\x00\x00\x00\x00hello")
        echo = connection.recv(65536)
        if echo != b"\x81\x05hello":
            raise BenchError(f"{title} sent {echo!r} back")


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    idle = setting.fewer(IDLE, 1000)
    allow_files(idle)

    def load(*numbers: int) -> list[str]:
        command = [setting.peers, str(BENCH / "loads/websocket_echoes.py"), *map(str, numbers)]
        return pinned(setting.load_core, command)

    def memory(pid: int, port: int) -> float:
        """KB of the server's memory per idle connection."""
        before = resident_kb(pid)
        with program("idle WebSockets", load(port, idle, 32, 0), {}) as clients:
            clients.answer(OPEN_SECONDS)
            return (resident_kb(pid) - before) / idle

    def processor_us(pid: int, port: int, size: int) -> float:
        before = processor_seconds(pid)
        command = load(port, CONNECTIONS, size, setting.duration)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise BenchError(f"the load failed: {done.stderr.strip()[-300:]}")
        return (processor_seconds(pid) - before) / int(done.stdout) * 1e6

    def sample(contestant: Contestant) -> dict[str, float]:
        with serving(setting, contestant, f"echo_{contestant.name}", check_echo) as (pid, port):
            figures = {"idle": memory(pid, port)} if setting.wants("idle") else {}
            wanted = [size for size in SIZES if setting.wants(str(size))]
            return figures | {str(size): processor_us(pid, port, size) for size in wanted}

    return take_turns("websocket", setting, contestants, sample)


GROUP = Group("websocket", "WebSocket: echo, and idle connections", CONTESTANTS, MEASURES, run)
