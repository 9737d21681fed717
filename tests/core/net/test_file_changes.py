"""Changed files are found, with `watchfiles` and without; then nothing is left behind."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.net.loops import Run
from zonda._core.net.file_changes import FileChanges, file_changed

#: Seconds between looks.
CHECK_TIME = 0.02


@pytest.fixture(params=["watchfiles", "without"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "watchfiles", None)


class Files(list[Path]):
    """Files to be watched, and how often they were asked for."""

    asked = 0

    def __call__(self) -> list[str]:
        self.asked += 1
        return [str(path) for path in self]

    def add(self, path: Path) -> Path:
        path.write_text("")
        self.append(path)
        return path

    async def looked_at(self) -> None:
        """Done when all that are here now have been looked at."""
        asked = self.asked
        await until(lambda: self.asked > asked + 1)


def left() -> tuple[set[threading.Thread], int]:
    return set(threading.enumerate()), len(os.listdir("/proc/self/fd"))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a thread's doing, or a file's
            await asyncio.sleep(0.005)


def waiting_for(files: Files) -> "asyncio.Task[str]":
    return asyncio.create_task(file_changed(files, CHECK_TIME))


async def found(waiting: "asyncio.Task[str]") -> Path:
    return Path(await asyncio.wait_for(waiting, 10))


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


@pytest.mark.usefixtures("either_way")
class TestEitherWay:
    def test_a_change_ends_the_waiting(self, run: Run, tmp_path: Path) -> None:
        async def main() -> None:
            files = Files()
            for name in "abc":
                files.add(tmp_path / name)
            before = left()
            waiting = waiting_for(files)
            await files.looked_at()
            assert not waiting.done()
            touch(files[1])
            assert await found(waiting) == files[1]
            # The library's own thread closes what it has opened a moment later.
            await until(lambda: left() == before)

        run(main())

    def test_who_no_longer_waits_leaves_nothing_behind(self, run: Run, tmp_path: Path) -> None:
        async def main() -> None:
            files = Files()
            files.add(tmp_path / "a")
            before = left()
            waiting = waiting_for(files)
            await files.looked_at()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            # The library's own thread closes what it has opened a moment later.
            await until(lambda: left() == before)

        run(main())

    def test_a_file_that_comes_later_is_watched_too(self, run: Run, tmp_path: Path) -> None:
        async def main() -> None:
            files = Files([tmp_path / "missing", tmp_path / "no" / "directory"])
            files.add(tmp_path / "a")
            (tmp_path / "other").mkdir()
            waiting = waiting_for(files)
            await files.looked_at()
            late = files.add(tmp_path / "other" / "b")
            await files.looked_at()
            assert not waiting.done()
            touch(late)
            assert await found(waiting) == late

        run(main())

    def test_what_a_link_leads_to_counts(self, run: Run, tmp_path: Path) -> None:
        async def main() -> None:
            (tmp_path / "real").mkdir()
            (tmp_path / "real" / "file").write_text("")
            link = tmp_path / "link"
            link.symlink_to(tmp_path / "real" / "file")
            files = Files([link])
            waiting = waiting_for(files)
            await files.looked_at()
            touch(tmp_path / "real" / "file")
            assert await found(waiting) == link

        run(main())

    def test_a_file_that_is_deleted_has_changed_when_it_is_back(self, run: Run, tmp_path: Path) -> None:
        async def main() -> None:
            files = Files()
            path = files.add(tmp_path / "a")
            waiting = waiting_for(files)
            await files.looked_at()
            path.unlink()
            await files.looked_at()
            assert not waiting.done()
            (tmp_path / "b").write_text("")
            touch(tmp_path / "b")
            (tmp_path / "b").rename(path)
            assert await found(waiting) == path

        run(main())


def test_the_kernel_tells_without_being_asked(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        files = Files()
        path = files.add(tmp_path / "a")
        seen: list[str | None] = []
        changes = FileChanges(files, asyncio.get_running_loop(), lambda: seen.append(changes.look()))
        assert changes.look() is None
        # What is told first is that the waiting has begun.
        await until(lambda: seen)
        (tmp_path / "none of ours").write_text("")
        touch(path)
        await until(lambda: seen[1:])
        changes.close()
        assert seen == [None, str(path)]

    run(main())


def test_where_the_kernel_cannot_tell_files_are_looked_at(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*paths: str, **options: object) -> None:
        raise OSError("no space left for watches")

    async def main() -> None:
        files = Files()
        path = files.add(tmp_path / "a")
        waiting = waiting_for(files)
        await files.looked_at()
        touch(path)
        assert await found(waiting) == path

    monkeypatch.setattr("watchfiles.watch", watch)
    run(main())


def thread_of(loop: asyncio.AbstractEventLoop, path: Path) -> tuple[FileChanges, threading.Thread]:
    changes = FileChanges(lambda: [str(path)], loop, lambda: None)
    assert changes.look() is None
    assert changes._thread is not None
    assert changes._thread.is_alive()
    return changes, changes._thread


def test_the_thread_ends_with_its_loop_and_with_its_owner(tmp_path: Path) -> None:
    path = Files().add(tmp_path / "a")
    loop = asyncio.new_event_loop()
    changes, of_loop = thread_of(loop, path)
    loop.close()
    of_loop.join(10)
    assert not of_loop.is_alive()
    loop = asyncio.new_event_loop()
    changes, of_owner = thread_of(loop, path)
    del changes
    of_owner.join(10)
    loop.close()
    assert not of_owner.is_alive()


def test_a_process_that_ends_meanwhile_ends_well(tmp_path: Path) -> None:
    program = """if True:
        import asyncio
        from zonda._core.net.file_changes import FileChanges
        changes = FileChanges(lambda: ["/etc/passwd"], asyncio.new_event_loop(), print)
        changes.look()
        assert changes._thread.is_alive()
    """
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 10
