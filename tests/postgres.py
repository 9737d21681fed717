"""A PostgreSQL of the tests' own, on a Unix socket alone; the programs are those of Debian's package."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self.run("pg_ctl", "-w", "-t", str(SECONDS), "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-t", str(SECONDS), "-m", "fast", "stop")

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
