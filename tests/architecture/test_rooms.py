"""What each file and folder looks like: length, plaques, empty `__init__`."""

import ast

import pytest

from tests.architecture.tree import Tree, write_tree
from tests.shared import pure_python

pytestmark = pure_python("reads the sources, which are the same")

LONGEST = 600
#: The one class that keeps all of Tornado's public methods together (design, section 2).
LONGER = {"zonda._core.web.handler"}
PLAQUE_LINES = 40


def length_faults(tree: Tree) -> list[str]:
    return [
        f"{module.path}: {lines} lines; {LONGEST} are allowed: split it by meaning"
        for module, lines in lengths(tree)
        if lines > LONGEST and module.name not in LONGER
    ]


def lengths(tree: Tree):
    for module in tree.modules.values():
        yield module, len(module.path.read_text(encoding="utf-8").splitlines())


def init_faults(tree: Tree) -> list[str]:
    faults = []
    for module in tree.modules.values():
        if module.path.name == "__init__.py" and module.name.startswith("zonda._core"):
            body = module.tree.body
            if len(body) != 1 or ast.get_docstring(module.tree) is None:
                faults.append(f"{module.path}: an inner __init__ is a docstring and nothing else")
    return faults


def plaque_faults(tree: Tree) -> list[str]:
    """Every room that holds code has a README.md; no plaque is long."""
    faults = []
    core = tree.source / "zonda" / "_core"
    rooms = [core] + [
        room for room in core.glob("*/") if any(f.name != "__init__.py" for f in room.rglob("*.py"))
    ]
    faults = [f"{room}: no README.md" for room in sorted(rooms) if not (room / "README.md").exists()]
    for plaque in sorted(core.rglob("README.md")):
        lines = len(plaque.read_text(encoding="utf-8").splitlines())
        if not 0 < lines <= PLAQUE_LINES:
            faults.append(f"{plaque}: {lines} lines; 1 to {PLAQUE_LINES} are allowed")
    return faults


def test_no_file_is_too_long():
    assert length_faults(Tree()) == []


def test_inner_init_is_a_docstring():
    assert init_faults(Tree()) == []


def test_every_room_has_a_plaque():
    assert plaque_faults(Tree()) == []


# The rules can fail: small bad trees.


def test_a_long_file_is_found(tmp_path):
    long = "x = 1\n" * (LONGEST + 1)
    tree = write_tree(
        tmp_path,
        {"_core/web/handler.py": long, "_core/web/static.py": long, "_core/web/x.py": "x = 1\n" * LONGEST},
    )
    (fault,) = length_faults(tree)
    assert "static.py: 601 lines" in fault


@pytest.mark.parametrize("text", ["", "x = 1\n", '"""A room."""\nfrom .a import x\n'])
def test_an_init_with_code_is_found(tmp_path, text):
    tree = write_tree(tmp_path, {"_core/wire/__init__.py": text, "__init__.py": "x = 1\n"})
    assert len(init_faults(tree)) == 1


def test_a_missing_or_long_plaque_is_found(tmp_path):
    files = {
        "_core/README.md": "The plan.\n" * 41,
        "_core/wire/a.py": "",
        "_core/text/__init__.py": '"""Empty."""\n',
    }
    faults = plaque_faults(write_tree(tmp_path, files))
    assert [fault.rpartition("zonda/")[2] for fault in faults] == [
        "_core/wire: no README.md",
        "_core/README.md: 41 lines; 1 to 40 are allowed",
    ]
