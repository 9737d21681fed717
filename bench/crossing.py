"""From a publish in one process to its arrival in another: a part of bench/channels.py."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.broadcast import ZONDA, listens
from bench.http import BENCH, Server, environment, interpreter
from bench.measure import START_SECONDS, BenchError, free_port, processor_seconds
from bench.programs import Program, program

#: Messages a second.
RATES = (200, 2000)
PATIENCE = 40.0
SOCKETIO = Server("socketio", "python-socketio", ("python-socketio", "redis", "uvloop"))


@dataclass(frozen=True)
class Way:
    """`broker`: what is between the processes, "bus" or "redis"."""

    name: str
    title: str
    server: Server
    broker: str
    topic: str = "live"


WAYS = (
    Way("unixbus", "zonda, unixbus", ZONDA, "bus"),
    Way("unixbus-history", "zonda, unixbus, history=100", ZONDA, "bus", "kept"),
    Way("redis", "zonda, redis", ZONDA, "redis"),
    Way("redis-history", "zonda, redis, history=100", ZONDA, "redis", "kept"),
    Way("socketio", "python-socketio, AsyncRedisManager", SOCKETIO, "redis"),
)


@dataclass(frozen=True)
class Sample:
    """Microseconds: from publish to arrival, the median and what 99 of 100 messages stay below; and the
    processor time of publisher, broker and subscriber for each message.  `rate`: messages a second that the
    publisher reached.
    """

    median_us: float
    p99_us: float
    processor_us: float
    rate: float
    messages: int


@contextmanager
def started(title: str, command: Sequence[str], ready: Callable[[], object]) -> Iterator[int]:
    """Runs a broker; yields its process id once `ready` does not raise OSError any more."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(ZONDA))
    try:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                ready()
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > until:
                    raise BenchError(f"{title} did not start: {error}") from error
                time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextmanager
def bus(options: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """zonda's bus, as its supervisor runs it; its process id, and its URL."""
    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
        path = Path(folder, "bus")
        command = [interpreter(ZONDA, options), "-m", "zonda._core.channels.brokers.unixbus_server"]
        with started("zonda's bus", [*command, "--path", str(path)], path.stat) as pid:
            yield pid, f"unixbus://{path}"


@contextmanager
def redis(options: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """A Redis of our own, which keeps nothing on disk; its process id, and its URL."""
    found = shutil.which(options.redis)
    if found is None:
        raise BenchError(f"no program {options.redis}: run bench/setup")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
        command = [found, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        with started("Redis", command, lambda: listens("Redis", port)) as pid:
            yield pid, f"redis://127.0.0.1:{port}/0"


BROKERS = {"bus": bus, "redis": redis}


class Pair:
    """One process that publishes and one that subscribes; they stay from round to round."""

    def __init__(
        self, stack: ExitStack, way: Way, options: argparse.Namespace, broker: tuple[int, str]
    ) -> None:
        self._broker, url = broker
        script = str(BENCH / f"workers/cross_{way.server.name}.py")

        def run(role: str) -> Program:
            command = [interpreter(way.server, options), script, role, url, way.topic]
            made = stack.enter_context(program(f"{way.title}: {role}", command, environment(way.server)))
            made.answer(START_SECONDS)
            return made

        self._subscriber = run("subscribe")
        self._publisher = run("publish")
        self.sample(RATES[0], 1)  # warm

    def _processor_seconds(self) -> float:
        return sum(map(processor_seconds, (self._publisher.pid, self._broker, self._subscriber.pid)))

    def sample(self, rate: int, seconds: int) -> Sample:
        count = rate * seconds
        self._subscriber.say(str(count))
        self._subscriber.answer(PATIENCE)
        before = self._processor_seconds()
        self._publisher.say(f"{rate} {count}")
        rate_reached = count / float(self._publisher.answer(seconds + PATIENCE))
        took = json.loads(self._subscriber.answer(PATIENCE))
        spent = self._processor_seconds() - before
        return Sample(
            median_us=statistics.median(took) / 1e3,
            p99_us=statistics.quantiles(took, n=100)[98] / 1e3,
            processor_us=spent / count * 1e6,
            rate=rate_reached,
            messages=count,
        )


Samples = dict[str, dict[int, list[Sample]]]


def measure(ways: list[Way], options: argparse.Namespace) -> tuple[Samples, dict[str, str]]:
    """Every sample by way and rate, and for ways that failed the reason instead."""
    samples: Samples = {way.name: {rate: [] for rate in RATES} for way in ways}
    failed: dict[str, str] = {}
    pairs: dict[str, Pair] = {}
    with ExitStack() as stack:
        brokers = {name: stack.enter_context(BROKERS[name](options)) for name in {way.broker for way in ways}}
        for turn in range(options.rounds + 1):
            for way in ways:
                if way.name in failed:
                    continue
                try:
                    if not turn:
                        pairs[way.name] = Pair(stack, way, options, brokers[way.broker])
                        continue
                    for rate in RATES:
                        samples[way.name][rate].append(pairs[way.name].sample(rate, options.duration))
                except BenchError as error:
                    failed[way.name] = str(error)
    return samples, failed
