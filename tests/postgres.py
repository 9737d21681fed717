"""A PostgreSQL of the tests' own, on a Unix socket alone; the programs are those of Debian's package."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SECONDS = 30


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps one for each version, and off the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return versions[-1].parent if versions else None


PROGRAMS = _programs()

needs_postgres = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL: apt-get install postgresql")


@dataclass
class Postgres:
    """A cluster in `folder`, whose superuser is `tests`; nobody else can reach its socket."""

    folder: Path
    user: str | None  # who runs it, if not we

    @property
    def dsn(self) -> str:
        return f"postgresql://tests@/postgres?host={self.folder}"

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self.run("pg_ctl", "-w", "-t", str(SECONDS), "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-t", str(SECONDS), "-m", "fast", "stop")

    def kill(self) -> None:
        """As a crash does, every process of it; `start` recovers what was committed."""
        lock = self.folder / "data" / "postmaster.pid"
        pid = int(lock.read_text().split()[0])
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        os.kill(pid, signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):  # it went with the server
                os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + SECONDS
        while any(_runs(process) for process in (pid, *children)):
            if time.monotonic() > deadline:
                pytest.fail(f"of PostgreSQL {pid} some of {children} are still there after SIGKILL")
            time.sleep(0.01)
        # They hold a new server back as long as nobody has waited for the process, dead as it is.
        lock.unlink()
        Path(f"{self.socket}.lock").unlink()

    def run(self, program: str, *arguments: str) -> None:
        assert PROGRAMS is not None
        other: dict[str, Any] = {}
        if self.user is not None:
            other = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
        done = subprocess.run(
            [str(PROGRAMS / program), "-D", str(self.folder / "data"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * SECONDS,
            cwd=self.folder,
            **other,
        )
        if done.returncode != 0:
            log = self.folder / "log"
            pytest.fail(f"{program}: {done.stdout}{log.read_text() if log.exists() else ''}")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Starts one, which takes about two seconds, and stops and removes it.

    Not under `tmp_path`: root's tests must run it as the user postgres, whom pytest's folders do not let in.
    A socket's path may have no more than 107 bytes besides.
    """
    with tempfile.TemporaryDirectory(prefix="zonda-postgres-") as name:
        user = "postgres" if os.getuid() == 0 else None
        if user is not None:
            shutil.chown(name, user)
        postgres = Postgres(Path(name), user)
        postgres.run("initdb", "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        postgres.start()
        try:
            yield postgres
        finally:
            # A test may have stopped it itself.
            if (postgres.folder / "data" / "postmaster.pid").exists():
                postgres.stop()
