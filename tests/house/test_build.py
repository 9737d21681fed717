"""`setup.py`: compiled, pure Python, or pure Python for want of better.  (mypyc is a stand-in that fails.)"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.shared import ROOT

MYPYC = {
    "does not understand": "def mypycify(*_, **__): raise SystemExit('a type that mypyc does not know')",
    "cannot be compiled": """
from pathlib import Path
from setuptools import Extension

def mypycify(paths, group_name, target_dir, **_):
    source = Path(target_dir, "broken.c")
    source.parent.mkdir(parents=True)
    source.write_text('static void\\nX_dealloc(XObject *self)\\n{\\n    PyObject_GC_UnTrack(self);\\n}')
    return [Extension(group_name + "__mypyc", [str(source)])]
""",
    "writes other C": """
from pathlib import Path

def mypycify(paths, group_name, target_dir, **_):
    Path(target_dir).mkdir(parents=True)
    text = 'static void\\nX_dealloc(XObject *self)\\n{\\n    Untrack(self);\\n}'
    Path(target_dir, "other.c").write_text(text)
    return []
""",
}


def build(
    folder: Path, extension: str | None, mypyc: str, command: str = "bdist_wheel"
) -> tuple[subprocess.CompletedProcess[str], list[Path]]:
    """The run of a build in a copy of the tree, and the wheel that it made, if it did."""
    tree = folder / "tree"
    shutil.copytree(
        ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "*.so")
    )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    stand_in = folder / "stand-in" / "mypyc"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "build.py").write_text(MYPYC[mypyc])
    environment = {name: value for name, value in os.environ.items() if name != "ZONDA_EXTENSION"}
    if extension is not None:
        environment["ZONDA_EXTENSION"] = extension
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", command, "--dist-dir", folder / "made"],
        cwd=tree,
        env={**environment, "PYTHONPATH": str(stand_in.parent)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    return done, list((folder / "made").glob("*.whl"))


@pytest.mark.parametrize(
    ("mypyc", "why"),
    [
        ("does not understand", "a type that mypyc does not know"),
        ("cannot be compiled", "exit"),
        ("writes other C", "mypyc writes other C than it did: 1 deallocators, 0 calls"),
    ],
)
def test_what_cannot_be_compiled_is_built_as_pure_python_and_that_is_said(
    tmp_path: Path, mypyc: str, why: str
) -> None:
    done, made = build(tmp_path, None, mypyc)
    assert done.returncode == 0, done.stderr
    assert [wheel.name[-16:] for wheel in made] == ["py3-none-any.whl"]
    names = zipfile.ZipFile(made[0]).namelist()
    assert "zonda/web.py" in names
    assert not [name for name in names if name.endswith((".so", ".c"))]
    said = [line for line in done.stderr.splitlines() if "pure Python" in line]
    assert len(said) == 1
    assert why in said[0]


@pytest.mark.parametrize("mypyc", MYPYC)
def test_what_must_be_compiled_and_cannot_be_is_an_error(tmp_path: Path, mypyc: str) -> None:
    done, made = build(tmp_path, "1", mypyc)
    assert done.returncode != 0
    assert not made


def test_pure_python_is_built_without_mypyc(tmp_path: Path) -> None:
    done, made = build(tmp_path, "0", "does not understand")
    assert done.returncode == 0, done.stderr
    assert made[0].name.endswith("-py3-none-any.whl")
    assert "pure Python" not in done.stderr


def test_another_word_is_refused(tmp_path: Path) -> None:
    done, made = build(tmp_path, "yes", "does not understand")
    assert done.returncode != 0
    assert "ZONDA_EXTENSION is 'yes'; 0 (pure Python), 1 (compiled) or unset are allowed" in done.stderr
    assert not made


def test_an_editable_install_is_pure_python(tmp_path: Path) -> None:
    done, made = build(tmp_path / "left open", None, "cannot be compiled", "editable_wheel")
    assert done.returncode == 0, done.stderr
    assert made
    assert "pure Python" not in done.stderr
    done, made = build(tmp_path / "asked for", "1", "cannot be compiled", "editable_wheel")
    assert done.returncode != 0
    assert not made
    assert "ZONDA_EXTENSION is '1', and an editable install is pure Python" in done.stderr
    assert not [*tmp_path.glob("*/tree/src/**/*.so"), *tmp_path.glob("*/tree/src/**/*.c")]
