"""Tornado's own tests under `zonda.install_as_tornado`, which names the loggers as they expect."""

import subprocess
import sys

import pytest

from tests.shared import genuine_tornado, needs_shared

RUN = """
import importlib, importlib.util, logging, sys, unittest
import zonda
zonda.install_as_tornado()
logging.getLogger("tornado.access").setLevel("CRITICAL")  # as the suite does itself
folder, module = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "tornado.test", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["tornado.test"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
unittest.main(importlib.import_module("tornado.test." + module), argv=["unittest"])
"""


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", ["security_corpus_test", "util_test", "web_test"])
def test_module_passes_under_the_alias(module):
    folder = genuine_tornado() / "tornado" / "test"
    done = subprocess.run(
        [sys.executable, "-c", RUN, folder, module], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stderr.rstrip().splitlines()[-1].startswith("OK")
