"""Members, parameters and bases of Tornado's documented names, by the project's check-api."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.test_exports import NOT_BUILT
from tests.shared import TORNADO_SUITE, needs_shared

REPOSITORY = Path(__file__).resolve().parents[2]

#: Documented, and left out on purpose: the name as check-api says it, and why.
LEFT_OUT: dict[str, str] = {}


def lacks(rows: list[dict]) -> list[str]:
    """What modules that are built lack; nothing for those that are not built yet."""
    return [
        f"{row['module']}: {kind.replace('_', ' ')}: {name}"
        for row in rows
        if row["module"].removeprefix("tornado.") not in NOT_BUILT
        for kind in ("missing", "parameters_missing", "bases_missing")
        for name in row[kind]
    ]


@needs_shared
def test_documented_names_are_all_there(tmp_path):
    out = tmp_path / "api.json"
    command = [sys.executable, TORNADO_SUITE / "check-api", "--package", "zonda", "--path", REPOSITORY]
    subprocess.run([*command, "--json", out], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    found = lacks(json.loads(out.read_text())["modules"])
    assert sorted(found) == sorted(LEFT_OUT)


@pytest.mark.parametrize("kind", ["missing", "parameters_missing", "bases_missing"])
def test_a_lack_is_found(kind, monkeypatch):
    monkeypatch.setitem(NOT_BUILT, "later", "a module of a later issue")
    row = {"missing": [], "parameters_missing": [], "bases_missing": [], kind: ["X"]}
    rows = [row | {"module": "tornado.util"}, row | {"module": "tornado.later"}]
    assert lacks(rows) == [f"tornado.util: {kind.replace('_', ' ')}: X"]
