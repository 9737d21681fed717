"""Jupyter Server as it comes from PyPI, on zonda: pages, API, a terminal and a kernel over WebSocket."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

import pytest

from tests.shared import SITE, alone
from zonda.httpclient import HTTPRequest
from zonda.simple_httpclient import SimpleAsyncHTTPClient
from zonda.websocket import websocket_connect

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = [
    "jupyter_server==2.21.1",
    "jupyter_server_terminals==0.5.4",
    "terminado==0.18.1",
    "ipykernel==7.4.0",
]
CACHE = Path(os.environ.get("ZONDA_TEST_CACHE") or Path.home() / ".cache" / "zonda-tests")
TOKEN = "a-token-of-this-test"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX's"),
]


def installed() -> Path:
    """A Python that has Jupyter Server and what zonda needs; it is kept for the next run."""
    needs = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    # pip goes by them (scripts/lib.sh): who changes them means this environment, too.
    constraints = Path(os.environ.get("PIP_CONSTRAINT") or os.devnull).read_text()
    wanted = "\n".join([sys.version, *PACKAGES, *needs, constraints])
    home = CACHE / "jupyter_server"
    python, stamp = home / "bin" / "python", home / "installed"
    with alone(CACHE):
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True, capture_output=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *PACKAGES, *needs], capture_output=True, text=True)
        if done.returncode:
            # In CI a test that quietly does not run is worse than a red run.
            (pytest.fail if os.environ.get("CI") else pytest.skip)(
                f"pip could not install it: {done.stderr[-500:]}"
            )
        stamp.write_text(wanted)
    return python


@pytest.fixture
def server(tmp_path, free_port):
    """The address of a running server; afterwards it is stopped, and its log has no failure in it."""
    port = free_port()
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    (tmp_path / "root").mkdir()
    log = tmp_path / "log"
    command = [installed(), "-m", "zonda.as_tornado", "-m", "jupyter_server", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={tmp_path / 'root'}", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    # zonda alone: not what else stands where it is installed.
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "zonda").symlink_to(SITE / "zonda")
    env = {**os.environ, **folders, "PYTHONPATH": str(packages), "SHELL": "/bin/sh"}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            for line in process.stdout:
                output.write(line)
                if b"is running at" in line:
                    break
            else:
                pytest.fail(f"it did not start: {log.read_text()}")
            yield f"http://127.0.0.1:{port}"
            process.send_signal(signal.SIGTERM)
            output.write(process.communicate(timeout=60)[0])
        finally:
            process.kill()
    said = log.read_text()
    assert process.returncode == 0, said
    assert "Traceback" not in said, said


class Visitor:
    """Somebody with the token."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = SimpleAsyncHTTPClient(force_instance=True)

    async def ask(self, path: str, method: str = "GET", data: object = None):
        headers = {"Authorization": f"token {TOKEN}"}
        body = None if data is None else json.dumps(data)
        return await self.client.fetch(self.address + path, method=method, headers=headers, body=body)

    async def connect(self, path: str):
        headers = {"Authorization": f"token {TOKEN}"}
        return await websocket_connect(
            HTTPRequest(self.address.replace("http", "ws", 1) + path, headers=headers)
        )


def visit(address, work):
    async def main():
        visitor = Visitor(address)
        try:
            await asyncio.wait_for(work(visitor), 120)
        finally:
            visitor.client.close()

    asyncio.run(main())


def test_jupyter_server(server):
    async def work(visitor):
        await pages(visitor)
        await contents(visitor)
        await terminal(visitor)
        await kernel(visitor)

    visit(server, work)


async def listens(visitor):
    """It says that it is running before it listens; nothing tells of that but the port itself."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await visitor.client.fetch(visitor.address + "/login")
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)


async def pages(visitor):
    page = await listens(visitor)
    assert page.headers["Server"].startswith("zonda/")
    assert b"<title>Jupyter Server</title>" in page.body
    style = await visitor.ask("/static/style/index.css")
    assert style.headers["Content-Type"] == "text/css"
    again = await visitor.client.fetch(
        visitor.address + "/static/style/index.css",
        headers={"If-Modified-Since": style.headers["Last-Modified"]},
        raise_error=False,
    )
    assert again.code == 304
    stranger = await visitor.client.fetch(visitor.address + "/api/contents", raise_error=False)
    assert stranger.code == 403


async def contents(visitor):
    status = json.loads((await visitor.ask("/api/status")).body)
    assert status["kernels"] == 0
    made = await visitor.ask("/api/contents/a.txt", "PUT", {"type": "file", "format": "text", "content": "é"})
    assert made.code == 201
    assert json.loads((await visitor.ask("/api/contents/a.txt")).body)["content"] == "é"
    assert (await visitor.ask("/files/a.txt")).body == "é".encode()
    assert (await visitor.ask("/api/contents/a.txt", "DELETE")).code == 204


async def terminal(visitor):
    name = json.loads((await visitor.ask("/api/terminals", "POST", {})).body)["name"]
    connection = await visitor.connect(f"/terminals/websocket/{name}")
    await connection.write_message(json.dumps(["stdin", "echo $((6 * 7))-it-is\r"]))
    shown = ""
    while "42-it-is" not in shown:
        message = await connection.read_message()
        assert message is not None, shown
        kind, *rest = json.loads(message)
        if kind == "stdout":
            shown += rest[0]
    await end(connection)
    assert (await visitor.ask(f"/api/terminals/{name}", "DELETE")).code == 204


async def end(connection):
    connection.close()
    while await connection.read_message() is not None:
        continue


async def kernel(visitor):
    started = json.loads((await visitor.ask("/api/kernels", "POST", {"name": "python3"})).body)
    connection = await visitor.connect(f"/api/kernels/{started['id']}/channels")
    head = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": "s",
        "username": "u",
        "version": "5.3",
    }
    content = {"code": "print(6 * 7)", "silent": False, "store_history": False, "user_expressions": {}}
    content |= {"allow_stdin": False, "stop_on_error": True}
    message = {"header": head, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    await connection.write_message(json.dumps(message | {"channel": "shell"}))
    shown = []
    while not shown or shown[-1] != "idle":
        received = await connection.read_message()
        assert received is not None, shown
        received = json.loads(received)
        if received["parent_header"].get("msg_id") != head["msg_id"]:
            continue
        if received["msg_type"] == "stream":
            shown.append(received["content"]["text"])
        elif received["msg_type"] == "status":
            shown.append(received["content"]["execution_state"])
    assert shown == ["busy", "42\n", "idle"]
    await end(connection)
    assert (await visitor.ask(f"/api/kernels/{started['id']}", "DELETE")).code == 204
