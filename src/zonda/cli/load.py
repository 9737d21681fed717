"""Finds the application that `MODULE:NAME` names."""

import importlib
import inspect
import os
import sys
from types import ModuleType

from zonda.web import Application


class CannotLoad(Exception):
    """There is no application at the place named; the message says what was seen and what to do."""


def load_application(place: str) -> Application:
    """The `Application` at `place` ("package.module:name"), or the one that the factory there returns.

    The current directory is searched first, as `python -m` does.  Raises `CannotLoad`; an exception
    in the application's own code comes through as it is.
    """
    module_name, colon, name = place.partition(":")
    if not (module_name and colon and name.isidentifier()):
        raise CannotLoad(f"{place!r} does not name an application; write MODULE:NAME, such as main:app")
    found = _attribute(_module(module_name), name)
    if isinstance(found, Application):
        return found
    if isinstance(found, type) or not callable(found):
        raise CannotLoad(
            f"{place} is {_kind(found)}; a zonda.web.Application, or a function that returns one, is needed"
        )
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise CannotLoad(
            f"{place} cannot be called without arguments ({error}); name a function that takes none"
        ) from None
    made = found()
    if inspect.iscoroutine(made):
        made.close()
        raise CannotLoad(
            f"{place} is a coroutine function; name a plain function that returns the Application"
        )
    if not isinstance(made, Application):
        raise CannotLoad(
            f"{place}() returned an object {_kind(made)}; it has to return a zonda.web.Application"
        )
    return made


def _module(name: str) -> ModuleType:
    if name.startswith("."):
        raise CannotLoad(f"{name!r} is relative; give its full name, such as package.module")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only the module that was asked for is the caller's mistake; what it imports is the application's.
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        hint = f"; give {name.removesuffix('.py')!r}, without .py" if name.endswith(".py") else ""
        raise CannotLoad(f"no module named {error.name!r} in {here} or on the Python path{hint}") from None


def _attribute(module: ModuleType, name: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError:
        applications = sorted(n for n, value in vars(module).items() if isinstance(value, Application))
        where = module.__file__ or module.__name__
        seen = (
            f"what is there: {', '.join(applications)}"
            if applications
            else "and no Application under another name"
        )
        raise CannotLoad(f"{where} has no {name!r} ({seen})") from None


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"
