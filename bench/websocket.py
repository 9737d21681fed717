#!/usr/bin/env python3
"""Processor time per WebSocket echo, and memory per idle WebSocket: zonda beside its peers, in one run.

Each server sends every message back, as an ordinary program of its kind would, without compression, pinned
to one core.  From another, 64 connections each send a message, wait for its echo and send the next.  Shown is
user + system time of the server divided by the messages it answered (microseconds, median of the rounds), its
ratio to zonda's, and by how much the server's memory grows with each connection that is open and idle.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from bench.measure import BenchError, processor_seconds, running  # noqa: E402

NAMES = ["zonda", "picows", "aiohttp", "websockets", "tornado"]
SIZES = [32, 4096]
HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@dataclass(frozen=True)
class Sample:
    processor_us: float
    messages: int


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/websocket.py", description=__doc__)
    parser.add_argument("--servers", default=",".join(NAMES), help=f"of: {','.join(NAMES)} (default: all)")
    parser.add_argument("--duration", type=int, default=3, help="seconds of one sample (default: 3)")
    parser.add_argument("--rounds", type=int, default=3, help="samples of each, interleaved (default: 3)")
    parser.add_argument("--connections", type=int, default=64, help="that send (default: 64)")
    parser.add_argument("--idle", type=int, default=8000, help="that do not, for memory; 0: none (8000)")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument(
        "--peers",
        default=os.environ.get("ZONDA_BENCH_PEERS", str(BENCH / ".venv/bin/python")),
        help="interpreter that has the peers (default: $ZONDA_BENCH_PEERS, else bench/.venv/bin/python)",
    )
    parser.add_argument("--zonda", default=str(ROOT / ".venv/bin/python"), help="interpreter for zonda")
    parser.add_argument("--json", metavar="FILE", help="also write every sample to FILE")
    return parser.parse_args()


def check_echo(title: str, port: int) -> None:
    """A server that does not send back what it gets is not measured."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
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


def load_command(
    options: argparse.Namespace, port: int, connections: int, size: int, seconds: int
) -> list[str]:
    command = [
        "taskset",
        "--cpu-list",
        str(options.load_core),
        options.peers,
        str(BENCH / "websocket_load.py"),
    ]
    return [*command, str(port), str(connections), str(size), str(seconds)]


def sample(options: argparse.Namespace, pid: int, port: int, size: int) -> Sample:
    before = processor_seconds(pid)
    command = load_command(options, port, options.connections, size, options.duration)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise BenchError(f"the load failed: {done.stderr.strip()[-300:]}")
    messages = int(done.stdout)
    return Sample((processor_seconds(pid) - before) / messages * 1e6, messages)


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def memory(options: argparse.Namespace, pid: int, port: int) -> float:
    """KB of the server's memory per idle connection."""
    before = resident_kb(pid)
    process = subprocess.Popen(
        load_command(options, port, options.idle, 32, 0),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None and process.stdin is not None
        if process.stdout.readline() != "open\n":
            raise BenchError(f"{options.idle} connections could not be opened")
        grown = resident_kb(pid) - before
        process.stdin.close()
    return grown / options.idle


def measure(options: argparse.Namespace, name: str) -> tuple[dict[int, Sample], float | None]:
    python = options.zonda if name == "zonda" else options.peers
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if name == "zonda":
        environment["PYTHONPATH"] = str(ROOT / "src")
    command = [python, str(BENCH / f"servers/echo_{name}.py")]
    with running(name, command, options.server_core, environment, check_echo) as (pid, port):
        per_connection = memory(options, pid, port) if options.idle else None
        return {size: sample(options, pid, port, size) for size in SIZES}, per_connection


def main() -> int:
    options = arguments()
    names = options.servers.split(",")
    with suppress(ImportError, ValueError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    taken: dict[str, list[dict[int, Sample]]] = {name: [] for name in names}
    kilobytes: dict[str, float | None] = {}
    failed: dict[str, str] = {}
    for number in range(options.rounds):
        for name in names:
            if name in failed:
                continue
            try:
                samples, per_connection = measure(options, name)
            except BenchError as error:
                failed[name] = str(error)
                continue
            taken[name].append(samples)
            if not number:
                kilobytes[name] = per_connection
    medians = {
        name: [statistics.median(one[size].processor_us for one in of_server) for size in SIZES]
        for name, of_server in taken.items()
        if of_server
    }
    print("| server | " + " | ".join(f"us/echo, {size} B" for size in SIZES) + " | KB/idle connection |")
    print("|---|" + "---|" * (len(SIZES) + 1))
    first = medians.get("zonda")
    for name, figures in medians.items():
        cells = [
            f"{us:.1f}" + ("" if first is None else f" ({us / first[at]:.2f})")
            for at, us in enumerate(figures)
        ]
        kb = kilobytes.get(name)
        print(f"| {name} | {' | '.join(cells)} | {'-' if kb is None else f'{kb:.1f}'} |")
    for name, reason in failed.items():
        print(f"not measured: {name}: {reason}")
    if options.json:
        document = {
            name: [{size: vars(one) for size, one in samples.items()} for samples in of_server]
            for name, of_server in taken.items()
        }
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
