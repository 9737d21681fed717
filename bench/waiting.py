"""What a long poll holds while it waits: the server's memory."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.http import CONTESTANTS
from bench.idle import held
from bench.measure import allow_files, ask, resident_kb, serving

MEASURES = (Measure("memory", "KB/connection", "KB"),)
MANY = 8000


def check(title: str, port: int) -> None:
    count = ask(title, port, "/count")
    if count != b"0":
        raise BenchError(f"{title} says that {count[:100]!r} wait; expected 0")


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    many = setting.fewer(MANY, 1000)
    allow_files(many)

    def sample(contestant: Contestant) -> dict[str, float]:
        with serving(setting, contestant, f"waiting_{contestant.name}", check) as (pid, port):
            before = resident_kb(pid)
            with held(setting, port, many, "waiting"):
                return {"memory": (resident_kb(pid) - before) / many}

    return take_turns("waiting", setting, contestants, sample)


GROUP = Group(
    "waiting",
    "HTTP: memory of an idle long poll",
    tuple(one for one in CONTESTANTS if one.name in ("zonda", "aiohttp", "starlette", "tornado")),
    MEASURES,
    run,
)
