"""What an ordinary answer costs: JSON of ten fields, one signed cookie read, one path argument."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.contest import SERVERS, BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.http import STARLETTE, TORNADO, ZONDA
from bench.measure import Load, ask, output, processor_us, serving
from bench.servers.items import VISITORS, item

MEASURES = (Measure("json", "us/request"),)
_STARLETTE = Contestant(STARLETTE.name, STARLETTE.title, (*STARLETTE.distributions, "itsdangerous"))


def signed(setting: Setting, contestant: Contestant) -> list[str]:
    """Cookies' values, as the server signs them."""
    values = output(setting, contestant, str(SERVERS / f"json_{contestant.name}.py"), "cookies").split()
    if len(values) != VISITORS:
        raise BenchError(f"{contestant.title} signed {len(values)} cookies, expected {VISITORS}")
    return values


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    def sample(contestant: Contestant) -> dict[str, float]:
        values = signed(setting, contestant)

        def check(title: str, port: int) -> None:
            body = ask(title, port, "/item/271", f"Cookie: theme=dark; visitor={values[0]}\r\n")
            if json.loads(body) != item(271, "visitor-0"):
                raise BenchError(f"{title} answered {body[:300]!r}, expected {item(271, 'visitor-0')}")

        with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
            path = Path(folder, "cookies")
            path.write_text("\n".join(values))
            with serving(setting, contestant, f"json_{contestant.name}", check) as (pid, port):
                return {"json": processor_us(setting, Load("json", (str(path),)), pid, port)}

    return take_turns("json", setting, contestants, sample)


GROUP = Group(
    "json",
    "HTTP: JSON of 10 fields, a signed cookie, a path argument",
    (ZONDA, _STARLETTE, TORNADO),
    MEASURES,
    run,
)
