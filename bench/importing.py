"""How long a program takes to import a framework: fresh interpreters, bytecode that is compiled already."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.contest import Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import output

MEASURES = (
    Measure("processor", "processor time, ms", "ms"),
    Measure("wall", "time that passes, ms", "ms", pictured=False, compared=False),
    Measure("modules", "modules", "", decimals=0, pictured=False, compared=False),
)
#: What a program that serves one route says at its top.
IMPORTS = {
    "zonda": "import zonda.web",
    "starlette": "import starlette.applications, starlette.requests, starlette.responses, starlette.routing",
    "aiohttp": "import aiohttp.web",
    "tornado": "import tornado.web",
}
CONTESTANTS = tuple(
    Contestant(name, line.partition(",")[0].removeprefix("import "), (name,))
    for name, line in IMPORTS.items()
)
#: Interpreters for one sample, which is their median.
TIMES = 9
CODE = """\
import sys, time
before, wall, processor = len(sys.modules), time.perf_counter(), time.process_time()
{line}
print(
    (time.process_time() - processor) * 1e3, (time.perf_counter() - wall) * 1e3, len(sys.modules) - before
)
"""


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    def once(contestant: Contestant) -> list[float]:
        printed = output(setting, contestant, "-c", CODE.format(line=IMPORTS[contestant.name]))
        return [float(figure) for figure in printed.split()]

    def sample(contestant: Contestant) -> dict[str, float]:
        once(contestant)  # compiles what has no bytecode yet
        taken = zip(*(once(contestant) for _ in range(TIMES)), strict=True)
        names = [measure.name for measure in MEASURES]
        return {name: statistics.median(figures) for name, figures in zip(names, taken, strict=True)}

    return take_turns("import", setting, contestants, sample)


GROUP = Group("import", "Import, in a fresh interpreter", CONTESTANTS, MEASURES, run)
