"""Imports modules one by one, each in a fresh fork, and tells what the import left behind.

    python import_each.py MODULE...      (PYTHONPATH says from where)

Prints one line for each thing found: a thread, an open file or socket, an event loop, a handler of
a logger or of a signal; or that the import failed.
"""

import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
import threading
import traceback

# What is already imported here cannot be blamed on zonda, and need not be imported again in each fork.
for name in (
    "http.client",
    "httptools",
    "multiprocessing",
    "multipart",
    "ssl",
    "uvloop",
    "concurrent.futures",
):
    try:
        importlib.import_module(name)
    except ImportError:  # a platform without uvloop
        continue


def state() -> set[str]:
    seen = {f"thread {thread.name}" for thread in threading.enumerate()}
    for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            seen.add(f"open file or socket {os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError:  # the listing's own descriptor
            continue
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    seen |= {
        f"logging handler {h!r} of {lg.name}"
        for lg in loggers
        for h in lg.handlers
        if type(h) is not logging.NullHandler
    }
    seen |= {f"event loop {type(o)}" for o in gc.get_objects() if isinstance(o, asyncio.AbstractEventLoop)}
    seen |= {f"handler of {s.name}" for s in signal.Signals if callable(signal.getsignal(s))}
    seen.add(f"event loop policy {type(asyncio.get_event_loop_policy()).__name__}")
    return seen


def main() -> None:
    before = state()
    for name in sys.argv[1:]:
        pid = os.fork()
        if pid == 0:
            code = 0
            try:
                importlib.import_module(name)
                for found in sorted(state() - before):
                    print(f"{name}: importing it left: {found}")
            except BaseException:
                print(f"{name}: cannot be imported: {traceback.format_exc(limit=-1)}")
                code = 1
            sys.stdout.flush()
            os._exit(code)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
