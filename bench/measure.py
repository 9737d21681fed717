"""One server under load: started on its core, loaded from another, its processor time divided by its answers.

Processor time (user + system) is read from /proc for the server's whole process tree, finished children too.
It survives a busy machine, where requests per second do not. Linux only.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 20.0
STOP_SECONDS = 5.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
LOAD_SCRIPT = Path(__file__).with_name("load.lua")


class BenchError(Exception):
    """A server that did not start, answered wrongly, or failed under load."""


@dataclass(frozen=True)
class Load:
    """One way of asking: `script_name` is what load.lua calls it."""

    script_name: str
    title: str


@dataclass(frozen=True)
class Sample:
    """One run of wrk; `processor_us` is the microseconds of processor time per request."""

    processor_us: float
    requests: int
    requests_per_second: float


def process_tree(pid: int) -> list[int]:
    """`pid` and its living descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in children.read_text().split())
            except FileNotFoundError:  # the thread ended while we looked
                continue
    return found


def processor_times(pid: int) -> tuple[float, float]:
    """Seconds in user space and in the kernel, of `pid`, of its living descendants, and of the children they
    have waited for.
    """
    user = system = 0
    for member in process_tree(pid):
        # The command name is in parentheses and may hold spaces; fields 14-17 of the line are
        # utime, stime, cutime, cstime (proc_pid_stat(5)).
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11]) + int(fields[13])
        system += int(fields[12]) + int(fields[14])
    return user / TICKS_PER_SECOND, system / TICKS_PER_SECOND


def processor_seconds(pid: int) -> float:
    """Both together."""
    return sum(processor_times(pid))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, name: str) -> bytes:
    """The whole answer to one GET, read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        head = f"GET /hello/{name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while not answer.endswith(name.encode()):
            received = connection.recv(65536)
            if not received:
                break
            answer += received
        return answer


def check_answer(title: str, port: int) -> None:
    """A server that answers quickly but wrongly is not measured."""
    name = "someone-27182"
    answer = ask(port, name)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or body != f"Hello, {name}".encode():
        raise BenchError(f"{title} answered {answer[:200]!r}; expected 200 with the body 'Hello, {name}'")


@contextmanager
def running(
    title: str,
    command: Sequence[str],
    core: int,
    environment: Mapping[str, str],
    check: Callable[[str, int], None] = check_answer,
) -> Iterator[tuple[int, int]]:
    """Run a server of bench/servers on `core`; yields its process id and its port, and ends it afterwards.

    `check(title, port)` raises OSError while it does not answer, BenchError for a wrong answer.  Raises
    BenchError when it has not answered after 20 seconds.
    """
    port = free_port()
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), *command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=Path(command[-1]).parent,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                check(title, port)
                break
            except OSError as error:
                if process.poll() is not None:
                    assert process.stderr is not None
                    last_words = process.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
                    raise BenchError(f"{title} ended before it served: {' '.join(last_words)}") from error
                if time.monotonic() > deadline:
                    raise BenchError(
                        f"{title} did not answer within {START_SECONDS:.0f} s: {error}"
                    ) from error
                time.sleep(0.05)
        yield process.pid, port
    finally:
        # Its session is its own: this reaches its workers and nothing else.
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, signal_number)
                process.wait(STOP_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        assert process.stderr is not None
        process.stderr.close()


def run_wrk(load: Load, port: int, core: int, seconds: int, connections: int) -> str:
    """The report of one run of wrk; BenchError on answers not 2xx or 3xx, or broken sockets."""
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", "10s", "--script", str(LOAD_SCRIPT)]
    command += [f"http://127.0.0.1:{port}", "--", load.script_name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"wrk ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    for complaint in ("Non-2xx", "Socket errors"):
        if complaint in done.stdout:
            line = next(line for line in done.stdout.splitlines() if complaint in line)
            raise BenchError(f"under the load '{load.title}': {line.strip()}")
    return done.stdout


def sample(pid: int, port: int, load: Load, core: int, seconds: int, connections: int) -> Sample:
    """Load the server for `seconds` and read what that cost it."""
    before = processor_seconds(pid)
    report = run_wrk(load, port, core, seconds, connections)
    spent = processor_seconds(pid) - before
    counted = re.search(r"(\d+) requests in ", report)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if counted is None or rate is None or counted[1] == "0":
        raise BenchError(f"wrk counted no request: {report}")
    requests = int(counted[1])
    return Sample(processor_us=spent / requests * 1e6, requests=requests, requests_per_second=float(rate[1]))
