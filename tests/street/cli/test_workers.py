"""`zonda run --workers`, as processes: they share the load and are replaced, and nothing is lost."""

import http.client
import os
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from tests.load import Load
from tests.workers import PATIENCE, Running, is_alive, running, running_command, wait_until_gone

APPLICATION = """
import asyncio
import os

from zonda._core.net import supervised
from zonda.web import Application, RequestHandler
from zonda.websocket import WebSocketHandler

VERSION = "one"


class Main(RequestHandler):
    def get(self):
        self.write(f"{VERSION} {os.getpid()}")


class Slow(RequestHandler):
    async def get(self):
        print("slow begins", flush=True)
        await asyncio.sleep(0.5)
        self.write("slow is done")


class Poll(RequestHandler):
    async def get(self):
        self.leaving = asyncio.Event()
        print("poll begins", flush=True)
        await self.leaving.wait()
        self.write("come again")

    def on_server_leave(self):
        self.leaving.set()


class Stuck(RequestHandler):
    async def get(self):
        print("stuck begins", flush=True)
        await asyncio.sleep(1000)


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)


class Nodelay(RequestHandler):
    def get(self):
        sock = self.request.connection.connection.socket
        self.write(str(sock.getsockopt(6, 1)))


# One write: by `print`, unbuffered, each part is one, and the supervisor may write between two of them.
supervised.on_node_gone(lambda node: os.write(1, f"{os.getpid()} hears that {node} is gone\\n".encode()))


class Node(RequestHandler):
    def get(self):
        self.write(supervised.node_id())


app = Application(
    [
        ("/", Main),
        ("/slow", Slow),
        ("/poll", Poll),
        ("/stuck", Stuck),
        ("/echo", Echo),
        ("/nodelay", Nodelay),
        ("/node", Node),
    ]
)
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "main.py").write_text(APPLICATION)
    return tmp_path


def get(address: str, path: str = "/") -> str:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def wait_for_version(run: Running, version: str) -> None:
    """Until all who still accept are of this version, those before may answer a last time."""
    deadline = time.monotonic() + PATIENCE
    while not get(run.address).startswith(version):
        assert time.monotonic() < deadline, run.lines


def test_workers_share_the_connections_and_stop_when_told(site):
    with running(site, "main:app", "--workers", "3") as run:
        pids = {f"one {pid}" for pid in run.workers.values()} if run.address else set()
        assert len(pids) == 3
        with Load(run.address, rate=400, each=1) as load:
            load.wait_for(150)
        assert set(load.answers) == pids
        assert not load.failures
        assert run.stop() == 0
        assert run.lines[-1].startswith("stopping")
        assert not [line for line in run.lines if "Traceback" in line]


def test_answers_are_not_held_back(site):
    with running(site, "main:app", "--workers", "1") as run:
        assert get(run.address, "/nodelay") == "1"


def test_sighup_under_load_loses_nothing_and_brings_new_code(site):
    with (
        running(site, "main:app", "--workers", "2") as run,
        Load(run.address, kind=lambda body: body.split()[0]) as load,
    ):
        before = run.workers
        load.wait_for(300)
        assert set(load.answers) == {"one"}
        for times, version in enumerate(("two", "three"), 2):
            (site / "main.py").write_text(APPLICATION.replace('"one"', f'"{version}"'))
            run.send(signal.SIGHUP)
            run.wait_for("worker . is ready", 2 * times)
            load.wait_for(300)
        for pid in before.values():
            wait_until_gone(pid)
        assert not set(before.values()) & set(run.workers.values())
        load.answers.clear()
        load.wait_for(300)
    assert load.failures == []
    assert set(load.answers) == {"three"}
    assert load.told_close


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["supervisor", "group"])
def test_a_stop_under_load_answers_what_was_sent(site, send, number):
    """A terminal's Ctrl-C, and some who end services, tell all processes: that is still one stop."""
    with running(site, "main:app", "--workers", "2") as run, Load(run.address) as load:
        load.wait_for(300)
        load.end_with_the_server()
        send(run.process.pid, number)
        assert run.wait() == 0
    assert load.failures == []
    assert not run.seen("Traceback|another comes|killed")


