"""Connections that do nothing beside a load: what they cost those that do something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from bench.contest import BENCH, BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.http import TORNADO, ZONDA
from bench.measure import Load, allow_files, pinned, processor_us, serving
from bench.programs import program

MEASURES = (Measure("plain", "us/request"),)
MANY = 10_000
OPEN_SECONDS = 60.0


@contextmanager
def held(setting: Setting, port: int, connections: int, kind: str) -> Iterator[None]:
    """So many connections; BenchError unless each gets what it asked for (see idle_connections.py)."""
    command = [setting.peers, str(BENCH / "loads/idle_connections.py"), str(port), str(connections), kind]
    with program("idle connections", pinned(setting.load_core, command), {}) as clients:
        clients.answer(OPEN_SECONDS)
        yield
        clients.say("")
        right = clients.answer(OPEN_SECONDS)
        if int(right) != connections:
            raise BenchError(f"{right} of {connections} connections got their answers")


def of(server: Contestant) -> list[Contestant]:
    return [
        Contestant(
            f"{server.name}_{count}", f"{server.title}, {count:,} idle connections", server.distributions
        )
        for count in (0, MANY)
    ]


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    many = setting.fewer(MANY, 1000)
    allow_files(many)

    def sample(contestant: Contestant) -> dict[str, float]:
        name, _, count = contestant.name.partition("_")
        with (
            serving(setting, contestant, f"hello_{name}") as (pid, port),
            held(setting, port, many, "served") if int(count) else nullcontext(),
        ):
            return {"plain": processor_us(setting, Load("plain"), pid, port)}

    return take_turns("idle", setting, contestants, sample)


GROUP = Group(
    "idle",
    "HTTP: GET hello beside 10,000 idle connections",
    (*of(ZONDA), *of(TORNADO)),
    MEASURES,
    run,
    reference="zonda_0",
)
