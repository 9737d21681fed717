"""GET hello: what an HTTP request costs, zonda's beside its peers'."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import Load, processor_us, serving

MEASURES = (
    Measure("plain", "1 header"),
    Measure("browser", "12 headers"),
    Measure("pipelined", "16 pipelined"),
)
ZONDA = Contestant("zonda", "zonda", ("zonda", "httptools", "uvloop"))
STARLETTE = Contestant("starlette", "starlette on uvicorn", ("starlette", "uvicorn", "uvloop", "httptools"))
TORNADO = Contestant("tornado", "Tornado", ("tornado",))
CONTESTANTS = (
    Contestant("bare", "bare httptools on uvloop (limit)", ("httptools", "uvloop")),
    ZONDA,
    Contestant("granian", "granian, RSGI (Rust)", ("granian",)),
    Contestant("socketify", "socketify (C++)", ("socketify",)),
    Contestant("aiohttp", "aiohttp on uvloop", ("aiohttp", "uvloop")),
    STARLETTE,
    TORNADO,
)


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    loads = [Load(measure.name) for measure in MEASURES if setting.wants(measure.name)]

    def sample(contestant: Contestant) -> dict[str, float]:
        with serving(setting, contestant, f"hello_{contestant.name}") as (pid, port):
            return {load.name: processor_us(setting, load, pid, port) for load in loads}

    return take_turns("http", setting, contestants, sample)


GROUP = Group("http", "HTTP: GET hello, processor time per request", CONTESTANTS, MEASURES, run)
