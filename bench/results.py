"""What was measured: kept in results.json, from which the page and its pictures are made."""

from __future__ import annotations

import datetime
import json
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.contest import BENCH, ROOT, Contestant, Outcome, Setting, key_of

FILE = BENCH / "results.json"
#: In results.json; more would be noise.
DIGITS = 4

_VERSIONS = """\
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    virtual = any(line.startswith("flags") and " hypervisor" in line for line in lines)
    return {
        "processor": (models or [platform.processor()])[0],
        "cores": str(len(models)),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "kind": "virtual" if virtual else "real",
        "python": platform.python_version(),
    }


def versions(setting: Setting, contestants: Iterable[Contestant]) -> dict[str, str]:
    """Of every distribution that the contestants are made of, but zonda, which is what `commit` says."""
    found: dict[str, str] = {}
    for contestant in contestants:
        wanted = [name for name in contestant.distributions if name not in found and name != "zonda"]
        done = subprocess.run(
            [setting.interpreter(contestant), "-c", _VERSIONS, *wanted],
            capture_output=True,
            text=True,
            env=setting.environment(contestant),
            check=False,
        )
        if done.returncode == 0:
            found |= json.loads(done.stdout)
    return dict(sorted(found.items()))


def commit() -> str:
    """Of this checkout, "" where git does not know; a `+` behind it: sources have changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "src") else "")


def record(setting: Setting, contestants: Sequence[Contestant], outcome: Outcome) -> dict[str, Any]:
    """What results.json keeps of one group."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "rounds": setting.rounds,
        "duration": setting.duration,
        "versions": versions(setting, contestants),
        "failed": outcome.failed,
        "samples": {
            key: {
                name: [float(f"{figure:.{DIGITS}g}") for figure in figures]
                for name, figures in of_key.items()
            }
            for key, of_key in outcome.samples.items()
        },
    }


class Results:
    """Records by group's name."""

    def __init__(self, records: dict[str, dict[str, Any]]) -> None:
        self.records = records

    @classmethod
    def read(cls) -> Results:
        return cls(json.loads(FILE.read_text()) if FILE.exists() else {})

    def write(self) -> None:
        # One line for the figures of each measure: a diff shows what has moved.
        text = json.dumps(self.records, indent=1, sort_keys=True)
        lines: list[str] = []
        listing = False
        for line in text.splitlines():
            if listing:
                lines[-1] += line.strip() + ("" if line.strip().startswith("]") else " ")
                listing = not line.strip().startswith("]")
            else:
                lines.append(line)
                listing = line.endswith("[")
        FILE.write_text("\n".join(lines) + "\n")

    def figures(self, group: str, key: str, measure: str) -> list[float]:
        """One for each round; empty where nothing was measured."""
        samples: dict[str, dict[str, list[float]]] = self.records.get(group, {}).get("samples", {})
        return samples.get(key, {}).get(measure, [])

    def median(self, group: str, key: str, measure: str) -> float | None:
        figures = self.figures(group, key, measure)
        return statistics.median(figures) if figures else None

    def ratios(self, group: str, name: str, build: str, measure: str, peers: Sequence[str]) -> list[float]:
        """A contestant's figure divided by that of the best peer, round by round: what disturbs a round
        disturbs both.  A peer that is zonda, too, is taken from the same build.
        """
        mine = self.figures(group, key_of(name, build), measure)
        theirs = [self.figures(group, key_of(peer, build), measure) for peer in peers]
        if not mine or not all(theirs):
            return []
        best = min(theirs, key=statistics.median)
        return [one / other for one, other in zip(mine, best, strict=False)]
