"""Importing any module of zonda, as the first one, works and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import Tree, write_tree
from tests.shared import SITE

IMPORT_EACH = Path(__file__).with_name("import_each.py")


def import_faults(tree: Tree) -> list[str]:
    names = [name for name in tree.modules if not name.endswith(".__main__")]  # which is there to run
    done = subprocess.run(
        [sys.executable, "-W", "error", IMPORT_EACH, *names],
        env={**os.environ, "PYTHONPATH": str(tree.source), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.timeout(240)  # some 300 imports
def test_importing_is_inert():
    assert import_faults(Tree(SITE)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "import threading\nthreading.Timer(60, print).start()",
            "thread Thread-",
        ),
        ("import socket\ns = socket.socket()", "open file or socket"),
        ("f = open(__file__)", "open file or socket"),
        ("import asyncio\nloop = asyncio.new_event_loop()", "event loop"),
        ("import uvloop\nloop = uvloop.new_event_loop()", "event loop"),
        (
            "import asyncio, uvloop\nasyncio.set_event_loop_policy(uvloop.EventLoopPolicy())",
            "event loop policy",
        ),
        ("import logging\nlogging.getLogger('zonda').addHandler(logging.StreamHandler())", "logging handler"),
        ("import signal\nsignal.signal(signal.SIGTERM, print)", "handler of SIGTERM"),
        ("import nosuchmodule", "cannot be imported"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "cannot be imported"),
    ],
)
def test_an_import_that_does_something_is_found(tmp_path, text, found):
    faults = import_faults(
        write_tree(tmp_path, {"_core/net/a.py": text + "\n", "util.py": "import logging\n"})
    )
    assert faults
    assert faults[0].startswith("zonda._core.net.a: ")
    assert any(found in fault for fault in faults)
