"""One message to thousands of WebSockets: a part of bench/channels.py."""

from __future__ import annotations

import argparse
import resource
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from bench.http import BENCH, Server, environment, interpreter
from bench.measure import BenchError, processor_times, running
from bench.programs import Program, program

OPEN_SECONDS = 60.0
SAMPLE_PATIENCE = 40.0
#: Descriptors of a process besides its connections.
SPARE_FILES = 100


@dataclass(frozen=True)
class Row:
    """`topic`: what zonda's clients subscribe to; other servers have one room."""

    name: str
    title: str
    server: Server
    topic: str = ""


ZONDA = Server("zonda", "zonda", ("zonda", "httptools", "uvloop"))
ROWS = (
    Row(
        "picows",
        "picows, loop over its transports (Cython)",
        Server("picows", "picows", ("picows", "aiofastnet", "uvloop")),
    ),
    Row("zonda", "zonda, topic without history", ZONDA, "live"),
    Row("zonda-history", "zonda, history=100", ZONDA, "kept"),
    Row("aiohttp", "aiohttp on uvloop", Server("aiohttp", "aiohttp", ("aiohttp", "uvloop"))),
    Row("tornado", "Tornado", Server("tornado", "Tornado", ("tornado",))),
)


@dataclass(frozen=True)
class Sample:
    """Microseconds of the server's processor time for each message to each connection; `user_us`: of these,
    those outside the kernel.
    """

    processor_us: float
    user_us: float
    published: int


def allow_files(connections: int) -> None:
    """Lets this process, and those it starts, have so many connections open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"{connections} connections need {needed} open files: `ulimit -Hn` allows {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def listens(title: str, port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=2).close()


class Place:
    """A server with its connections, which stay open from round to round."""

    def __init__(self, stack: ExitStack, row: Row, options: argparse.Namespace) -> None:
        self._connections = int(options.connections)
        self._duration = int(options.duration)
        command = [interpreter(row.server, options), str(BENCH / f"servers/broadcast_{row.server.name}.py")]
        self._pid, port = stack.enter_context(
            running(row.title, command, options.server_core, environment(row.server), listens)
        )
        command = ["taskset", "--cpu-list", str(options.load_core), options.peers]
        command += [str(BENCH / "broadcast_load.py"), str(port), str(self._connections)]
        title = f"the clients of {row.title}"
        self._load: Program = stack.enter_context(
            program(title, [*command, *filter(None, [row.topic])], environment(row.server))
        )
        self._load.answer(OPEN_SECONDS)
        self._publish(1)  # warm

    def _publish(self, seconds: int) -> int:
        self._load.say(str(seconds))
        return int(self._load.answer(seconds + SAMPLE_PATIENCE))

    def sample(self) -> Sample:
        before = processor_times(self._pid)
        published = self._publish(self._duration)
        user, system = map(float.__sub__, processor_times(self._pid), before)
        to_us = 1e6 / published / self._connections
        return Sample((user + system) * to_us, user * to_us, published)


def measure(rows: list[Row], options: argparse.Namespace) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Every sample by row, and for rows that failed the reason instead."""
    samples: dict[str, list[Sample]] = {row.name: [] for row in rows}
    failed: dict[str, str] = {}
    allow_files(options.connections)
    places: dict[str, Place] = {}
    with ExitStack() as stack:
        for turn in range(options.rounds + 1):
            for row in rows:
                if row.name in failed:
                    continue
                try:
                    if not turn:
                        places[row.name] = Place(stack, row, options)
                    else:
                        samples[row.name].append(places[row.name].sample())
                except BenchError as error:
                    failed[row.name] = str(error)
    return samples, failed
