"""Which modules are compiled on which build."""

import importlib
import runpy
import weakref
from pathlib import Path

import pytest

from tests.shared import ROOT
from zonda._core.base.native import COMPILED
from zonda._core.link.exchange import Peer
from zonda._core.link.http1_exchange import Http1Exchange
from zonda._core.wire.http1.events import RequestHead

PATHS = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["compiled_paths"]()


@pytest.mark.parametrize("path", PATHS)
def test_the_listed_modules_are_compiled_in_the_one_build_and_not_in_the_other(path: str) -> None:
    name = ".".join(Path(path).with_suffix("").parts[1:])
    file = importlib.import_module(name).__file__
    assert file is not None
    assert file.endswith(".py") is not COMPILED


def test_a_weak_reference_to_an_exchange_ends_with_it() -> None:
    """What `setup.py` puts into the C."""
    head = RequestHead()
    head.chunked, head.length, head.keep_alive = False, 0, True
    exchange = Http1Exchange(None, head, Peer(None, "http", None, None))
    exchange.hung_on = "by a program"  # type: ignore[attr-defined]
    told: list[object] = []
    references = [weakref.ref(exchange, told.append) for _ in range(3)]
    del exchange
    assert [reference() for reference in references] == [None, None, None]
    assert len(told) == 3