def test_ctrl_c_in_the_middle_of_a_start_is_quiet(site):
    (site / "main.py").write_text("print('is loading', flush=True)\nimport time\ntime.sleep(100)\n")
    with running(site, "main:app", "--workers", "2") as run:
        run.wait_for("is loading")
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.wait() == 0
    assert not run.seen("Traceback|another comes")


def test_a_worker_that_is_killed_is_replaced_and_the_others_hear_of_it(site):
    with running(site, "main:app", "--workers", "2") as run:
        address = run.address
        nodes: dict[str, str] = {}
        while len(nodes) < 2:
            connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
            connection.request("GET", "/")
            _, pid = connection.getresponse().read().decode().split()
            connection.request("GET", "/node")
            nodes[pid] = connection.getresponse().read().decode()
            connection.close()
        killed, other = nodes
        os.kill(int(killed), signal.SIGKILL)
        (heard,) = run.wait_for(r"(\d+) hears that (\S+) is gone")
        assert heard.groups() == (other, nodes[killed])
        assert run.wait_for(r"worker \d \(pid (\d+)\) was killed by signal 9; another comes in 0.1 s")
        run.wait_for(r"worker . is ready", 3)
        with Load(address, rate=400, each=1) as load:
            load.wait_for(100)
        assert not load.failures
        assert set(load.answers) == {f"one {pid}" for pid in run.workers.values()}
        assert int(other) in run.workers.values()
        assert run.stop() == 0


def test_connections_wait_for_a_worker_that_comes_again(site):
    """The socket is the supervisor's: what waits on it outlives the worker."""
    with running(site, "main:app", "--workers", "1") as run:
        address = run.address
        os.kill(run.workers[1], signal.SIGKILL)
        with Load(address, rate=100, each=1) as load:
            load.wait_for(20)
        assert not load.failures
        assert set(load.answers) == {f"one {run.workers[1]}"}


def test_a_worker_that_is_told_to_leave_has_its_successor_at_once(site):
    with running(site, "main:app", "--workers", "2", "--drain-timeout", "60") as run:
        address = run.address
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
        connection.request("GET", "/")
        pid = int(connection.getresponse().read().split()[1])
        connection.request("GET", "/stuck")
        run.wait_for("stuck begins")
        os.kill(pid, signal.SIGTERM)
        run.wait_for("worker . is ready", 3)
        assert is_alive(pid)
        with Load(address, rate=400, each=1) as load:
            load.wait_for(100)
        assert not load.failures
        assert set(load.answers) == {f"one {pid}" for pid in run.workers.values()}
        connection.close()


