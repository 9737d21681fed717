"""`zonda.install_as_tornado`: zonda under the name `tornado`, for programs written for Tornado."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import sys
import threading
import types
from collections.abc import Sequence
from typing import Any

NAME = "tornado"
REAL = "zonda"

_installing = threading.Lock()


def install_as_tornado() -> None:
    """Makes `tornado` and `tornado.X` other names of `zonda` and `zonda.X`: the same module objects.

    Call it before anything imports tornado.  From then on, in this process, every way to import gives
    zonda's modules; and the loggers are called `tornado.access`, `tornado.application` and
    `tornado.general`, under which as under their old names `logging.getLogger` finds them.  Calling it again
    changes nothing.  The genuine tornado may be installed, and is not used.

    Raises: `ImportError` if the genuine tornado was imported already.
    """
    with _installing:
        root = sys.modules[REAL]
        there = sys.modules.get(NAME)
        if there is root:
            return
        if there is not None:
            raise ImportError(
                f"tornado was imported already, from {getattr(there, '__file__', None) or 'somewhere'}: call "
                "zonda.install_as_tornado() before anything that imports tornado, "
                "or start the program with python -m zonda.as_tornado",
                name=NAME,
            )
        sys.meta_path.insert(0, _Finder())
        for name, module in list(sys.modules.items()):
            if name == REAL or name.startswith(REAL + "."):
                sys.modules[NAME + name.removeprefix(REAL)] = module
        _rename_loggers()


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `tornado.X` where `zonda.X` is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != NAME and not fullname.startswith(NAME + "."):
            return None
        parent = sys.modules.get(fullname.rpartition(".")[0])
        if parent is not None and parent.__name__.partition(".")[0] != REAL:
            return None  # in a package that somebody else has put under tornado
        real = REAL + fullname.removeprefix(NAME)
        found = importlib.util.find_spec(real)
        if found is None:
            # Not None: that would say `No module named 'tornado.X'`, where a tornado has it.
            raise ModuleNotFoundError(
                f"there is no {fullname!r}: zonda stands in for tornado here, and has no module {real!r}",
                name=fullname,
            )
        is_package = found.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(fullname, _Loader(found), is_package=is_package)


class _Loader(importlib.abc.InspectLoader):
    """Gives the module that stands under another name; it is loaded there, once."""

    def __init__(self, real: importlib.machinery.ModuleSpec) -> None:
        self._real = real
        self._spec: importlib.machinery.ModuleSpec | None = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(self._real.name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        # It is executed already; the import system has put the other name's spec in it.
        module.__spec__ = self._spec

    # For `python -m tornado.X`, by way of runpy.

    def get_code(self, fullname: str) -> types.CodeType | None:
        loader: Any = self._real.loader
        code: types.CodeType | None = loader.get_code(self._real.name)
        return code

    def get_source(self, fullname: str) -> str | None:
        loader: Any = self._real.loader
        source: str | None = loader.get_source(self._real.name)
        return source

    def is_package(self, fullname: str) -> bool:
        return self._real.submodule_search_locations is not None


def _rename_loggers() -> None:
    """Moves the loggers `zonda...` to `tornado...`, where configurations for Tornado look for them.

    They stand under one name only: `logging.config` disables what stands under a name that a
    configuration leaves out, which would be the other.  `getLogger` is what knows both.
    """
    manager: Any = logging.Logger.manager
    importlib.import_module("zonda.log")
    logging.getLogger(REAL)  # the parent of the others, so that it exists
    find = manager.getLogger

    def get_logger(name: str) -> logging.Logger:
        if name == REAL or name.startswith(REAL + "."):
            name = NAME + name.removeprefix(REAL)
        logger: logging.Logger = find(name)
        return logger

    loggers: dict[str, Any] = manager.loggerDict
    moved = {name: loggers.pop(name) for name in list(loggers) if f"{name}.".startswith(REAL + ".")}
    for name, logger in moved.items():
        name = NAME + name.removeprefix(REAL)
        earlier = loggers.get(name)
        loggers[name] = logger
        if isinstance(logger, logging.Logger):
            logger.name = name
            if isinstance(earlier, logging.Logger):
                _take_over(logger, earlier)
    top = loggers[NAME]
    for name, logger in loggers.items():
        if (
            name.startswith(NAME + ".")
            and isinstance(logger, logging.Logger)
            and logger.parent is manager.root
        ):
            logger.parent = top
    manager.getLogger = get_logger


def _take_over(logger: logging.Logger, earlier: logging.Logger) -> None:
    """A program has configured the logger under Tornado's name before."""
    if earlier.level:
        logger.setLevel(earlier.level)
    logger.propagate = logger.propagate and earlier.propagate
    logger.disabled = logger.disabled or earlier.disabled
    for handler in earlier.handlers:
        logger.addHandler(handler)
    for each in earlier.filters:
        logger.addFilter(each)
    # Whoever holds the earlier object still writes to where ours does.
    earlier.handlers, earlier.parent, earlier.propagate = [], logger, True
