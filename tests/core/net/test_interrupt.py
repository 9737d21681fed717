"""SIGINT ends a loop that runs, on asyncio and on uvloop, also when it comes in the middle of a callback."""

import asyncio
import signal
import socket
import threading

import pytest
import uvloop

from zonda._core.net.interrupt import interruptible


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request):
    loop = request.param()
    yield loop
    loop.close()


def run(loop):
    with interruptible(loop):
        loop.run_forever()


def test_in_a_protocol(loop):
    """The case that uvloop loses."""

    class Interrupted(asyncio.Protocol):
        def data_received(self, data):
            signal.raise_signal(signal.SIGINT)

    ours, theirs = socket.socketpair()
    transport, _ = loop.run_until_complete(loop.create_connection(Interrupted, sock=ours))
    theirs.send(b"x")
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    transport.close()
    theirs.close()
    loop.run_until_complete(asyncio.sleep(0))


def test_in_a_callback_and_while_idle(loop):
    loop.call_soon(signal.raise_signal, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    other = threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    loop.call_soon(other.start)
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    other.join()


def test_the_second_one_ends_a_callback_that_does_not_end(loop):
    passed = []

    def stuck():
        signal.raise_signal(signal.SIGINT)
        passed.append("the first")
        signal.raise_signal(signal.SIGINT)
        passed.append("the second")

    loop.call_soon(stuck)
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    assert passed == ["the first"]


def test_the_default_comes_back(loop):
    loop.call_soon(loop.stop)
    run(loop)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_programs_own_handler_stays(loop):
    got = []
    before = signal.signal(signal.SIGINT, lambda number, frame: got.append(number))
    try:
        loop.call_soon(signal.raise_signal, signal.SIGINT)
        loop.call_later(0.01, loop.stop)
        run(loop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert got == [signal.SIGINT]


def test_a_handler_set_while_it_runs_stays(loop):
    got = []
    loop.call_soon(loop.add_signal_handler, signal.SIGINT, lambda: (got.append(1), loop.stop()))
    loop.call_soon(signal.raise_signal, signal.SIGINT)
    run(loop)
    assert got == [1]
    loop.remove_signal_handler(signal.SIGINT)


def test_off_the_main_thread_nothing_is_touched(loop):
    loop.call_soon(loop.stop)
    failures = []

    def thread():
        try:
            run(loop)
        except BaseException as error:
            failures.append(error)

    other = threading.Thread(target=thread)
    other.start()
    other.join()
    assert failures == []
