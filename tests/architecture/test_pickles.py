"""Nothing that comes over a wire, a bus or a file becomes an object by itself (CVE-2025-61765)."""

from tests.architecture.tree import Tree, write_tree

#: Modules that make objects, code among them, out of bytes.
UNPICKLE = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "multiprocessing"}


def faults(tree: Tree) -> list[str]:
    return [
        f"{module.path}:{imported.line}: imports {imported.module}: JSON or plain bytes are what is sent"
        for module in tree.modules.values()
        for imported in module.imports
        if imported.module.split(".")[0] in UNPICKLE
    ]


def test_nothing_is_unpickled():
    assert faults(Tree()) == []


def test_unpickling_is_found(tmp_path):
    found = faults(
        write_tree(tmp_path, {"bus.py": "def f(b):\n    from pickle import loads\n    return loads(b)\n"})
    )
    assert [fault.partition("zonda/")[2].partition(":")[0] for fault in found] == ["bus.py"]
