"""What a public module shows bears the public module's name."""

from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any


def show(module: str, namespace: MutableMapping[str, Any], names: Iterable[str]) -> None:
    """Sets `__module__` of the classes and functions under `names` to `module`.

    So `repr`, tracebacks and pickles say `zonda.web` and not the room where the code stands.
    Only what zonda itself defines is renamed; a re-export from elsewhere keeps its name.
    """
    for name in names:
        value = namespace[name]
        if str(getattr(value, "__module__", "")).startswith("zonda._"):
            # A tuple answers with its class's, which is shown by a name of its own.
            with suppress(AttributeError):
                value.__module__ = module
