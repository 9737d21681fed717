"""The compiled build: the modules that mypyc turns into C, and when.  All else stands in pyproject.toml.

    ZONDA_EXTENSION unset   compile; where that is not possible, say so in one line and build pure Python
    ZONDA_EXTENSION=0       build pure Python
    ZONDA_EXTENSION=1       compile, or fail

An editable install is pure Python: what runs is what is edited, and nothing is built into the sources.
"""

import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

#: The closed rooms on the way of a request or a message, in one library: calls among them are calls in C.
#:
#: Not among them, though they are on the way:
#:   wire/headers.py       HTTPHeaders is subclassed and pickled, and has a metaclass (an abstract base)
#:   link/delegates.py     interfaces that applications and libraries implement
#:   web/, server/         but for the index of routes: classes that programs patch and subclass; functions
#:                         that are called from there only gained nothing (web/execute.py, web/output.py:
#:                         0.0 and 0.5 % of a request)
#:   wire/fields.py, wire/startline.py, wire/ws/{close,pinging,state}.py, link/raw_stream.py
#:                         gained nothing
#: link/inflate.py and link/http1_stream_answer.py are in it for their base: what is compiled has subclasses
#: elsewhere only where it says so.
COMPILED = """
    base/masking.py
    wire/http1/events.py
    wire/http1/message.py
    wire/http1/request.py
    wire/http1/response.py
    wire/http1/response_reader.py
    wire/http1/usual.py
    wire/ws/deflate.py
    wire/ws/events.py
    wire/ws/printer.py
    wire/ws/reader.py
    net/stream.py
    link/exchange.py
    link/http1.py
    link/http1_client.py
    link/http1_ends.py
    link/http1_exchange.py
    link/http1_stream_answer.py
    link/inflate.py
    link/websocket.py
    link/websocket_sender.py
    web/route_index.py
"""

#: What `zonda._core.base.native` looks for; mypyc adds `__mypyc`.
LIBRARY = "zonda._core.compiled"


class BuildCompiled(build_ext):
    """Has mypyc write the C when it is to be compiled, and not whenever pip asks for the version."""

    def run(self) -> None:
        if self.editable_mode:
            if wanted():
                raise SystemExit("ZONDA_EXTENSION is '1', and an editable install is pure Python")
            self.extensions = []
            return
        try:
            self._compile()
        except (Exception, SystemExit) as error:
            # mypyc ends the program where it does not understand a module.
            if wanted():
                raise
            print(f"zonda is built as pure Python: it could not be compiled ({error})", file=sys.stderr)
            self._give_up()

    def _compile(self) -> None:
        from mypyc.build import mypycify

        # Of an earlier build nothing may be there to mend.
        shutil.rmtree(self.build_temp, ignore_errors=True)
        os.environ["MYPYPATH"] = "src"
        self.distribution.ext_modules = mypycify(
            # What the types mean is looked at here; whether they are strict is for scripts/check.
            ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", *compiled_paths()],
            group_name=LIBRARY,
            target_dir=self.build_temp,
            debug_level="0",
        )
        _mend(Path(self.build_temp))
        compiling = build_ext(self.distribution)
        compiling.ensure_finalized()
        compiling.run()
        self.extensions = compiling.extensions

    def _give_up(self) -> None:
        self.extensions = []
        self.distribution.ext_modules = []
        for library in Path(self.build_lib).rglob("*__mypyc*"):
            library.unlink()
        wheel: Any = self.distribution.get_command_obj("bdist_wheel", create=False)
        if wheel is not None:
            # It is a wheel for every platform after all.
            wheel.root_is_pure = True


def _mend(folder: Path) -> None:
    """Puts into the C what mypyc (2.4) leaves out: an object that dies says so to its weak references.

    Without it they go on pointing to freed memory (https://github.com/mypyc/mypyc/issues/1102).  Only classes
    with a base or a subclass in Python can be referred to so.
    """
    untrack = "PyObject_GC_UnTrack(self);"
    mended = "if (Py_TYPE(self)->tp_weaklistoffset) PyObject_ClearWeakRefs((PyObject *)self);"
    deallocators = calls = 0
    for path in folder.rglob("*.c"):
        text = path.read_text()
        deallocators += len(
            re.findall(r"^\w+_dealloc\(\w+ \*self\)$", text.replace(" " * 8, ""), re.MULTILINE)
        )
        calls += text.count(untrack)
        path.write_text(text.replace(untrack, f"{untrack} {mended}"))
    if not calls or calls != deallocators:
        raise RuntimeError(f"mypyc writes other C than it did: {deallocators} deallocators, {calls} calls")


def compiled_paths() -> list[str]:
    return [f"src/zonda/_core/{name}" for name in COMPILED.split()]


def wanted() -> bool | None:
    """What ZONDA_EXTENSION says; None where it is left to us."""
    said = os.environ.get("ZONDA_EXTENSION", "")
    if said not in ("", "0", "1"):
        raise SystemExit(f"ZONDA_EXTENSION is {said!r}; 0 (pure Python), 1 (compiled) or unset are allowed")
    return bool(int(said)) if said else None


def extensions() -> list[Extension]:
    """One that stands for all, so that the wheel is one of this platform."""
    if wanted() is False or (wanted() is None and platform.python_implementation() != "CPython"):
        return []
    return [Extension(LIBRARY, [])]


if __name__ == "__main__":
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCompiled})
