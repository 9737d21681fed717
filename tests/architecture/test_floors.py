"""Imports go down or stay in the room (design, section 2)."""

import ast

import pytest

from tests.architecture.tree import Tree, write_tree
from tests.shared import pure_python

pytestmark = pure_python("reads the sources, which are the same")

GROUND = {"base", "ground stones"}
BELOW_LINK = GROUND | {"wire", "net"}
BELOW_SERVER = BELOW_LINK | {"link", "stones"}

#: The whole table: a room and the rooms it may import, beside itself.
MAY_IMPORT = {
    "base": set(),
    "ground stones": GROUND,
    "wire": GROUND,
    "text": GROUND,
    "net": GROUND,
    "stones": GROUND | {"net"},
    "link": BELOW_LINK,
    "server": BELOW_SERVER,
    "client": BELOW_SERVER,
    "web": BELOW_SERVER | {"text", "server"},
    "channels": GROUND | {"net", "wire", "stones"},
    "doors": BELOW_SERVER | {"text", "server", "client", "web", "channels"},
}
STREET = "street"
GROUND_STONES = {"util", "escape", "log", "options", "locale"}
STONES = {"concurrent", "gen", "locks", "queues"}

#: Values of `zonda` itself that any room may ask for: the package is there before its modules.
ROOT_VALUES = {"version", "version_info", "__version__"}

