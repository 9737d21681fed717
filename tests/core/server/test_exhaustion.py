"""Out of file descriptors the server goes on, and takes new connections when there are some again."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXHAUSTED = """
    import asyncio, resource, socket, sys, time
    import uvloop
    from zonda.httpserver import HTTPServer
    from tests.core.link.harness import GET
    from tests.core.server.serving import hello

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    async def ask(sock):
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, GET)
        data = await asyncio.wait_for(loop.sock_recv(sock, 1000), 5)
        assert data.endswith(b"hello"), data

    async def main():
        loop = asyncio.get_running_loop()
        server = HTTPServer(hello)
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        server.add_socket(listener)
        address = listener.getsockname()
        socks = []
        while True:
            try:
                sock = socket.socket()
            except OSError:
                break
            sock.setblocking(False)
            socks.append(sock)
            await loop.sock_connect(sock, address)
        # The clients have taken all descriptors; give some back, and the server takes those it can.
        for sock in socks[-3:]:
            sock.close()
        del socks[-3:]
        await ask(socks[0])
        began, used = time.monotonic(), time.process_time()
        while time.monotonic() - began < 1:
            await ask(socks[0])
            await asyncio.sleep(0.05)
        used = time.process_time() - used
        assert used < 0.7, f"the accept loop spins: {used} s of processor time in a second"
        # Those who leave make room for those who wait.
        for sock in socks[1:20]:
            sock.close()
        await asyncio.sleep(0)
        late = socket.socket()
        late.setblocking(False)
        await loop.sock_connect(late, address)
        began = time.monotonic()
        await ask(late)
        assert time.monotonic() - began < 3
        server.stop()
        await server.close_all_connections()

    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop if sys.argv[1] == "uvloop" else None)
    with runner:
        runner.run(main())
    print("served")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs RLIMIT_NOFILE")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_out_of_file_descriptors_the_server_goes_on(loop: str) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXHAUSTED), loop],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.stdout == "served\n", done.stderr[-3000:]
