"""The street's `__all__` is Tornado's list of public names (api.json)."""

import importlib
import json
import types

import pytest

from tests.shared import TORNADO_SUITE, needs_shared

#: Modules of Tornado's that are not built yet, and what builds them.
NOT_BUILT: dict[str, str] = {}


#: What zonda has and Tornado has not.
BEYOND = {"auth": {"OpenIDConnectMixin"}, "locale": {"use_cldr"}, "web": {"ContentEncoding"}}


def api() -> dict[str, dict]:
    modules = json.loads((TORNADO_SUITE / "api.json").read_text())["modules"]
    return {
        name.removeprefix("tornado."): entry["names"]
        for name, entry in modules.items()
        if entry["documented"]
    }


def export_faults(module: types.ModuleType, names: dict[str, dict]) -> list[str]:
    """Every documented name is in `__all__`, every name in `__all__` is public in Tornado, and is there."""
    shown = list(module.__all__)
    documented = {name for name, entry in names.items() if entry["documented"]}
    faults = [f"{name}: documented, and missing from __all__" for name in sorted(documented - set(shown))]
    faults += [
        f"{name}: in __all__, and no public name of Tornado's" for name in sorted(set(shown) - set(names))
    ]
    faults += [f"{name}: in __all__, and not defined" for name in shown if not hasattr(module, name)]
    faults += [f"{name}: twice in __all__" for name in sorted({n for n in shown if shown.count(n) > 1})]
    for name in sorted(set(shown)):
        home = getattr(getattr(module, name, None), "__module__", None)
        if isinstance(home, str) and home.startswith("zonda._core"):
            faults.append(f"{name}: calls itself {home}.{name}; base.face.show gives it its public name")
    return faults


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "street" in metafunc.fixturenames:
        metafunc.parametrize("street", sorted(api()) if TORNADO_SUITE.is_dir() else [])


@needs_shared
def test_module_shows_tornados_public_names(street):
    if street in NOT_BUILT:
        with pytest.raises(
            ModuleNotFoundError, match="zonda"
        ):  # once it is built, its line in NOT_BUILT goes
            importlib.import_module("zonda." + street)
        return
    names = api()[street] | {name: {"documented": True} for name in BEYOND.get(street, ())}
    assert export_faults(importlib.import_module("zonda." + street), names) == []


@needs_shared
def test_nothing_else_is_announced_as_not_built():
    assert NOT_BUILT.keys() <= api().keys()


def _module(names: list[str], **values: object) -> types.ModuleType:
    module = types.ModuleType("zonda.sample")
    vars(module).update(values, __all__=names)
    return module


def test_a_wrong_export_is_found():
    names = {"a": {"documented": True}, "b": {"documented": True}, "c": {"documented": False}}
    inner = type("a", (), {"__module__": "zonda._core.web.a"})
    assert export_faults(_module(["a", "b", "c"], a=1, b=2, c=3), names) == []
    assert export_faults(_module(["a", "b"], a=1, b=2), names) == []
    assert export_faults(_module(["a", "d", "a", "c"], a=inner, d=4), names) == [
        "b: documented, and missing from __all__",
        "d: in __all__, and no public name of Tornado's",
        "c: in __all__, and not defined",
        "a: twice in __all__",
        "a: calls itself zonda._core.web.a.a; base.face.show gives it its public name",
    ]
