"""What a page costs a template engine: 200 rows, escaped."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contest import BENCH, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import output

MEASURES = (Measure("page", "us/page", decimals=0),)
CONTESTANTS = (
    Contestant("zonda", "zonda", ("zonda",)),
    Contestant("jinja2", "jinja2", ("jinja2", "markupsafe")),
    Contestant("tornado", "Tornado", ("tornado",)),
)


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    def sample(contestant: Contestant) -> dict[str, float]:
        script = str(BENCH / f"pages/page_{contestant.name}.py")
        return {"page": float(output(setting, contestant, script, str(setting.duration)))}

    return take_turns("template", setting, contestants, sample)


GROUP = Group("template", "Template: a page of 200 rows with escaping", CONTESTANTS, MEASURES, run)