def test_what_is_begun_is_told_and_finished(site):
    with running(site, "main:app", "--workers", "2") as run:
        address = run.address.removeprefix("http://")
        slow = http.client.HTTPConnection(address, timeout=20)
        slow.request("GET", "/slow")
        poll = http.client.HTTPConnection(address, timeout=20)
        poll.request("GET", "/poll")
        host, _, port = address.partition(":")
        browser = socket.create_connection((host, int(port)), timeout=20)
        browser.sendall(
            b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += browser.recv(1)
        run.wait_for("slow begins")
        run.wait_for("poll begins")
        run.send(signal.SIGTERM)
        assert browser.recv(4) == b"\x88\x02\x03\xe9"  # Close, 1001
        browser.close()
        assert poll.getresponse().read() == b"come again"
        assert slow.getresponse().read() == b"slow is done"
        assert run.wait() == 0
        slow.close()
        poll.close()


def test_a_second_signal_ends_at_once(site):
    with running(site, "main:app", "--workers", "2") as run:
        connection = http.client.HTTPConnection(run.address.removeprefix("http://"), timeout=20)
        connection.request("GET", "/stuck")
        run.wait_for("stuck begins")
        run.send(signal.SIGTERM)
        run.wait_for("stopping")
        assert run.process.poll() is None
        run.send(signal.SIGTERM)
        assert run.wait(20) == 0
        connection.close()


def test_what_does_not_end_in_time_is_cut_off(site):
    with running(site, "main:app", "--workers", "1", "--drain-timeout", "0.5") as run:
        connection = http.client.HTTPConnection(run.address.removeprefix("http://"), timeout=20)
        connection.request("GET", "/stuck")
        run.wait_for("stuck begins")
        assert run.stop() == 0
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
        connection.close()


def test_workers_leave_when_their_supervisor_is_killed(site):
    with running(site, "main:app", "--workers", "2") as run:
        assert run.address
        pids = [int(match[1]) for match in run.seen(r"is ready \(pid (\d+)\)")]
        run.send(signal.SIGKILL)
        for pid in pids:
            wait_until_gone(pid)
        assert run.wait() == -signal.SIGKILL


@pytest.mark.parametrize("text", ["raise SystemExit('no database')", "app = 1", "import nosuch", "app = ("])
def test_what_cannot_be_loaded_ends_the_supervisor(site, text):
    (site / "main.py").write_text(text)
    with running(site, "main:app", "--workers", "3") as run:
        assert run.wait() == 1
    assert run.seen("no database|main:app is of type int|nosuch|was never closed")
    assert len(run.seen(r"zonda run: worker 1 \(pid \d+\) ended with status 1 before it was ready")) == 1
    assert not run.seen("worker . is ready|worker [23]")


def test_a_successor_that_fails_leaves_the_one_before(site):
    with running(site, "main:app", "--workers", "2") as run:
        address = run.address
        (site / "main.py").write_text("raise SystemExit('no database')")
        run.send(signal.SIGHUP)
        run.wait_for(rf"worker 1 .* ended with status 1 before it was ready; .*{run.workers[1]}\) stays")
        with Load(address, rate=400, each=1) as load:
            load.wait_for(50)
        assert set(load.answers) == {f"one {pid}" for pid in run.workers.values()}
        (site / "main.py").write_text(APPLICATION.replace('"one"', '"two"'))
        run.send(signal.SIGHUP)
        run.wait_for("worker . is ready", 4)
        wait_for_version(run, "two")
        assert run.stop() == 0


def test_a_worker_that_dies_again_and_again_waits_longer_each_time(site):
    with running(site, "main:app", "--workers", "1") as run:
        assert run.address
        (site / "main.py").write_text("raise SystemExit('no database')")
        os.kill(run.workers[1], signal.SIGKILL)
        waits = [float(m[1]) for m in run.wait_for("another comes in ([0-9.]+) s", 4)]
        assert waits == [0.1, 0.2, 0.4, 0.8]
        (site / "main.py").write_text(APPLICATION)
        run.wait_for("worker 1 is ready", 2)
        assert get(run.address).startswith("one")


def test_nobody_waits_for_a_worker_that_is_dead(site):
    """The next one accepts for it, as long as it does not come again."""
    with running(site, "main:app", "--workers", "3") as run:
        address = run.address
        (site / "main.py").write_text("raise SystemExit('no database')")
        dead = run.workers[2]
        os.kill(dead, signal.SIGKILL)
        run.wait_for("another comes in 0.4 s")
        with Load(address, rate=300, each=1) as load:
            load.wait_for(150)
        assert not load.failures
        assert load.slowest < 5.0
        alive = {f"one {pid}" for pid in run.workers.values() if pid != dead}
        assert set(load.answers) == alive
        (site / "main.py").write_text(APPLICATION)
        run.wait_for("worker 2 is ready", 2)
        with Load(address, rate=300, each=1) as load:
            load.wait_for(150)
        assert not load.failures
        assert set(load.answers) == alive | {f"one {run.workers[2]}"}
        assert run.stop() == 0


def test_one_unix_socket_for_all(site):
    with running(site, "main:app", "--workers", "2", "--uds", "app.sock") as run:
        assert run.address == "unix:app.sock"
        with Load(f"unix:{site}/app.sock", rate=400, each=1) as load:
            load.wait_for(100)
            run.send(signal.SIGHUP)
            run.wait_for("worker . is ready", 4)
            load.wait_for(100)
        assert not load.failures
        assert run.stop() == 0


def test_a_taken_port_is_found_though_workers_share_theirs(site):
    with running(site, "main:app", "--workers", "2") as run:
        port = run.address.rpartition(":")[2]
        command = [sys.executable, "-m", "zonda", "run", "main:app", "--workers", "2", "--port", port]
        with running_command(command, site) as second:
            assert second.wait() == 1
        assert second.seen(f"zonda run: cannot listen on 127.0.0.1, port {port}: .*in use")


def test_a_broker_of_ones_own_replaces_the_bus(site):
    with (site / "main.py").open("a") as main:
        main.write("print('the broker is ' + os.environ['ZONDA_BROKER'], flush=True)\n")
    url = "redis://127.0.0.1:1"
    with running(site, "main:app", "--workers", "1", "--broker", url) as run:
        run.wait_for(f"the broker is {url}")
        assert run.address
        assert not run.seen("bus")
        assert run.stop() == 0


def test_the_bus_is_behind_a_door_that_is_gone_afterwards(site, tmp_path):
    with (site / "main.py").open("a") as main:
        main.write("print('the broker is ' + os.environ['ZONDA_BROKER'], flush=True)\n")
    with running(site, "main:app", "--workers", "1") as run:
        path = Path(run.wait_for("the broker is unixbus://(/.*)")[0][1])
        assert run.address
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.is_socket()
        assert run.stop() == 0
    assert not path.parent.exists()


def test_the_bus_is_started_again_and_not_replaced(site):
    with running(site, "main:app", "--workers", "1") as run:
        assert run.address
        (bus,) = (int(match[1]) for match in run.seen(r"bus is ready \(pid (\d+)\)"))
        run.send(signal.SIGHUP)
        run.wait_for("worker 1 is ready", 2)
        assert is_alive(bus)
        os.kill(bus, signal.SIGKILL)
        run.wait_for("bus is ready", 2)
        assert run.stop() == 0


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one", "two"])
def test_a_changed_file_replaces_the_process(site, workers):
    with running(site, "main:app", "--reload", *workers) as run:
        assert run.address
        for version in ("two", "three"):
            time.sleep(0.01)  # another time of modification
            (site / "main.py").write_text(APPLICATION.replace('"one"', f'"{version}"'))
            run.wait_for("main.py has changed", 1 if version == "two" else 2)
            wait_for_version(run, version)
        run.wait_for("worker . is ready", 6 if workers else 3)
        (site / "main.py").write_text("raise SystemExit('a mistake')")
        run.wait_for("ended with status 1 before it was ready; .* stays")
        assert get(run.address).startswith("three")
        (site / "main.py").write_text(APPLICATION)
        wait_for_version(run, "one")
        assert len(run.seen("main.py has changed")) == 4
        assert run.stop() == 0


def test_a_debug_application_is_replaced_too(site):
    """Not restarted in its own process, which would become a supervisor."""
    debug = APPLICATION.replace("app = Application(", "app = Application(debug=True, handlers=")
    (site / "main.py").write_text(debug)
    with running(site, "main:app", "--workers", "1") as run:
        assert run.address
        (site / "main.py").write_text(debug.replace('"one"', '"two"'))
        wait_for_version(run, "two")
        run.wait_for("worker 1 is ready", 2)
        assert run.stop() == 0


def test_in_code(site):
    (site / "main.py").write_text(
        APPLICATION
        + """
if __name__ == "__main__":
    import zonda
    from zonda.httpserver import HTTPServer

    def say(line):
        print(line, flush=True)

    zonda.run_workers(lambda: HTTPServer(app, xheaders=True), 2, port=0, say=say)
"""
    )
    with running_command([sys.executable, "main.py"], site) as run:
        assert get(run.address).startswith("one")
        run.send(signal.SIGHUP)
        run.wait_for("worker . is ready", 4)
        assert get(run.address).startswith("one")
        assert run.stop() == 0
