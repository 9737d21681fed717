"""Where the folder shared by the project's sessions is: Tornado's suite and its API list."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("ZONDA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
TORNADO_SUITE = SHARED / "tools" / "tornado-suite"

needs_shared = pytest.mark.skipif(
    not TORNADO_SUITE.is_dir(),
    reason=f"no {TORNADO_SUITE}: set ZONDA_SHARED to the folder that holds tools/tornado-suite",
)
