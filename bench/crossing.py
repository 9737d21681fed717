"""From a publish in one process to its arrival in another."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.contest import BENCH, BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import START_SECONDS, free_port, listens, processor_seconds
from bench.programs import Program, program

#: Messages a second.
RATES = (200, 2000)
PATIENCE = 40.0
MEASURES = (
    *(
        Measure(
            f"{what}_{rate}",
            f"{rate}/s: {words}",
            decimals=0,
            compared=what == "median",
            pictured=what == "median",
        )
        for rate in RATES
        for what, words in (("median", "median"), ("p99", "99 %"))
    ),
    Measure("rate", "reached", "/s", decimals=0, compared=False, pictured=False),
    Measure("processor", "processor time, us/message", decimals=0),
)
ZONDA = ("zonda", "redis", "uvloop")
CONTESTANTS = (
    Contestant("zonda_unixbus", "zonda, unixbus", ZONDA),
    Contestant("zonda_unixbus_history", "zonda, unixbus, history=100", ZONDA),
    Contestant("zonda_redis", "zonda, redis", ZONDA),
    Contestant("zonda_redis_history", "zonda, redis, history=100", ZONDA),
    Contestant("socketio", "python-socketio, AsyncRedisManager", ("python-socketio", "redis", "uvloop")),
)


@contextmanager
def started(
    title: str, command: Sequence[str], environment: Mapping[str, str], ready: Callable[[], object]
) -> Iterator[int]:
    """Runs a broker; yields its process id once `ready` does not raise OSError any more."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(environment))
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
def bus(setting: Setting, contestant: Contestant) -> Iterator[tuple[int, str]]:
    """zonda's bus, as its supervisor runs it; its process id, and its URL."""
    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
        path = Path(folder, "bus")
        command = [setting.interpreter(contestant), "-m", "zonda._core.channels.brokers.unixbus_server"]
        command += ["--path", str(path)]
        with started("zonda's bus", command, setting.environment(contestant), path.stat) as pid:
            yield pid, f"unixbus://{path}"


@contextmanager
def redis() -> Iterator[tuple[int, str]]:
    """A Redis of our own, which keeps nothing on disk; its process id, and its URL."""
    found = shutil.which("redis-server")
    if found is None:
        raise BenchError("no program redis-server: run bench/setup")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
        command = [found, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        with started("Redis", command, {}, lambda: listens("Redis", port)) as pid:
            yield pid, f"redis://127.0.0.1:{port}/0"


class Pair:
    """One process that publishes and one that subscribes; they stay from round to round."""

    def __init__(
        self, stack: ExitStack, setting: Setting, contestant: Contestant, broker: tuple[int, str]
    ) -> None:
        self._broker, url = broker
        script = str(BENCH / f"workers/cross_{contestant.name.partition('_')[0]}.py")
        # Of its own: all pairs live until the last round, and those of two builds share the broker.
        topic = f"{'kept' if contestant.name.endswith('_history') else 'live'}/{contestant.key}"

        def run(role: str) -> Program:
            command = [setting.interpreter(contestant), script, role, url, topic]
            title = f"{contestant.title}: {role}"
            made = stack.enter_context(program(title, command, setting.environment(contestant)))
            made.answer(START_SECONDS)
            return made

        self._subscriber = run("subscribe")
        self._publisher = run("publish")
        self._sample(RATES[0], 1)  # warm

    def _processor_seconds(self) -> float:
        return sum(map(processor_seconds, (self._publisher.pid, self._broker, self._subscriber.pid)))

    def sample(self, seconds: int) -> dict[str, float]:
        """From publish to arrival at each rate, in microseconds: the median, and what 99 of 100 stay below.

        At the highest also messages a second that the publisher reached, and the processor time of publisher,
        broker and subscriber for each message.
        """
        figures: dict[str, float] = {}
        for rate in RATES:
            figures |= self._sample(rate, seconds)
        return figures

    def _sample(self, rate: int, seconds: int) -> dict[str, float]:
        count = rate * seconds
        self._subscriber.say(str(count))
        self._subscriber.answer(PATIENCE)
        before = self._processor_seconds()
        self._publisher.say(f"{rate} {count}")
        reached = count / float(self._publisher.answer(seconds + PATIENCE))
        took = json.loads(self._subscriber.answer(PATIENCE))
        spent = self._processor_seconds() - before
        return {
            f"median_{rate}": statistics.median(took) / 1e3,
            f"p99_{rate}": statistics.quantiles(took, n=100)[98] / 1e3,
            "rate": reached,
            "processor": spent / count * 1e6,
        }


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    pairs: dict[str, Pair] = {}
    with ExitStack() as stack:
        of_redis = stack.enter_context(redis())

        def sample(contestant: Contestant) -> dict[str, float]:
            if contestant.key not in pairs:
                on_bus = "unixbus" in contestant.name
                broker = stack.enter_context(bus(setting, contestant)) if on_bus else of_redis
                pairs[contestant.key] = Pair(stack, setting, contestant, broker)
            return pairs[contestant.key].sample(setting.duration)

        return take_turns("crossing", setting, contestants, sample)


GROUP = Group(
    "crossing",
    "Channels: from one process to another",
    CONTESTANTS,
    MEASURES,
    run,
    reference="socketio",
)
