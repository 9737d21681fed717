"""What tests of many rooms need to know: where things are, and which build of zonda is tested."""

import os
from pathlib import Path

import pytest

import zonda
from zonda._core.base.native import COMPILED

#: The repository.
ROOT = Path(__file__).resolve().parents[1]
#: The folder that holds the package under test: `src`, or where the wheel is installed.
SITE = Path(zonda.__file__).resolve().parents[1]

#: The folder shared by the project's sessions: Tornado's suite and its API list.
SHARED = Path(os.environ.get("ZONDA_SHARED") or ROOT.parent / "shared")
TORNADO_SUITE = SHARED / "tools" / "tornado-suite"

needs_shared = pytest.mark.skipif(
    not TORNADO_SUITE.is_dir(),
    reason=f"no {TORNADO_SUITE}: set ZONDA_SHARED to the folder that holds tools/tornado-suite",
)


def pure_python(reason: str) -> pytest.MarkDecorator:
    """Marks what makes no sense on the compiled build."""
    return pytest.mark.skipif(COMPILED, reason=f"compiled: {reason}")
