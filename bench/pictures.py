"""One bar chart for each group, drawn by matplotlib."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot

from bench.contest import Group
from bench.page import Page
from bench.results import Results

ZONDA, COMPILED, PEER, INK = "#e07a1f", "#a8480a", "#9db2c4", "#333333"
WIDTH = 9.0  # inches
DPI = 100
#: Behind the longest bar, for its figure.
ROOM = 1.3
#: The longest bar, as a multiple of the one in the middle.
CUT = 8


def draw(group: Group, page: Page, results: Results, folder: Path) -> None:
    """Writes FOLDER/NAME.png: a panel for each measure, a bar for each contestant's median; the thin line is
    the range of the rounds.
    """
    rows = page.rows(group.name)
    measures = [
        one
        for one in group.measures
        if one.pictured and any(results.figures(group.name, key, one.name) for key, _ in rows)
    ]
    figure, panels = pyplot.subplots(
        1,
        len(measures),
        figsize=(WIDTH, 0.9 + 0.36 * len(rows)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    figure.suptitle(group.title, fontsize=11, color=INK, x=0.01, ha="left")
    for measure, panel in zip(measures, panels[0], strict=True):
        taken = {at: results.figures(group.name, key, measure.name) for at, (key, _) in enumerate(rows)}
        taken = {at: figures for at, figures in taken.items() if figures}
        medians = [statistics.median(figures) for figures in taken.values()]
        colours = [
            COMPILED if key.endswith("+compiled") else ZONDA if key.startswith("zonda") else PEER
            for at, (key, _) in enumerate(rows)
            if at in taken
        ]
        ends = [max(figures) for figures in taken.values()]
        # One that is far away would leave nothing to see of the others: its bar is cut off.
        limit = min(max(ends), CUT * statistics.median(medians))
        panel.barh(list(taken), [min(median, limit) for median in medians], color=colours, height=0.68)
        for at, median, end in zip(taken, medians, ends, strict=True):
            panel.plot([min(*taken[at], limit), min(end, limit)], [at, at], color=INK, linewidth=0.8)
            text = f"  {median:.{measure.decimals}f}" + (" (cut off)" if median > limit else "")
            panel.text(min(end, limit), at, text, va="center", fontsize=8, color=INK)
        panel.set_xlim(0, limit * ROOM)
        unit = "" if measure.unit in measure.title else f" ({measure.unit})"
        panel.set_title(f"{measure.title}{unit}", fontsize=9)
        panel.tick_params(labelsize=8, colors=INK, length=0)
        panel.set_xticks([])
        for side in ("top", "right", "bottom", "left"):
            panel.spines[side].set_visible(False)
    panels[0][0].set_yticks(range(len(rows)), [title for _, title in rows])
    panels[0][0].invert_yaxis()
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / f"{group.name}.png", dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
