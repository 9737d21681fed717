"""Who is measured, and in which order: contestants take turns, one that fails loses its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
SERVERS = BENCH / "servers"

#: Figures, one for each round, by contestant (its `key`) and measure.
Samples = dict[str, dict[str, list[float]]]


class BenchError(Exception):
    """A program that did not start, answered wrongly, or failed under load."""


@dataclass(frozen=True)
class Build:
    """A zonda: `python` has what it needs; `source` goes before what is installed there, "" for nothing."""

    name: str
    title: str
    python: str
    source: str = ""


@dataclass(frozen=True)
class Contestant:
    """`distributions` are those whose version counts; `arguments` go to its program.

    What begins with "zonda" is run in each build of it; `Setting.contestants` gives it its `build`.
    """

    name: str
    title: str
    distributions: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    build: Build | None = None

    @property
    def of_zonda(self) -> bool:
        return self.name.startswith("zonda")

    @property
    def key(self) -> str:
        return key_of(self.name, self.build.name if self.build else "pure")


def key_of(name: str, build: str) -> str:
    return f"{name}+{build}" if name.startswith("zonda") and build != "pure" else name


@dataclass(frozen=True)
class Measure:
    """One figure of each contestant, less being better; `pictured`: in the bar chart, too."""

    name: str
    title: str
    unit: str = "us"
    decimals: int = 1
    pictured: bool = True
    #: Shown as a multiple of the reference's, too.
    compared: bool = True


@dataclass(frozen=True)
class Outcome:
    """`failed`: why, by the contestant's key."""

    samples: Samples
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """How everything is measured in one run; `duration` is that of one sample, in seconds."""

    rounds: int
    duration: int
    server_core: int
    load_core: int
    peers: str
    builds: tuple[Build, ...]
    quick: bool
    #: Names of those wanted; empty: all.
    chosen: frozenset[str]
    measures: frozenset[str]
    say: Callable[[str], None]

    def contestants(self, known: Iterable[Contestant]) -> list[Contestant]:
        """Those wanted of `known`, zonda's once for each build."""
        found: list[Contestant] = []
        for one in known:
            if self.chosen and one.name not in self.chosen:
                continue
            if one.of_zonda:
                found += [
                    replace(
                        one,
                        build=build,
                        title=one.title + (f", {build.title}" if build.name != "pure" else ""),
                    )
                    for build in self.builds
                ]
            else:
                found.append(one)
        return found

    def wants(self, measure: str) -> bool:
        return not self.measures or measure in self.measures

    def interpreter(self, contestant: Contestant) -> str:
        return contestant.build.python if contestant.build else self.peers

    def environment(self, contestant: Contestant) -> dict[str, str]:
        """The caller's without what it tells Python, and with the build's source tree."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        if contestant.build and contestant.build.source:
            kept["PYTHONPATH"] = contestant.build.source
        return kept

    def fewer(self, number: int, quick: int) -> int:
        """`number`, and `quick` in a quick run."""
        return quick if self.quick else number


@dataclass(frozen=True)
class Group:
    """What is measured together; `reference`: the contestant that the page compares others with."""

    name: str
    title: str
    contestants: tuple[Contestant, ...]
    measures: tuple[Measure, ...]
    run: Callable[[Setting, Sequence[Contestant]], Outcome]
    reference: str = "zonda"


def take_turns(
    group: str,
    setting: Setting,
    contestants: Sequence[Contestant],
    sample: Callable[[Contestant], Mapping[str, float]],
) -> Outcome:
    """In each round a sample of every contestant: what disturbs the machine for a while meets all alike."""
    samples: Samples = {}
    failed: dict[str, str] = {}
    for turn in range(setting.rounds):
        for contestant in contestants:
            key = contestant.key
            if key in failed:
                continue
            setting.say(f"{group}: round {turn + 1} of {setting.rounds}: {contestant.title}")
            try:
                figures = sample(contestant)
            except BenchError as error:
                failed[key] = str(error)
                setting.say(f"{group}: {contestant.title} failed: {error}")
                samples.pop(key, None)
                continue
            for name, figure in figures.items():
                samples.setdefault(key, {}).setdefault(name, []).append(figure)
    return Outcome(samples, failed)
