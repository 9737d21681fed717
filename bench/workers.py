"""Two workers beside one, as `zonda run` starts them: processor time, and where the connections go."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.contest import BenchError, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.idle import held
from bench.measure import CONNECTIONS, START_SECONDS, Load, process_tree, processor_us, running

MEASURES = (
    Measure("processor", "us/request"),
    Measure("share", "connections of the busiest worker, %", "%", decimals=0, compared=False),
)
CONTESTANTS = tuple(
    Contestant(f"zonda_{count}", f"zonda run --workers {count}", ("zonda", "uvloop"), (str(count),))
    for count in (1, 2)
)


def connections_of(pid: int, port: int) -> int:
    """How many established connections to the port a process has."""
    # proc_net_tcp(5): the second column is the local address and port in hexadecimal, the fourth the state
    # (01: established).
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed while we looked
            links.append(os.readlink(entry))
    return sum(link.removeprefix("socket:[").removesuffix("]") in inodes for link in links)


def busiest(setting: Setting, pid: int, port: int, workers: int) -> float:
    """Of 64 connections opened one after the other, how many of a hundred one worker has, at most."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with held(setting, port, CONNECTIONS, "served"):
            each = [connections_of(member, port) for member in process_tree(pid)]
        # Until the last worker is ready, the first has its share.
        if sum(map(bool, each)) == workers:
            return 100 * max(each) / CONNECTIONS
        if time.monotonic() > deadline:
            raise BenchError(f"connections went to {each}, expected {workers} that have some")


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    def sample(contestant: Contestant) -> dict[str, float]:
        command = [setting.interpreter(contestant), "-m", "zonda", "run", "hello_zonda:application"]
        command += ["--workers", *contestant.arguments, "--port"]
        # Both workers on one core: on two, of which one is the load's as well, they would be less busy, find
        # less to do whenever they wake, and wake more often.
        environment = setting.environment(contestant)
        with running(contestant.title, command, setting.server_core, environment) as (pid, port):
            share = busiest(setting, pid, port, int(contestant.arguments[0]))
            return {"processor": processor_us(setting, Load("plain"), pid, port), "share": share}

    return take_turns("workers", setting, contestants, sample)


GROUP = Group(
    "workers", "HTTP: GET hello, one worker and two", CONTESTANTS, MEASURES, run, reference="zonda_1"
)
