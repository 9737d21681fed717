"""Worker processes by `fork`, and child processes whose pipes are streams."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from zonda.log import gen_log

from .iostream_pipe import PipeIOStream
from .loop import IOLoop

_DEFAULT_MAX_RESTARTS = 100

_task_id: int | None = None


def cpu_count() -> int:
    """The number of processors that this process may use; 1 if the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def task_id() -> int | None:
    """Which worker of `fork_processes` this is, counted from 0; `None` if it is none."""
    return _task_id


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Forks workers and returns in each of them its number, from 0 on.

    `num_processes` `None` or not positive means one per processor.  A worker that dies
    (a signal, or an exit status other than 0) is replaced by one of the same number, up to
    `max_restarts` times in all (default 100).  The parent stays here; when all workers have
    ended well it exits with status 0.  No event loop may exist in the process yet, and no thread.
    Raises: `RuntimeError` if a loop is running, or workers died too often.
    Source: Tornado documentation, `tornado.process`.
    """
    assert _task_id is None, "this process is a worker already"
    if sys.platform == "win32":
        raise RuntimeError("fork_processes is not available on Windows")
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("Cannot run in multiple processes: the event loop is running already")
    if num_processes is None or num_processes <= 0:
        num_processes = cpu_count()
    restarts_left = _DEFAULT_MAX_RESTARTS if max_restarts is None else max_restarts
    gen_log.info("Starting %d processes", num_processes)
    workers: dict[int, int] = {}
    for number in range(num_processes):
        if _fork_worker(number, workers):
            return number
    while workers:
        pid, status = os.wait()
        ended = workers.pop(pid, None)
        if ended is None:
            continue  # a child that somebody else has started
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            gen_log.info("child %d (pid %d) exited normally", ended, pid)
            continue
        if code < 0:
            gen_log.warning("child %d (pid %d) killed by signal %d, restarting", ended, pid, -code)
        else:
            gen_log.warning("child %d (pid %d) exited with status %d, restarting", ended, pid, code)
        if restarts_left <= 0:
            raise RuntimeError("Too many child restarts, giving up")
        restarts_left -= 1
        if _fork_worker(ended, workers):
            return ended
    sys.exit(0)


def _fork_worker(number: int, workers: dict[int, int]) -> bool:
    """True in the new worker; in the parent it is entered into `workers`."""
    global _task_id
    pid = os.fork()
    if pid:
        workers[pid] = number
        return False
    _task_id = number
    return True


class Subprocess:
    """A child process; `subprocess.Popen` with streams and without blocking.

    The arguments are those of `Popen`.  `stdin`, `stdout` and `stderr` may also be
    `Subprocess.STREAM`: then the attribute of that name is a `PipeIOStream`.
    `proc` is the `Popen`, `pid` its number, `returncode` its end (negative: the signal).
    Source: Tornado documentation, `tornado.process`.
    """

    STREAM: ClassVar[object] = object()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.io_loop = IOLoop.current()
        child_ends: list[int] = []
        our_ends: dict[str, int] = {}
        try:
            for name, child_reads in (("stdin", True), ("stdout", False), ("stderr", False)):
                if kwargs.get(name) is Subprocess.STREAM:
                    read_end, write_end = os.pipe()
                    child_end, our_end = (read_end, write_end) if child_reads else (write_end, read_end)
                    kwargs[name] = child_end
                    child_ends.append(child_end)
                    our_ends[name] = our_end
            self.proc = subprocess.Popen(*args, **kwargs)
        except BaseException:
            for fd in our_ends.values():
                os.close(fd)
            raise
        finally:
            for fd in child_ends:
                os.close(fd)
        self.stdin = PipeIOStream(our_ends["stdin"]) if "stdin" in our_ends else self.proc.stdin
        self.stdout = PipeIOStream(our_ends["stdout"]) if "stdout" in our_ends else self.proc.stdout
        self.stderr = PipeIOStream(our_ends["stderr"]) if "stderr" in our_ends else self.proc.stderr
        self.pid = self.proc.pid
        self.returncode: int | None = None
        self._exit_callback: Callable[[int], Any] | None = None
        self._watched = False

    def set_exit_callback(self, callback: Callable[[int], Any]) -> None:
        """Calls `callback(returncode)` on the loop when the process has ended; in any thread's loop."""
        self._exit_callback = callback
        if self._watched:
            return
        self._watched = True
        if not self._watch_pidfd():
            # A daemon: the program's end does not wait for the child's.
            threading.Thread(target=self._wait_in_thread, name=f"wait-{self.pid}", daemon=True).start()

    def wait_for_exit(self, raise_error: bool = True) -> "asyncio.Future[int]":
        """Waits for the end of the process; the Future's result is its return code.

        Raises, when awaited: `CalledProcessError` if that is not 0 and `raise_error` is true.
        """
        future: asyncio.Future[int] = self.io_loop.asyncio_loop.create_future()

        def ended(returncode: int) -> None:
            if future.done():
                return
            if returncode and raise_error:
                future.set_exception(subprocess.CalledProcessError(returncode, "unknown"))
            else:
                future.set_result(returncode)

        self.set_exit_callback(ended)
        return future

    @classmethod
    def initialize(cls) -> None:
        """Does nothing: children are watched without SIGCHLD, which Tornado took here."""

    @classmethod
    def uninitialize(cls) -> None:
        """Does nothing, as `initialize()`."""

    def _watch_pidfd(self) -> bool:
        """Lets the loop watch the process itself (Linux 5.3); False where that cannot be."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            return False  # also if it was waited for by others: then the thread ends at once

        def on_exit(fd: int, events: int) -> None:
            self.io_loop.remove_handler(pidfd)
            os.close(pidfd)
            self._tell_exit(self.proc.wait())

        self.io_loop.add_handler(pidfd, on_exit, IOLoop.READ)
        return True

    def _wait_in_thread(self) -> None:
        self.io_loop.add_callback(self._tell_exit, self.proc.wait())

    def _tell_exit(self, returncode: int) -> None:
        self.returncode = returncode
        callback, self._exit_callback = self._exit_callback, None
        if callback is not None:
            callback(returncode)
