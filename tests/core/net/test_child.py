"""Processes with a line to us: ready, over, told to leave, killed."""

import asyncio
import signal
import socket
import sys

import pytest

from tests.core.net.loops import Run
from zonda._core.net.child import Child

#: Joins, says that it is ready, prints nothing, leaves when told.
OBEDIENT = """
import asyncio
from zonda._core.net import supervised

async def main():
    await supervised.join()
    supervised.tell(ready=True)
    supervised.on_node_gone(lambda node: supervised.tell(changed=node + " heard by " + supervised.node_id()))
    left = asyncio.Event()
    heard = asyncio.create_task(supervised.hear(lambda at_once: left.set()))
    await left.wait()
    heard.cancel()

asyncio.run(main())
"""
READY = "import asyncio; from zonda._core.net import supervised; asyncio.run(supervised.join()); "


def start(program: str, *sockets: socket.socket):
    return Child.start(
        "it",
        [sys.executable, "-c", program],
        node="n-1",
        sockets=sockets,
        environment={"GIVEN": "this"},
    )


def test_it_is_ready_hears_and_leaves(run: Run) -> None:
    async def main() -> None:
        child = await start(OBEDIENT)
        over: list[Child] = []
        heard: asyncio.Queue[str] = asyncio.Queue()
        child.on_over = over.append
        child.on_changed = heard.put_nowait
        assert await child.ready
        child.tell_gone("n-0")
        assert await heard.get() == "n-0 heard by n-1"
        assert over == []
        assert await child.end(10.0)
        assert child.how_it_ended == "ended with status 0"
        assert over == [child]

    run(main())


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("raise SystemExit(3)", "ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
    ],
)
def test_one_that_ends_before_it_is_ready(run: Run, program: str, how: str) -> None:
    async def main() -> None:
        child = await start(program)
        over: list[Child] = []
        child.on_over = over.append
        assert not await child.ready
        assert await child.end(10.0)
        assert over == [child]
        assert child.how_it_ended == how
        assert str(child) == f"it (pid {child.process.pid})"

    run(main())


def test_one_that_is_not_ready_is_told_by_a_signal(run: Run) -> None:
    async def main() -> None:
        child = await start("import time; time.sleep(100)")
        assert await child.end(10.0)
        assert child.exited.result() == -signal.SIGTERM

    run(main())


def test_one_that_does_not_go_is_killed(run: Run) -> None:
    async def main() -> None:
        # It says so by hand: nothing of ours listens in it.
        child = await start(
            "import os, time\n"
            "os.write(int(os.environ['ZONDA_CONTROL_FD']), b'{\"ready\": true}\\n')\n"
            "time.sleep(100)"
        )
        assert await child.ready
        assert not await child.end(0.1)
        assert child.exited.result() == -signal.SIGKILL

    run(main())


def test_it_inherits_sockets_and_its_environment(run: Run) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            child = await start(
                "import os\n"
                "from zonda._core.net import supervised\n"
                "(listener,) = supervised.inherited_sockets('ZONDA_LISTEN_FDS')\n"
                f"assert listener.getsockname() == {listener.getsockname()!r}\n"
                "assert not listener.get_inheritable()\n"
                "assert os.environ['GIVEN'] == 'this'\n"
                "assert supervised.inherited_sockets('ZONDA_LISTEN_FDS') == []\n",
                listener,
            )
            assert await child.exited == 0
            await child.end(10.0)

    run(main())


def test_what_cannot_be_started_leaves_nothing_open(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError):
            await Child.start("it", ["/nowhere"], node="n", sockets=[], environment={})

    run(main())


def test_one_that_says_it_leaves_is_over_and_not_ended(run: Run) -> None:
    async def main() -> None:
        child = await start(
            OBEDIENT.replace("ready=True)", "ready=True)\n    supervised.tell(leaving=True)"),
        )
        over = asyncio.Event()
        child.on_over = lambda _: over.set()
        assert await child.ready
        await over.wait()
        assert not child.exited.done()
        assert await child.end(10.0)

    run(main())
