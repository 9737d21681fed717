"""Bodies of a gigabyte: a static file sent, an upload taken piece by piece and counted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.contest import BENCH, BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.http import TORNADO, ZONDA
from bench.measure import ask, pinned, processor_seconds, serving
from bench.programs import program

MEASURES = (
    Measure("download", "s/GB sent", "s", decimals=2),
    Measure("upload", "s/GB taken", "s", decimals=2),
)
NGINX = Contestant("nginx", "nginx (C)")
#: Takes only: nothing that copies the bytes out of the kernel costs less.
BARE = Contestant("bare", "recv_into alone (limit)")
SIZE = 1 << 30
BLOCK = 1 << 20
SECONDS = 60.0
HELLO = b"Hello, gigabyte"


def check(title: str, port: int) -> None:
    body = ask(title, port, "/files/hello.txt")
    if body != HELLO:
        raise BenchError(f"{title} answered {body[:200]!r}; expected {HELLO!r}")


def write_files(folder: Path, size: int) -> None:
    """What is read once by everybody comes from the kernel's memory in all samples."""
    (folder / "hello.txt").write_bytes(HELLO)
    with open(folder / "large.bin", "wb") as file:
        for _ in range(size // BLOCK):
            file.write(os.urandom(BLOCK))


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    size = setting.fewer(SIZE, 64 * BLOCK)

    def measured(contestant: Contestant) -> dict[str, float]:
        figures = {}
        with serving(setting, contestant, f"files_{contestant.name}", check) as (pid, port):
            command = [setting.peers, str(BENCH / "loads/large_bodies.py"), str(port), str(size)]
            with program("large bodies", pinned(setting.load_core, command), {}) as client:
                for way in ("upload",) if contestant.name == BARE.name else ("download", "upload"):
                    before = processor_seconds(pid)
                    client.say(way)
                    moved = client.answer(SECONDS)
                    if int(moved) != size:
                        raise BenchError(f"{contestant.title}, {way}: {moved} bytes of {size}")
                    figures[way] = (processor_seconds(pid) - before) * SIZE / size
        return figures

    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as name:
        write_files(Path(name), size)
        os.chmod(name, 0o755)  # nginx's workers are somebody else
        own = [replace(one, arguments=(name,)) for one in contestants]
        return take_turns("files", setting, own, measured)


GROUP = Group(
    "files", "Large bodies: 1 GB sent from a file, 1 GB taken", (BARE, ZONDA, NGINX, TORNADO), MEASURES, run
)
