"""The source tree as data: which modules there are and what each imports, by AST, nothing executed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True)
class Import:
    line: int
    #: What is imported from: an absolute dotted name.
    module: str
    #: The imported name, or None for `import module`.
    name: str | None
    #: Number of leading dots.
    level: int


@dataclass(frozen=True)
class Module:
    name: str
    path: Path

    @property
    def package(self) -> str:
        """The package that holds it: for a package itself, that package."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))

    @cached_property
    def imports(self) -> list[Import]:
        """Every import: on the top level, in functions and under TYPE_CHECKING; `import_module("x")` too."""
        return list(self._imports())

    def _imports(self) -> Iterator[Import]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(node.lineno, alias.name, None, 0)
            elif isinstance(node, ast.ImportFrom):
                origin = node.module or ""
                if node.level:
                    parts = self.package.split(".")
                    above = parts[: len(parts) - node.level + 1]
                    origin = ".".join([*above, origin] if origin else above)
                for alias in node.names:
                    yield Import(node.lineno, origin, alias.name, node.level)
            elif isinstance(node, ast.Call) and node.args:
                called = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                target = node.args[0]
                if called in ("import_module", "__import__") and isinstance(target, ast.Constant):
                    yield Import(node.lineno, str(target.value), None, 0)


class Tree:
    """All modules of the package `zonda` under `source`."""

    def __init__(self, source: Path = SOURCE) -> None:
        self.source = source
        self.modules: dict[str, Module] = {}
        for path in sorted((source / "zonda").rglob("*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules[name] = Module(name, path)

    def targets(self, module: Module) -> Iterator[tuple[Import, str]]:
        """Each import of zonda's own, with the module it reaches (`from package import submodule` too)."""
        for imported in module.imports:
            if imported.module.split(".")[0] != "zonda":
                continue
            full = f"{imported.module}.{imported.name}"
            yield imported, full if full in self.modules else imported.module


def write_tree(root: Path, files: dict[str, str]) -> Tree:
    """For tests of the rules: a small tree with these files under `src/zonda`, packages made as needed."""
    for name, text in files.items():
        path = root / "zonda" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for folder in [root / "zonda", *(root / "zonda").rglob("*")]:
        if folder.is_dir() and not (folder / "__init__.py").exists():
            (folder / "__init__.py").write_text('"""A room."""\n')
    return Tree(root)
