"""`zonda run`, as a process of its own: it serves, stops when told, and says what is wrong."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from zonda._core.base.native import COMPILED

APPLICATION = """
import asyncio
from zonda.ioloop import IOLoop
from zonda.web import Application, RequestHandler


class Main(RequestHandler):
    def get(self):
        self.write(f"hello on {type(asyncio.get_running_loop()).__module__}")


class Slow(RequestHandler):
    started = None

    async def get(self):
        print("slow begins", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, input)
        self.write("slow is done")


class Called(RequestHandler):
    def get(self):
        self.write(", ".join(called))


called = []
app = Application([("/", Main), ("/slow", Slow), ("/called", Called)])


def make():
    IOLoop.current(instance=False).add_callback(called.append, "the factory's callback ran")
    return app
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "main.py").write_text(APPLICATION)
    return tmp_path


@contextmanager
def running(site, *arguments: str, place: str = "main:app") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address it printed, behind what the application prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "zonda", "run", place, *arguments],
        cwd=site,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        for line in process.stdout:
            _, found, address = line.strip().partition("zonda is listening on ")
            if found:
                break
        else:
            pytest.fail(f"it did not listen: {process.stderr.read()}")
        yield process, address
    finally:
        process.kill()
        process.communicate()


def get(address: str, path: str = "/") -> str:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_on_uvloop_and_stops_when_told(site, number):
    with running(site, "--port", "0") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert get(address) == ("hello on uvloop" if sys.platform != "win32" else "hello on asyncio")
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")


def test_a_factory_may_use_the_loop_that_will_run(site):
    with running(site, "--port", "0", place="main:make") as (_, address):
        assert get(address, "/called") == "the factory's callback ran"


def test_a_request_that_is_being_answered_is_finished(site):
    with running(site, "--port", "0") as (process, address):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
        connection.request("GET", "/slow")
        assert process.stdout.readline() == "slow begins\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline().startswith("zonda is stopping")
        # Who waited to be let in still is; from then on nobody is.
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                get(address)
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert connection.getresponse().read() == b"slow is done"
        connection.close()
        assert process.wait(20) == 0


def test_a_second_signal_does_not_wait(site):
    with running(site, "--port", "0") as (process, address):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
        connection.request("GET", "/slow")
        assert process.stdout.readline() == "slow begins\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline().startswith("zonda is stopping")
        process.send_signal(signal.SIGTERM)
        process.stdin.write("go on\n")  # lets the handler's own thread end
        process.stdin.flush()
        assert process.wait(20) == 0
        connection.close()


def test_it_listens_on_a_unix_socket(site):
    with running(site, "--uds", "app.sock") as (process, address):
        assert address == "unix:app.sock"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.fspath(site / "app.sock"))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        assert answer.endswith(b"hello on uvloop")
        process.terminate()
        assert process.wait(20) == 0


def zonda(*arguments: str, cwd=None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zonda", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_what_cannot_be_loaded_is_one_line(site):
    done = zonda("run", "main:ap", cwd=site)
    assert done.returncode == 1
    assert done.stderr.startswith("zonda run: ")
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_one_line(site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = zonda("run", "main:app", "--port", str(taken.getsockname()[1]), cwd=site)
    assert done.returncode == 1
    assert done.stderr.startswith("zonda run: cannot listen on 127.0.0.1, port ")
    assert "in use" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["http", "-1", "65536", "١"])
def test_a_port_that_is_none_is_refused(port):
    done = zonda("run", "main:app", f"--port={port}")
    assert done.returncode == 2
    assert "a port is a number from 0 to 65535" in done.stderr


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--workers=0", "a number of workers is 1 to 1024, not '0'"),
        ("--workers=two", "a number of workers is 1 to 1024, not 'two'"),
        ("--drain-timeout=-1", "a time-out is a number of seconds, not '-1'"),
        ("--drain-timeout=inf", "a time-out is a number of seconds, not 'inf'"),
        ("--drain-timeout=nan", "a time-out is a number of seconds, not 'nan'"),
    ],
)
def test_a_number_that_is_none_is_refused(option, message):
    done = zonda("run", "main:app", option)
    assert done.returncode == 2
    assert message in done.stderr


def test_help_has_examples():
    done = zonda("run", "--help")
    assert done.returncode == 0
    assert "zonda run main:app" in done.stdout


def test_version():
    import zonda as package

    build = "compiled" if COMPILED else "pure Python"
    assert zonda("--version").stdout == f"zonda {package.__version__} ({build})\n"
