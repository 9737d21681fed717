"""The application of the differential tests: `python main.py PACKAGE`.

Starts one server for each entry of `servers.SERVERS` and one that gives out the log records, prints
their ports as one line of JSON, and ends when its standard input does.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from package import FILES, ioloop, netutil
from records import Records
from servers import make_servers


def copy_of_files(folder: str) -> Path:
    """The files to serve, with the same modification time on every machine, and what git cannot hold."""
    copy = Path(folder).resolve() / "files"
    shutil.copytree(FILES, copy)
    (copy / "static" / "empty.txt").touch()
    (copy / "static" / "ten.bin").write_bytes(bytes(range(10)))
    (copy / "static" / "sub" / "odd name +%.txt").write_text("odd")
    (copy / "static" / "tarball.tar.gz").write_bytes(b"not really")
    (copy / "static" / "noext").write_text("no extension")
    (copy / "static" / "link_out").symlink_to("/etc/hostname")
    (copy / "static" / "link_in").symlink_to("robots.txt")
    (copy / "static-secret").mkdir()
    (copy / "static-secret" / "secret.txt").write_text("secret")
    for path in copy.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1_600_000_000, 1_600_000_000))
    return copy


async def serve(files: Path) -> None:
    records = Records()
    ports = {}
    for name, server in make_servers(files, records).items():
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        ports[name] = sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    loop, end = asyncio.get_running_loop(), asyncio.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(end.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await end.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = copy_of_files(folder)
        ioloop.IOLoop.current().run_sync(lambda: serve(files))


if __name__ == "__main__":
    main()
