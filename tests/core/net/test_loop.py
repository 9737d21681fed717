"""One contract, run on asyncio's own loop and on uvloop's; and which of the two one gets."""

import asyncio
import contextvars
import datetime
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future as ThreadFuture
from typing import Any

import pytest
import uvloop

from zonda import gen
from zonda.concurrent import chain_future
from zonda.ioloop import IOLoop, PeriodicCallback
from zonda.platform.asyncio import AddThreadSelectorEventLoop

FACTORIES: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[IOLoop]:
    loop = IOLoop(asyncio_loop=FACTORIES[request.param](), make_current=False)
    yield loop
    loop.close(all_fds=True)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


def run(loop: IOLoop) -> None:
    """Runs the loop until a callback stops it."""
    guard = loop.call_later(5, loop.stop)
    loop.start()
    loop.remove_timeout(guard)


def test_callbacks_keep_their_order_and_take_keywords(loop: IOLoop) -> None:
    seen: list[Any] = []
    loop.add_callback(seen.append, 1)
    loop.add_callback(lambda *args, **kwargs: seen.append((args, kwargs)), 2, x=3)
    loop.add_callback(loop.stop)
    run(loop)
    assert seen == [1, ((2,), {"x": 3})]


def test_callback_from_a_thread_wakes_a_sleeping_loop(loop: IOLoop) -> None:
    thread = threading.Thread(target=loop.add_callback, args=(loop.stop,))
    loop.call_later(0, thread.start)
    expired = loop.call_later(5, pytest.fail, "the loop slept on")
    loop.start()
    thread.join()
    loop.remove_timeout(expired)


def test_deadlines_are_reached_in_order(loop: IOLoop) -> None:
    seen: list[str] = []
    now = loop.time()
    loop.call_later(0.03, loop.stop)
    loop.add_timeout(datetime.timedelta(milliseconds=20), seen.append, "second")
    loop.add_timeout(now + 0.01, seen.append, "first")
    loop.add_timeout(now - 100, seen.append, "long ago")
    loop.remove_timeout(loop.call_at(now + 0.001, seen.append, "removed"))
    run(loop)
    assert seen == ["long ago", "first", "second"]


