"""Restarting the process when its source changes: the public module `zonda.autoreload`.

For development.  `Application(autoreload=True)` (or `debug=True`) calls `start()`;
`python -m zonda.autoreload [--until-success] (-m MODULE | SCRIPT) [ARGUMENT ...]` runs a program and
restarts it on changes even after it has ended, by a mistake in its syntax for example.
Restarting replaces the process by one with the same command line (`sys.orig_argv`), the
interpreter's own options included; a program that changes its directory is taken back to where it
began.  Tornado: `tornado.autoreload`.
"""

import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import traceback
import weakref
from collections.abc import Callable

from zonda._core.base.face import show
from zonda._core.net import supervised
from zonda._core.net.file_changes import FileChanges
from zonda.ioloop import IOLoop, PeriodicCallback
from zonda.log import gen_log

__all__ = ["add_reload_hook", "main", "start", "wait", "watch"]

_USAGE = """\
usage: python -m zonda.autoreload [--until-success] (-m MODULE | SCRIPT) [ARGUMENT ...]

Runs a module or script, and runs it again whenever a source file of its changes.
--until-success: no more once it has ended without an error.
"""

#: Files that are no modules, yet whose change restarts the process.
_watched_files: set[str] = set()
_reload_hooks: list[Callable[[], None]] = []
_watching_loops: "weakref.WeakSet[IOLoop]" = weakref.WeakSet()


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


_started_in = _directory()


def start(check_time: int = 500) -> None:
    """Restarts when a source file has changed, as seen from the current loop.

    With `watchfiles` (extra `reload`) that is noticed at once, and every `check_time` milliseconds modules
    that were imported since are added; without it all files are looked at every `check_time` milliseconds.
    """
    io_loop = IOLoop.current()
    if io_loop in _watching_loops:
        return
    if len(_watching_loops):
        gen_log.warning("zonda.autoreload started more than once in the same process")
    changes = FileChanges(_files, io_loop.asyncio_loop, lambda: check())

    def check() -> None:
        changed = changes.look()
        # A worker is not to become another program under its supervisor's hands: it is replaced.
        if changed is not None and not supervised.tell(changed=changed):
            gen_log.info("%s modified; restarting server", changed)
            _reload()

    check()
    _watching_loops.add(io_loop)
    PeriodicCallback(check, check_time).start()


def wait() -> None:
    """Waits for a file to change, then restarts: for programs that have nothing more to do."""
    io_loop: IOLoop = IOLoop()
    io_loop.add_callback(start)
    io_loop.start()


def watch(filename: str) -> None:
    """Restarts when this file changes too; modules that are imported are watched anyhow."""
    _watched_files.add(filename)


def add_reload_hook(fn: Callable[[], None]) -> None:
    """Calls `fn` before a restart, to close what the new process would otherwise inherit or miss.

    Files and sockets need none: Python's are closed by the restart.
    """
    _reload_hooks.append(fn)


def _files() -> list[str]:
    files = list(_watched_files)
    for module in list(sys.modules.values()):
        # Modules may be anything; a str subclass or a lazy object is not asked further.
        path = getattr(module, "__file__", None)
        if type(path) is str:
            files.append(path)
    return files


def _reload() -> None:
    for hook in _reload_hooks:
        hook()
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0, 0)  # an alarm would survive, and kill the new process
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if _started_in is not None:
        os.chdir(_started_in)
    command = [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":
        # There exec makes a new process and tells nobody; and it does not quote.
        subprocess.Popen(command)
        os._exit(0)
    os.execv(sys.executable, command)


def main() -> None:
    """`python -m zonda.autoreload`: runs a program, and again whenever it changes."""
    arguments = sys.argv[1:]
    until_success = arguments[:1] == ["--until-success"]
    if until_success:
        del arguments[0]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        del arguments[0]
    if arguments[:1] in (["--help"], ["-h"]):
        print(_USAGE, end="")
        return
    if not arguments or arguments[0].startswith("-"):
        print(_USAGE, end="", file=sys.stderr)
        sys.exit(2)

    program = arguments[0]
    sys.argv = arguments
    if not as_module:
        # Its module is gone when it has ended; so is that of a mistake in its syntax.
        watch(os.path.join(program, "__main__.py") if os.path.isdir(program) else program)
    if _ends_well(program, as_module) and until_success:
        return
    if as_module:
        _watch_module(program)
    wait()


def _ends_well(program: str, as_module: bool) -> bool:
    try:
        if as_module:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        gen_log.info("Script exited with status %s", end.code)
        return not end.code
    except Exception as failure:
        gen_log.warning("Script exited with uncaught exception", exc_info=True)
        # Modules that could not be imported are not in sys.modules, but stand in the traceback.
        for frame in traceback.extract_tb(failure.__traceback__):
            watch(frame.filename)
        if isinstance(failure, SyntaxError) and failure.filename:
            watch(failure.filename)
        return False
    gen_log.info("Script exited normally")
    return True


def _watch_module(name: str) -> None:
    for candidate in (name + ".__main__", name):
        try:
            spec = importlib.util.find_spec(candidate)
        except (ImportError, SyntaxError, ValueError):
            continue
        if spec is not None and spec.origin is not None:
            watch(spec.origin)


show(__name__, globals(), __all__)


if __name__ == "__main__":
    # Not the functions of this copy: the program imports `zonda.autoreload`, and must find its state.
    from zonda import autoreload

    autoreload.main()
