"""Twisted beside zonda: its Deferreds in coroutines, its reactor on our loop."""

import subprocess
import sys

import pytest

pytest.importorskip("twisted", reason="Twisted is not installed")

# A reactor cannot be put away again: a process of its own.
REACTOR = """
from zonda.platform.twisted import install
install()
from twisted.internet import reactor, task
from zonda import gen, ioloop

print(type(reactor).__name__)

@gen.coroutine
def main():
    found = yield task.deferLater(reactor, 0.001, lambda: "deferred")
    print(found)
    yield gen.sleep(0.001)
    try:
        yield task.deferLater(reactor, 0, lambda: 1 / 0)
    except ZeroDivisionError:
        print("raised")
    reactor.stop()

reactor.callWhenRunning(main)
reactor.run()
"""


def test_deferreds_and_futures_on_one_loop():
    done = subprocess.run([sys.executable, "-c", REACTOR], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.returncode) == (["AsyncioSelectorReactor", "deferred", "raised"], 0), (
        done
    )