#: Rooms that are pure: bytes or text in, events or code out.
PURE = {"wire", "text"}
IMPURE_MODULES = {
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "uvloop",
    "zonda._core.base.clock",
    "zonda.log",
}
#: `time` and `datetime` also format; these of their names read the clock.
CLOCK_READS = {
    ("time", name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep")
} | {("datetime", name) for name in ("now", "utcnow", "today")}


def room_of(module: str) -> str | None:
    """The room a module stands in; None for one that stands in no room of the plan."""
    parts = module.split(".")
    if parts[:2] != ["zonda", "_core"]:
        if len(parts) == 2 and parts[1] in GROUND_STONES:
            return "ground stones"
        if len(parts) == 2 and parts[1] in STONES:
            return "stones"
        return STREET
    if parts[2:4] == ["channels", "doors"]:
        return "doors"
    return parts[2] if len(parts) > 2 and parts[2] in MAY_IMPORT else None


def floor_faults(tree: Tree) -> list[str]:
    faults = []
    for module in tree.modules.values():
        room = room_of(module.name)
        if module.name == "zonda._core":
            continue  # a docstring: see test_rooms.py
        if room is None:
            faults.append(f"{module.path}: stands in no room of the plan (design, section 1)")
            continue
        for imported, target in tree.targets(module):
            if target == "zonda" and imported.name in ROOT_VALUES:
                continue
            if room != STREET and room_of(target) != room and room_of(target) not in MAY_IMPORT[room]:
                other = room_of(target) or "no room"
                faults.append(f"{module.path}:{imported.line}: {room} may not import {target} ({other})")
    return faults


def spelling_faults(tree: Tree) -> list[str]:
    """One dot is my room; a full name is downstairs."""
    faults = []
    for module in tree.modules.values():
        inside = module.name.startswith("zonda._core")
        for imported, target in tree.targets(module):
            where = f"{module.path}:{imported.line}"
            if imported.level > 1:
                faults.append(f"{where}: {imported.level} dots; a full name is downstairs")
            elif imported.level == 1 and room_of(target) != room_of(module.name):
                faults.append(f"{where}: one dot is my room, and {target} is another; write its full name")
            elif inside and imported.level == 0 and target.rpartition(".")[0] == module.package:
                faults.append(f"{where}: {target} is a neighbour; write it with one dot")
    return faults


def purity_faults(tree: Tree) -> list[str]:
    faults = []
    for module in tree.modules.values():
        room = room_of(module.name)
        if room not in PURE:
            continue
        for imported in module.imports:
            full = f"{imported.module}.{imported.name}"
            reads_clock = (imported.module, imported.name) in CLOCK_READS
            if reads_clock or any(
                n in IMPURE_MODULES for n in (imported.module, full, imported.module.split(".")[0])
            ):
                faults.append(
                    f"{module.path}:{imported.line}: {room} never imports {full.removesuffix('.None')}"
                )
        for owner, name, line in _attributes(module.tree):
            if (owner, name) in CLOCK_READS:
                faults.append(f"{module.path}:{line}: {room} never reads the clock: {owner}.{name}")
    return faults


def _attributes(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            yield owner, node.attr, node.lineno


def cycles(tree: Tree) -> list[list[str]]:
    """Groups of modules that import each other, in whatever way (Tarjan's algorithm, iterative)."""
    # `from zonda import version` is no edge: every module's import begins with its package anyway.
    edges = {
        name: sorted({t for _, t in tree.targets(m) if t in tree.modules and t not in ("zonda", name)})
        for name, m in tree.modules.items()
    }
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []
    for root in edges:
        if root in order:
            continue
        work = [(root, iter(edges[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        while work:
            name, rest = work[-1]
            target = next(rest, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name]:
                    group = stack[stack.index(name) :]
                    del stack[stack.index(name) :]
                    if len(group) > 1:
                        found.append(sorted(group))
            elif target not in order:
                order[target] = low[target] = len(order)
                stack.append(target)
                work.append((target, iter(edges[target])))
            elif target in stack:
                low[name] = min(low[name], order[target])
    return found


def test_imports_go_down_or_stay_in_the_room():
    assert floor_faults(Tree()) == []


def test_one_dot_is_my_room_and_a_full_name_is_downstairs():
    assert spelling_faults(Tree()) == []


def test_wire_and_text_never_wait():
    assert purity_faults(Tree()) == []


def test_no_import_cycle():
    assert cycles(Tree()) == []


# The rules can fail: small bad trees.


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("_core/wire/a.py", "from zonda._core.net.b import x"),
        ("_core/wire/a.py", "from zonda._core.text.b import x"),
        ("_core/wire/a.py", "def f():\n    import zonda._core.link.b"),
        ("_core/base/a.py", "from zonda.util import x"),
        ("_core/net/a.py", "from zonda._core.wire.b import x"),
        ("_core/net/a.py", "from zonda._core import wire"),
        ("_core/link/a.py", "from zonda.gen import x"),
        ("_core/server/a.py", "from zonda._core.text.b import x"),
        (
            "_core/server/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import zonda._core.client.b",
        ),
        ("_core/web/a.py", "from zonda.httputil import x"),
        ("_core/web/a.py", "from zonda import web"),
        ("_core/web/a.py", "import zonda"),
        ("_core/web/a.py", "import importlib\nimportlib.import_module('zonda.web')"),
        ("_core/web/a.py", "from zonda._core.channels.b import x"),
        ("_core/channels/a.py", "from zonda._core.channels.doors.b import x"),
        ("_core/drawer/a.py", "x = 1"),
        ("util.py", "from zonda._core.net.b import x"),
        ("gen.py", "from zonda.ioloop import x"),
        ("gen.py", "from ._core.link.b import x"),
    ],
)
def test_an_import_up_or_across_is_found(tmp_path, file, line):
    rooms = ("wire", "text", "net", "link", "client", "channels", "channels/doors")
    files = {f"_core/{room}/b.py": "x = 1\n" for room in rooms}
    files |= {"web.py": "", "httputil.py": "x = 1\n", "ioloop.py": "x = 1\n", "util.py": "x = 1\n"}
    tree = write_tree(tmp_path, files | {file: line + "\n"})
    assert len([fault for fault in floor_faults(tree) if f"zonda/{file}" in fault]) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("_core/wire/a.py", "from zonda._core.base.b import x"),
        ("_core/wire/http1/a.py", "from zonda._core.wire.b import x"),
        ("_core/wire/a.py", "from .b import x"),
        ("_core/wire/a.py", "from . import b"),
        ("_core/wire/a.py", "from .http1.c import x"),
        ("_core/link/a.py", "from zonda import version"),
        ("_core/channels/doors/a.py", "from zonda._core.web.b import x"),
        ("_core/web/a.py", "from zonda.gen import x"),
        ("gen.py", "from zonda.util import x"),
        ("web.py", "from zonda._core.web.b import x"),
    ],
)
def test_an_import_down_or_beside_is_right(tmp_path, file, line):
    files = {f"_core/{room}/b.py": "x = 1\n" for room in ("base", "wire", "web", "channels/doors")}
    files |= {"_core/wire/http1/c.py": "x = 1\n", "util.py": "x = 1\n", "gen.py": "x = 1\n"}
    tree = write_tree(tmp_path, files | {file: line + "\n"})
    assert floor_faults(tree) + spelling_faults(tree) + cycles(tree) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("_core/wire/http1/a.py", "from ..b import x"),
        ("_core/wire/a.py", "from zonda._core.wire.b import x"),
        ("_core/wire/a.py", "from zonda._core.wire import b"),
        ("web.py", "from ._core.wire.b import x"),
    ],
)
def test_a_wrong_spelling_is_found(tmp_path, file, line):
    assert len(spelling_faults(write_tree(tmp_path, {"_core/wire/b.py": "x = 1\n", file: line + "\n"}))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import asyncio",
        "import concurrent.futures",
        "from logging import getLogger",
        "from socket import AF_INET",
        "from zonda._core.base.clock import wall",
        "from zonda._core.base import clock",
        "from zonda.log import gen_log",
        "from time import monotonic",
        "import time\nx = time.time()",
        "import datetime\nx = datetime.datetime.now()",
    ],
)
def test_a_waiting_wire_is_found(tmp_path, line):
    assert len(purity_faults(write_tree(tmp_path, {"_core/wire/a.py": line + "\n"}))) == 1


def test_a_formatting_wire_is_right(tmp_path):
    text = "import time\nimport datetime\nx = time.gmtime(0), datetime.datetime(2009, 9, 10)\n"
    assert purity_faults(write_tree(tmp_path, {"_core/wire/a.py": text})) == []


@pytest.mark.parametrize("second", ["from .a import x", "def f():\n    from . import a"])
def test_a_cycle_is_found(tmp_path, second):
    files = {
        "_core/wire/a.py": "from .c import x\n",
        "_core/wire/b.py": second + "\n",
        "_core/wire/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import x\n",
        "_core/wire/d.py": "from .a import x\n",
    }
    names = [f"zonda._core.wire.{letter}" for letter in "abc"]
    assert cycles(write_tree(tmp_path, files)) == [names]
