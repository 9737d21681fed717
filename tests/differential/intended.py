"""Where zonda answers otherwise on purpose: `intended.txt`, read.

Its lines: `# ` and a reason, `> ` and what differs, and the cases of which both hold.  What differs is
written as the test writes it: `status 404 -> 200` (Tornado's, ours) stands for all that another status
brings with it; elsewhere the names of the fields are all that differ.  Each difference has to be there
still: one that goes fails the test until its line goes.
"""

from pathlib import Path


def _read() -> dict[str, tuple[str, list[str]]]:
    reason, differ = "", [""]
    cases = {}
    for line in Path(__file__).with_suffix(".txt").read_text().splitlines():
        if line.startswith("# "):
            reason = line.removeprefix("# ")
        elif line.startswith("> "):
            differ = line.removeprefix("> ").split(", ")
        elif line:
            cases[line] = (reason, differ)
    return cases


#: Of each case the reason, and what differs.
INTENDED = _read()
