"""The supervisor's rules, with small programs as workers and short times."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

import pytest

from zonda._core.base.limits import Limits
from zonda._core.server.post import CannotStart
from zonda._core.server.workers import Companion, Supervisor

WORKER = """
import asyncio, os, sys
from zonda._core.net import supervised

async def main():
    left = asyncio.Event()
    await supervised.join()
    with open(sys.argv[1], "a") as journal:
        print(f"{sys.argv[2]} begins", file=journal)
    supervised.tell(ready=True)
    heard = asyncio.create_task(supervised.hear(lambda at_once: left.set()))
    await left.wait()
    heard.cancel()
    with open(sys.argv[1], "a") as journal:
        print(f"{sys.argv[2]} ends", file=journal)

asyncio.run(main())
"""
LIMITS = Limits(worker_restart_delay=0.01, worker_restart_delay_max=0.04, worker_start_timeout=10.0)
Body = Callable[[Supervisor], Awaitable[None]]


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


def command(journal, name="worker", program=WORKER) -> list[str]:
    return [sys.executable, "-c", program, str(journal), name]


def supervise(
    said: list[str],
    body: Body | None,
    program: list[str],
    *,
    workers: int = 2,
    companions: tuple[Companion, ...] = (),
    limits: Limits = LIMITS,
) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            started = asyncio.Event()
            supervisor = Supervisor(
                program,
                [[]] * workers,
                companions=companions,
                environment={},
                say=said.append,
                limits=limits,
            )
            running = asyncio.create_task(supervisor.run(started.set))
            beginning = asyncio.create_task(started.wait())
            await asyncio.wait([running, beginning], return_when=asyncio.FIRST_COMPLETED)
            beginning.cancel()
            if body is not None and not running.done():
                await body(supervisor)
            if not running.done():
                supervisor.stop()
            await running

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - other processes are waited for
        await asyncio.sleep(0.01)


def ready(said: list[str], name: str) -> list[int]:
    return [int(line.split()[-1].strip(")")) for line in said if line.startswith(f"{name} is ready")]


def test_companions_begin_before_the_workers_and_end_after_them(journal, expect_log):
    expect_log("zonda.general", r"bus \(pid \d+\) was killed by signal 9; another comes in 0.01 s")
    said: list[str] = []

    async def body(supervisor: Supervisor) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: len(ready(said, "worker 2")) == 2)
        (bus,) = ready(said, "bus")
        assert os.getpgid(bus) == bus  # Ctrl-C is not for it
        os.kill(bus, signal.SIGKILL)
        await until(lambda: len(ready(said, "bus")) == 2)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        bus = Companion("bus", command(journal, "bus"), listener)
        supervise(said, body, command(journal), companions=(bus,))
    lines = journal.read_text().splitlines()
    assert lines[0] == "bus begins"
    assert lines[-1] == "bus ends"
    assert lines.count("worker begins") == lines.count("worker ends") == 4


def test_delays_grow_to_their_bound(journal, expect_log):
    comes = expect_log("zonda.general", "another comes in")
    said: list[str] = []
    dying = WORKER.replace("await left.wait()", "os._exit(1)")

    async def body(supervisor: Supervisor) -> None:
        await until(lambda: len(comes.records) >= 5)

    supervise(said, body, command(journal, program=dying), workers=1)
    waits = [record.getMessage().split()[-2] for record in comes.records]
    assert waits[:5] == ["0.01", "0.02", "0.04", "0.04", "0.04"]


def test_who_has_lived_for_a_while_begins_with_the_shortest_delay(journal, expect_log):
    comes = expect_log("zonda.general", "another comes in")
    said: list[str] = []
    limits = Limits(worker_restart_delay=0.01, worker_settled=0.0)

    async def body(supervisor: Supervisor) -> None:
        for times in (1, 2, 3):
            os.kill(ready(said, "worker 1")[-1], signal.SIGKILL)
            await until(lambda times=times: len(ready(said, "worker 1")) > times)

    supervise(said, body, command(journal), workers=1, limits=limits)
    assert [record.getMessage().split()[-2] for record in comes.records] == ["0.01"] * 3


def test_who_is_never_ready_is_given_up(journal):
    said: list[str] = []
    with pytest.raises(CannotStart, match=r"worker 1 \(pid \d+\) was not ready within 0.2 s"):
        supervise(
            said,
            None,
            [sys.executable, "-c", "import time; time.sleep(100)"],
            limits=Limits(worker_start_timeout=0.2),
        )
    assert said == []


def test_what_cannot_be_started_is_named(tmp_path):
    with pytest.raises(CannotStart, match=r"worker 1 cannot be started: .*nowhere"):
        supervise([], None, ["/nowhere"])


def test_a_stop_in_the_middle_of_a_start_leaves_nobody(journal):
    said: list[str] = []

    async def main() -> None:
        supervisor = Supervisor(command(journal), [[]] * 3, environment={}, say=said.append, limits=LIMITS)
        running = asyncio.create_task(supervisor.run(lambda: None))
        await until(lambda: bool(ready(said, "worker 1")))
        supervisor.stop()
        await running

    asyncio.run(main())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
