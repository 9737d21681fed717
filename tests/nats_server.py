"""A NATS server of the tests' own, on a free port of 127.0.0.1; the program is that of Debian's package."""

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.programs import LocalServer, required, running

# Debian puts it where only root's path leads.
PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")

needs_nats = pytest.mark.skipif(
    PROGRAM is None and not required(), reason="no NATS: apt-get install nats-server"
)


@dataclass
class NatsServer(LocalServer):
    jetstream: bool = True
    password: str = ""
    #: More lines of its configuration.
    options: str = ""

    @property
    def url(self) -> str:
        return f"nats://tests:{self.password}@127.0.0.1:{self.port}" if self.password else self.bare_url

    @property
    def bare_url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert PROGRAM is not None, "no NATS: apt-get install nats-server"
        lines = [f"listen: 127.0.0.1:{self.port}", self.options]
        if self.jetstream:
            lines.append(f'jetstream {{ store_dir: "{self.folder}" }}')
        if self.password:
            lines.append(f"authorization {{ user: tests, password: {self.password} }}")
        (self.folder / "conf").write_text("\n".join(lines))
        self.launch(PROGRAM, "-c", str(self.folder / "conf"))

    def empty(self) -> None:
        """Removes what it keeps; only while it does not run."""
        assert self.process is None
        shutil.rmtree(self.folder / "jetstream", ignore_errors=True)


def running_nats(
    options: str = "", *, jetstream: bool = True, password: str = ""
) -> AbstractContextManager[NatsServer]:
    """Starts one, and stops and removes it."""
    return running(lambda folder: NatsServer(folder, jetstream, password, options))
