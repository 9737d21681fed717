"""Which of some files have changed: found by looking at them, and with `watchfiles` only when there is cause.

The kernel's word (inotify and its like, through `watchfiles`) says when to look; whether a file has
changed its time of modification alone decides, with `watchfiles` and without.  So both ways find the same,
and what the kernel says too often or in other words (a link, a renamed copy, a deleted file) does no harm.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress

from zonda.log import gen_log

#: Milliseconds: changes are told when none has come for `_STEP`, or `_DEBOUNCE` after the first.
_STEP, _DEBOUNCE = 50, 500
#: Milliseconds between two looks of the thread whether its loop is still there.
_LOOK_UP = 500


class FileChanges:
    """The files that `files` gives, now and later, and whether one has changed since it was first seen.

    Call `look` now and then, and when `cause` was called: on `loop`, by a thread that waits for the kernel's
    word.  The thread ends with `close`, and when the loop is closed, this object is gone or the process ends.
    A file that is not there is none that has changed.
    """

    def __init__(
        self,
        files: Callable[[], Iterable[str]],
        loop: asyncio.AbstractEventLoop,
        cause: Callable[[], object],
    ) -> None:
        self._files = files
        self._loop = loop
        self._cause = cause
        self._times: dict[str, float] = {}
        #: The files of which the kernel tells, where they are, and by what names it may call them.
        self._followed: set[str] = set()
        self._directories: set[str] = set()
        self._names: set[str] = set()
        self._thread: threading.Thread | None = None
        self._stop: weakref.finalize[..., FileChanges] | None = None
        self._can_be_told = True
        #: The kernel has said something since the last look.
        self._told = False

    def look(self) -> str | None:
        """The path of a file that has changed since the last look, or None."""
        paths = set(self._files())
        must_look = self._told or self._thread is None or not self._thread.is_alive()
        self._told = False
        changed = self._changed(paths if must_look else paths.difference(self._times))
        new = paths - self._followed
        if new and self._can_be_told and changed is None:
            self._follow(new)
        return changed

    def close(self) -> None:
        """Ends the thread, and waits for it (some milliseconds)."""
        self._can_be_told = False
        if self._stop is not None:
            self._stop()
        self._thread = None

    def _changed(self, paths: Iterable[str]) -> str | None:
        changed = None
        for path in paths:
            try:
                modified = os.stat(path).st_mtime
            except OSError:
                continue  # between the deletion and the new file of an editor, for example
            before = self._times.get(path)
            self._times[path] = modified
            if before not in (None, modified):
                changed = path
        return changed

    def _follow(self, paths: Iterable[str]) -> None:
        """Has the thread wait for these too, and for the files that they are links to."""
        directories: set[str] = set()
        for path in paths:
            places = {os.path.abspath(path), os.path.realpath(path)}
            if all(os.path.isdir(os.path.dirname(place)) for place in places):
                self._followed.add(path)
                self._names.update(map(os.path.basename, places))
                directories.update(map(os.path.dirname, places))
        if directories <= self._directories:
            return
        try:
            import watchfiles  # noqa: F401 - here, since it is slow to import
        except ImportError:
            self._can_be_told = False
            return
        self._directories |= directories
        if self._stop is not None:
            self._stop()
        stop = threading.Event()
        self._thread = threading.Thread(
            target=_wait,
            args=(weakref.ref(self), self._loop, sorted(self._directories), self._names, stop),
            name="zonda file changes",
            daemon=True,
        )
        # At the end of the process, too: a thread must not be in foreign code when the interpreter goes.
        self._stop = weakref.finalize(self, _end, stop, self._thread)
        self._thread.start()

    def _tell(self) -> None:
        self._told = True
        self._cause()


def _end(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    if thread is not threading.current_thread():
        thread.join()


def _tell(changes: "weakref.ref[FileChanges]") -> None:
    told = changes()
    if told is not None:
        told._tell()


def _wait(
    changes: "weakref.ref[FileChanges]",
    loop: asyncio.AbstractEventLoop,
    directories: list[str],
    names: set[str],
    stop: threading.Event,
) -> None:
    """The thread: rings on the loop whenever something happens to a file of one of the names."""
    from watchfiles import watch

    first = True
    try:
        for seen in watch(
            *directories,
            watch_filter=lambda _, path: os.path.basename(path) in names,
            debounce=_DEBOUNCE,
            step=_STEP,
            stop_event=stop,
            rust_timeout=_LOOK_UP,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
            ignore_permission_denied=True,
        ):
            if stop.is_set() or loop.is_closed():
                return
            # The first time also for what changed while the waiting was set up.
            if seen or first:
                first = False
                loop.call_soon_threadsafe(_tell, changes)
    except Exception as error:
        # No more watches to be had, for example, or the loop was closed this moment.
        if not loop.is_closed():
            gen_log.info("watchfiles: %s; looking at files from time to time", error)


async def file_changed(files: Callable[[], Iterable[str]], check_time: float = 0.5) -> str:
    """Waits until one of the files changes, and returns its path.

    `files` is called every `check_time` seconds, so that it may give more as time goes on; a file counts as
    changed when its time of modification is not what it was when it was first seen.  Without `watchfiles` all
    files are looked at each time.  No time-out: cancel it, and nothing is left behind.
    """
    cause = asyncio.Event()
    changes = FileChanges(files, asyncio.get_running_loop(), cause.set)
    try:
        while (path := changes.look()) is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(check_time):
                    await cause.wait()
            cause.clear()
        return path
    finally:
        changes.close()
