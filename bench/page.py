"""docs/performance.md: the prose of bench/prose, with what was measured filled in."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.contest import BENCH, ROOT, Group, key_of
from bench.goals import GOALS, Bound, Goal
from bench.results import Results

PAGE = ROOT / "docs/performance.md"
PICTURES = ROOT / "docs/pictures"
PROSE = BENCH / "prose"
BUILDS = {"pure": "pure Python", "compiled": "compiled"}


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table; the first row is its head, columns but the first are to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for first, *rest in (rows[0], ruler, *rows[1:]):
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append(f"| {' | '.join([first.ljust(widths[0]), *cells])} |")
    return "\n".join(lines)


def spread(figures: Sequence[float], decimals: int = 2) -> str:
    """The median, and between what the rounds were."""
    text = f"{statistics.median(figures):.{decimals}f}"
    if len(figures) > 1:
        text += f" ({min(figures):.{decimals}f} - {max(figures):.{decimals}f})"
    return text


class Page:
    """What the prose calls; `builds` are those of zonda that any group has measured."""

    def __init__(self, groups: Mapping[str, Group], results: Results) -> None:
        self._groups = groups
        self._results = results
        keys = {key for record in results.records.values() for key in record["samples"]}
        self._builds = [build for build in BUILDS if any(key_of("zonda", build) == key for key in keys)]

    def rows(self, name: str) -> list[tuple[str, str]]:
        """Key and title of whoever was measured in a group, in its order."""
        found = []
        measured = self._results.records.get(name, {}).get("samples", {})
        for contestant in self._groups[name].contestants:
            builds = BUILDS if contestant.of_zonda else ["pure"]
            for build in builds:
                key = key_of(contestant.name, build)
                if key in measured:
                    title = contestant.title + (f", {BUILDS[build]}" if build != "pure" else "")
                    found.append((key, title))
        return found

    def table(self, name: str, corner: str) -> str:
        """Medians, and multiples of the reference's; `corner` heads the first column."""
        group = self._groups[name]
        rows = self.rows(name)
        if not rows:
            return "*Not measured yet.*"
        measures = [
            one
            for one in group.measures
            if any(self._results.figures(name, key, one.name) for key, _ in rows)
        ]
        titles = {contestant.name: contestant.title for contestant in group.contestants}
        compared = [one for one in measures if one.compared and group.reference in dict(rows)]
        over = f"/ {titles[group.reference].partition(',')[0]}" if compared else ""
        head = [corner, *(one.title for one in measures)]
        head += [over if len(compared) == 1 else f"{one.title}: {over}" for one in compared]
        table = [head]
        for key, title in rows:
            cells = [title]
            for one in measures:
                median = self._results.median(name, key, one.name)
                cells.append("-" if median is None else f"{median:.{one.decimals}f}")
            for one in compared:
                mine = self._results.median(name, key, one.name)
                unit = self._results.median(name, group.reference, one.name)
                cells.append(f"{mine / unit:.2f}" if mine is not None and unit else "-")
            table.append(cells)
        return markdown(table)

    def picture(self, name: str) -> str:
        if not self.rows(name):
            return ""
        return f"![{self._groups[name].title}](pictures/{name}.png)"

    def measured(self, name: str) -> str:
        """How, when and where, and what could not be."""
        record = self._results.records.get(name)
        if record is None:
            return ""
        rounds = f"{record['rounds']} rounds" if record["rounds"] > 1 else "1 round"
        text = f"Median of {rounds}, zonda {record['commit']}, {record['date']}."
        where = self._results.records[next(iter(self._results.records))]["machine"]
        if any(other["machine"] != where for other in self._results.records.values()):
            text += f" {self.machine_of(name)}"
        for key, reason in record["failed"].items():
            text += f" Not measured: {key}: {reason}."
        return text

    def machine_of(self, name: str) -> str:
        told = self._results.records[name]["machine"]
        kind = " (virtual machine)" if told["kind"] == "virtual" else ""
        return (
            f"{told['processor']}{kind}, {told['cores']} cores, {told['memory']}, {told['system']}, "
            f"CPython {told['python']}."
        )

    def machines(self) -> str:
        """Each that something was measured on."""
        told = {self.machine_of(name): None for name in self._results.records}
        return "\n".join(f"- {one}" for one in told)

    def versions(self) -> str:
        found: dict[str, str] = {}
        for record in self._results.records.values():
            found |= record["versions"]
        return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))

    def ratio(self, group: str, name: str, peer: str, measure: str) -> str:
        """Of two contestants in pure Python, with the range of the rounds."""
        ratios = self._results.ratios(group, name, "pure", measure, [peer])
        return spread(ratios) if ratios else "(not measured)"

    def goals(self) -> str:
        table = [["work", "at most", *(BUILDS[build] for build in self._builds)]]
        for goal in GOALS:
            for at, bound in enumerate(goal.bounds):
                cells = [self._verdict(goal, bound, build) for build in self._builds]
                table.append(["" if at else goal.work, bound.words, *cells])
        return markdown(table)

    def _verdict(self, goal: Goal, bound: Bound, build: str) -> str:
        """`0.97 (0.93 - 1.02)`, in bold where the bound is kept."""
        told = []
        kept = True
        for measure in goal.measures:
            if bound.peers:
                figures = self._results.ratios(goal.group, goal.contestant, build, measure, bound.peers)
            else:
                figures = self._results.figures(goal.group, key_of(goal.contestant, build), measure)
            if not figures:
                return "-"
            fraction = bound.factor < 0.5
            median = statistics.median(figures)
            kept = kept and median <= bound.factor
            told.append(f"1/{1 / median:.1f}" if fraction else spread(figures, 2 if bound.peers else 1))
        return ("**reached**: " if kept else "short: ") + ", ".join(told)

    def count(self) -> str:
        """How many bounds are kept, of how many, by build."""
        told = []
        for build in self._builds:
            verdicts = [self._verdict(goal, bound, build) for goal in GOALS for bound in goal.bounds]
            kept = sum(one.startswith("**") for one in verdicts)
            measured = sum(one != "-" for one in verdicts)
            told.append(f"{BUILDS[build]}: {kept} of {measured}")
        return "; ".join(told)


def render(groups: Mapping[str, Group], results: Results) -> str:
    # The runner needs no zonda to measure; its page is made by zonda's own templates.
    import sys

    sys.path.insert(0, str(ROOT / "src"))
    from zonda.template import Loader

    loader = Loader(str(PROSE), autoescape=None)
    return loader.load("performance.md").generate(page=Page(groups, results)).decode()
