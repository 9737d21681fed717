"""GET hello, answered by a coroutine that awaits once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.http import STARLETTE, TORNADO, ZONDA
from bench.measure import Load, processor_us, serving

MEASURES = (Measure("plain", "us/request"),)


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    def sample(contestant: Contestant) -> dict[str, float]:
        with serving(setting, contestant, f"await_{contestant.name}") as (pid, port):
            return {"plain": processor_us(setting, Load("plain"), pid, port)}

    return take_turns("await", setting, contestants, sample)


GROUP = Group("await", "HTTP: a coroutine that awaits once", (ZONDA, STARLETTE, TORNADO), MEASURES, run)
