"""Every class of failure in security.md is proven by tests that exist: `index.toml` names them."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.shared import SHARED

ROOT = Path(__file__).parents[3]
INDEX: dict[str, list[dict[str, Any]]] = tomllib.loads((Path(__file__).parent / "index.toml").read_text())
ROWS = [row for part in INDEX.values() for row in part]
PATHS = ("tests", "client", "websocket", "streams", "login", "channels")


def named(row: dict[str, Any]) -> list[str]:
    """The tests of a row, on all its paths."""
    return [test for path in PATHS for test in row.get(path, [])]


@cache
def collected() -> set[str]:
    """The ids of all tests in the files that the index names, with and without their parameters."""
    files = sorted({test.partition("::")[0] for row in ROWS for test in named(row)})
    missing = [file for file in files if not (ROOT / file).is_file()]
    assert not missing, f"the index names files that do not exist: {missing}"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    return {*ids, *(test_id.partition("[")[0] for test_id in ids)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["row"][:60])
def test_a_row_is_proven_or_waits_for_what_is_not_there(row: dict[str, Any]) -> None:
    assert set(row) <= {"row", "later", *PATHS}
    tests = named(row)
    assert tests or row.get("later")
    assert [test for test in tests if test not in collected()] == []


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.skipif(
    not (SHARED / "security.md").is_file(), reason=f"no {SHARED / 'security.md'}: see tests/shared.py"
)
def test_no_row_is_missing() -> None:
    text = (SHARED / "security.md").read_text()
    table = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    sections = [section.partition("\n\n")[2] for section in text.split("\n## ")[1:]]
    short, _, well = sections[0].partition("\nWhat it does well")
    assert {part: [row["row"] for row in rows] for part, rows in INDEX.items()} == {
        "table": table,
        "tornado_falls_short": [words(item) for item in re.split(r"\s·\s", short)],
        "tornado_does_well": [words(f"What it does well{well}")],
        "llhttp_traps": [words(item) for item in re.split(r"\s·\s", sections[1])],
    }
