"""One program under load: on a core of its own, its processor time divided by what it did.

Processor time (user + system) is read from /proc for the program's whole process tree, finished children too.
It survives a busy machine, where requests per second do not. Linux only.
"""

from __future__ import annotations

import os
import random
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.contest import BENCH, SERVERS, BenchError, Contestant, Setting

START_SECONDS = 20.0
STOP_SECONDS = 5.0
PATIENCE = 60.0
ANSWER_SECONDS = 2.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
#: Descriptors of a process besides its connections.
SPARE_FILES = 100
#: Of wrk, keep-alive.
CONNECTIONS = 64
WARM_UP_SECONDS = 1

Check = Callable[[str, int], None]


@dataclass(frozen=True)
class Load:
    """One way of asking: `name` is what requests.lua calls it, `arguments` are more for it."""

    name: str
    arguments: tuple[str, ...] = ()


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


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def allow_files(connections: int) -> None:
    """Lets this process, and those it starts, have so many connections open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"{connections} connections need {needed} open files: `ulimit -Hn` allows {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def free_port() -> int:
    """One that the kernel gives nobody who asks for any: a server takes a while until it has bound it."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(min(10_000, lowest - 1000), lowest)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(title: str, port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS).close()


def ask(title: str, port: int, path: str, fields: str = "") -> bytes:
    """The body of the answer to one GET; `fields` are header lines, each with its end.

    Raises BenchError unless it is a 200 with Content-Length; OSError while nobody listens.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n".encode())
        answer = b""
        while True:
            head, ended, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            if ended and length and len(body) >= int(length[1]):
                break
            received = connection.recv(65536)
            if not received:
                break
            answer += received
    if not head.startswith(b"HTTP/1.1 200 ") or length is None or len(body) != int(length[1]):
        raise BenchError(f"{title} answered {answer[:200]!r}; expected 200 and a body of its Content-Length")
    return body


def check_hello(title: str, port: int) -> None:
    """A server that answers quickly but wrongly is not measured."""
    body = ask(title, port, "/hello/someone-27182")
    if body != b"Hello, someone-27182":
        raise BenchError(f"{title} answered {body[:200]!r}; expected 'Hello, someone-27182'")


def pinned(core: int | str, command: Sequence[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


@contextmanager
def running(
    title: str,
    command: Sequence[str],
    core: int | str,
    environment: Mapping[str, str],
    check: Check = check_hello,
) -> Iterator[tuple[int, int]]:
    """Run a server on `core` (or several: "0,1"); yields its process id and its port, and ends it afterwards.

    `command` gets the port as another argument. `check(title, port)` raises OSError while it does not answer,
    BenchError for a wrong answer.  Raises BenchError when it has not answered after 20 seconds.
    """
    port = free_port()
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            pinned(core, [*command, str(port)]),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=dict(environment),
            cwd=SERVERS,
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
                        errors.seek(0)
                        last_words = " ".join(errors.read().strip().splitlines()[-1:])
                        raise BenchError(f"{title} ended before it served: {last_words}") from error
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


@contextmanager
def serving(
    setting: Setting, contestant: Contestant, script: str, check: Check = check_hello
) -> Iterator[tuple[int, int]]:
    """`running`, for `servers/SCRIPT.py ARGUMENTS PORT` of a contestant."""
    command = [setting.interpreter(contestant), str(SERVERS / f"{script}.py"), *contestant.arguments]
    with running(
        contestant.title, command, setting.server_core, setting.environment(contestant), check
    ) as served:
        yield served


def output(setting: Setting, contestant: Contestant, *command: str) -> str:
    """What a contestant's interpreter prints, on the core of what is measured; BenchError when it fails."""
    done = subprocess.run(
        pinned(setting.server_core, [setting.interpreter(contestant), *command]),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE + setting.duration,
        env=setting.environment(contestant),
    )
    if done.returncode != 0:
        raise BenchError(f"{contestant.title} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def run_wrk(setting: Setting, load: Load, port: int, seconds: int) -> int:
    """How many requests wrk had answered; BenchError on answers not 2xx or 3xx, or broken sockets."""
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    command += [
        "--timeout",
        "10s",
        "--script",
        str(BENCH / "loads/requests.lua"),
        f"http://127.0.0.1:{port}",
        "--",
    ]
    done = subprocess.run(
        pinned(setting.load_core, [*command, load.name, *load.arguments]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"wrk ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    for complaint in ("Non-2xx", "Socket errors"):
        if complaint in done.stdout:
            line = next(line for line in done.stdout.splitlines() if complaint in line)
            raise BenchError(f"under the load '{load.name}': {line.strip()}")
    counted = re.search(r"(\d+) requests in ", done.stdout)
    if counted is None or counted[1] == "0":
        raise BenchError(f"wrk counted no request: {done.stdout}")
    return int(counted[1])


def processor_us(setting: Setting, load: Load, pid: int, port: int) -> float:
    """Microseconds of the server's processor time for each request, once it is warm."""
    run_wrk(setting, load, port, WARM_UP_SECONDS)
    before = processor_seconds(pid)
    requests = run_wrk(setting, load, port, setting.duration)
    return (processor_seconds(pid) - before) / requests * 1e6
