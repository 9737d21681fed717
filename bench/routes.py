"""Many routes beside few: what finding one costs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.http import STARLETTE, TORNADO, ZONDA
from bench.measure import Load, ask, processor_us, serving

MEASURES = (Measure("routes", "us/request"),)
FEW, MANY = 10, 10_000


def of(server: Contestant) -> list[Contestant]:
    return [
        Contestant(
            f"{server.name}_{count}", f"{server.title}, {count:,} routes", server.distributions, (str(count),)
        )
        for count in (FEW, MANY)
    ]


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    def sample(contestant: Contestant) -> dict[str, float]:
        count = contestant.arguments[0]

        def check(title: str, port: int) -> None:
            for number in (0, int(count) - 1):
                body = ask(title, port, f"/place-{number}/someone-{number}")
                if body != f"Hello, someone-{number}".encode():
                    raise BenchError(f"{title} answered {body[:200]!r}; expected 'Hello, someone-{number}'")

        with serving(setting, contestant, f"routes_{contestant.name.partition('_')[0]}", check) as (
            pid,
            port,
        ):
            return {"routes": processor_us(setting, Load("routes", (count,)), pid, port)}

    return take_turns("routes", setting, contestants, sample)


GROUP = Group(
    "routes",
    "HTTP: 10,000 routes beside 10",
    (*of(ZONDA), *of(STARLETTE), *of(TORNADO)),
    MEASURES,
    run,
    reference="zonda_10",
)