def test_read_and_write_are_watched_apart(loop: IOLoop, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    seen: list[int] = []

    def ready(sock: socket.socket, events: int) -> None:
        assert sock is left
        seen.append(events)
        if events == loop.WRITE:
            loop.update_handler(left, loop.READ)
            right.send(b"x")
        else:
            loop.remove_handler(left)
            loop.stop()

    loop.add_handler(left, ready, loop.READ | loop.WRITE)
    run(loop)
    assert seen == [loop.WRITE, loop.READ]
    with pytest.raises(KeyError):
        loop.update_handler(left, loop.READ)


def test_a_closed_socket_is_closed_at_once(loop: IOLoop, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    loop.add_handler(left, lambda fd, events: None, loop.READ)
    loop.remove_handler(left)
    left.close()
    assert right.recv(1) == b""  # the peer sees the end: nothing of the loop's holds the file


def test_a_handler_removed_by_another_is_not_called(
    loop: IOLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    seen: list[socket.socket] = []

    def ready(sock: socket.socket, events: int) -> None:
        seen.append(sock)
        for one in pair:
            loop.remove_handler(one)
        loop.call_later(0.01, loop.stop)

    for one in pair:
        one.send(b"x")
        loop.add_handler(one, ready, loop.READ)
    run(loop)
    assert len(seen) == 1


def test_a_signal_wakes_the_loop(loop: IOLoop) -> None:
    def handle(number: int, frame: object) -> None:
        with pytest.warns(DeprecationWarning):
            loop.add_callback_from_signal(loop.stop)

    previous = signal.signal(signal.SIGUSR1, handle)
    try:
        loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
        expired = loop.call_later(5, pytest.fail, "the signal was not seen")
        loop.start()
        loop.remove_timeout(expired)
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_failures_of_callbacks_are_logged(loop: IOLoop, expect_log: Callable[..., Any]) -> None:
    expected = expect_log("zonda.application", "^Exception in callback")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise ValueError("in a coroutine")

    def fail() -> None:
        raise ValueError("in a function")

    loop.add_callback(fail)
    loop.add_callback(fail_later)
    loop.call_later(0.01, loop.stop)
    run(loop)
    assert len(expected.records) == 2


def test_a_callbacks_task_survives_the_collector(loop: IOLoop) -> None:
    held: list[weakref.ref[asyncio.Future[None]]] = []

    async def wait() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held.append(weakref.ref(future))
        await future
        loop.stop()

    def wake() -> None:
        gc.collect()
        future = held[0]()
        assert future is not None, "nobody held the Task"
        future.set_result(None)

    loop.add_callback(wait)
    loop.call_later(0.01, wake)
    expired = loop.call_later(5, pytest.fail, "the coroutine vanished")
    loop.start()
    loop.remove_timeout(expired)


def test_run_sync_lets_cancelled_work_clean_up(loop: IOLoop) -> None:
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    with pytest.raises(TimeoutError, match=r"after 0\.01 seconds"):
        loop.run_sync(work, timeout=0.01)
    assert cleaned == [True]


def test_run_sync_on_a_running_loop_is_refused_and_leaves_nothing(loop: IOLoop) -> None:
    async def work() -> None:
        pytest.fail("it was run after all")

    async def outer() -> None:
        with pytest.raises(RuntimeError, match="is running"):
            loop.run_sync(work)
        await asyncio.sleep(0)

    loop.run_sync(outer)


def test_run_sync_gives_a_cancellation_of_its_own_back(loop: IOLoop) -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        loop.run_sync(work, timeout=5)


def test_thread_future_is_copied_on_the_loop(loop: IOLoop) -> None:
    threads: list[int] = []

    async def wait() -> int:
        source: ThreadFuture[int] = ThreadFuture()
        copy: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        copy.add_done_callback(lambda copy: threads.append(threading.get_ident()))
        chain_future(source, copy)
        thread = threading.Thread(target=source.set_result, args=(42,))
        thread.start()
        result = await copy
        thread.join()
        return result

    assert loop.run_sync(wait) == 42
    assert threads == [threading.get_ident()]


def test_thread_future_of_a_closed_loop_is_dropped() -> None:
    loop = IOLoop(make_current=False)
    source: ThreadFuture[int] = ThreadFuture()
    copy: asyncio.Future[int] = loop.asyncio_loop.create_future()
    chain_future(source, copy)
    loop.close()
    source.set_result(1)
    assert not copy.done()


def test_context_of_a_generator_coroutine(loop: IOLoop) -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @gen.coroutine
    def inner() -> Any:
        token = var.set("inner")
        yield gen.sleep(0.001)
        assert var.get() == "inner"
        var.reset(token)  # raises in another context than it was set in

    async def outer() -> str:
        await inner()
        return var.get()

    assert loop.run_sync(outer) == "unset"


def test_debug_mode_says_where_a_coroutine_was_called(loop: IOLoop) -> None:
    @gen.coroutine
    def work() -> Any:
        yield gen.moment

    async def show() -> str:
        future = work()
        text = repr(future)
        await future
        return text

    loop.asyncio_loop.set_debug(True)
    loop.asyncio_loop.slow_callback_duration = 5
    assert f"created at {__file__}:" in loop.run_sync(show)


def test_periodic_callback_does_not_overlap(loop: IOLoop) -> None:
    inside = 0
    calls = 0

    async def call() -> None:
        nonlocal inside, calls
        assert inside == 0
        inside += 1
        await asyncio.sleep(0.005)
        inside -= 1
        calls += 1
        if calls == 3:
            periodic.stop()
            loop.stop()

    periodic = PeriodicCallback(call, 1)
    loop.add_callback(periodic.start)
    run(loop)
    assert (calls, periodic.is_running()) == (3, False)


def test_multi_grows_linearly_in_callbacks(loop: IOLoop) -> None:
    async def many(n: int) -> int:
        results = await gen.multi([gen.sleep(0) for _ in range(n)])
        return len(results)

    assert loop.run_sync(lambda: many(20_000), timeout=5) == 20_000


def test_a_loop_that_we_make_is_uvloops() -> None:
    loop = IOLoop(make_current=False)
    assert isinstance(loop.asyncio_loop, uvloop.Loop)
    loop.close()


def in_new_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_current_makes_uvloops_where_nothing_was_set() -> None:
    program = "from zonda.ioloop import IOLoop; print(type(IOLoop.instance().asyncio_loop).__module__)"
    assert in_new_process(program) == "uvloop"


def test_current_takes_the_loop_that_was_set() -> None:
    program = (
        "import asyncio; l = asyncio.SelectorEventLoop(); asyncio.set_event_loop(l);"
        "from zonda.ioloop import IOLoop; print(IOLoop.current().asyncio_loop is l)"
    )
    assert in_new_process(program) == "True"


def test_an_event_loop_policy_of_the_users_decides() -> None:
    program = (
        "import asyncio\n"
        "class Policy(asyncio.DefaultEventLoopPolicy): pass\n"
        "asyncio.set_event_loop_policy(Policy())\n"
        "from zonda.ioloop import IOLoop; print(type(IOLoop().asyncio_loop).__module__)"
    )
    assert in_new_process(program) == "asyncio.unix_events"


def test_current_after_the_loop_was_closed_makes_another() -> None:
    program = (
        "from zonda.ioloop import IOLoop\n"
        "IOLoop.current().close()\n"
        "assert IOLoop.current(instance=False) is None\n"
        "print(IOLoop.current().asyncio_loop.is_closed())"
    )
    assert in_new_process(program) == "False"


def test_style_of_2009() -> None:
    program = (
        "import time\n"
        "from zonda.ioloop import IOLoop\n"
        "io_loop = IOLoop.instance()\n"
        "io_loop.add_timeout(time.time() + 0.01, lambda: (print('done'), io_loop.stop()))\n"
        "io_loop.start()"
    )
    assert in_new_process(program) == "done"


def test_selector_thread_watches_for_a_loop_without_readers(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, right = pair
    real_loop = asyncio.SelectorEventLoop()
    loop = AddThreadSelectorEventLoop(real_loop)  # type: ignore[abstract]
    seen: list[Any] = []

    def readable() -> None:
        seen.append(left.recv(1))
        if len(seen) == 2:
            loop.remove_reader(left)
            loop.add_writer(left, writable)
        else:
            right.send(b"b")

    def writable() -> None:
        seen.append("writable")
        assert loop.remove_writer(left)
        assert not loop.remove_writer(left)
        real_loop.stop()

    loop.add_reader(left, readable)
    right.send(b"a")
    real_loop.call_later(5, real_loop.stop)
    loop.run_forever()
    loop.close()
    assert seen == [b"a", b"b", "writable"]
    assert real_loop.is_closed()
