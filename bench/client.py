"""What a fetch costs an HTTP client: 32 at a time from an nginx on the other core."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.contest import BENCH, Contestant, Group, Measure, Outcome, Setting, take_turns
from bench.measure import check_hello, free_port, output, running

NGINX = "/usr/sbin/nginx"  # where Debian has it, which is not in everybody's PATH
MEASURES = (Measure("same", "one address"), Measure("varied", "changing addresses"))
CONTESTANTS = (
    Contestant("zonda", "zonda (uvloop)", ("zonda", "httptools", "uvloop")),
    Contestant("zonda_asyncio", "zonda on asyncio", ("zonda", "httptools")),
    Contestant("aiohttp", "aiohttp on uvloop", ("aiohttp", "uvloop")),
    Contestant("aiohttp_asyncio", "aiohttp on asyncio", ("aiohttp",)),
    Contestant("httpx", "httpx (asyncio)", ("httpx",)),
    Contestant("tornado", "Tornado, simple client (asyncio)", ("tornado",)),
)

# A connection is not closed while a client is being measured: closing one costs the client a new one.
CONFIGURATION = """\
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
daemon off;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port};
        location ~ ^/hello/(.+)$ {{ return 200 "Hello, $1"; }}
    }}
}}
"""


@contextmanager
def nginx(core: int) -> Iterator[int]:
    """Runs nginx with a configuration of its own; yields its port."""
    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
        port = free_port()
        path = Path(folder, "nginx.conf")
        path.write_text(CONFIGURATION.format(folder=folder, port=port))
        # `running` names a free port of its own, as the last argument: here the configuration has it already.
        command = ["sh", "-c", 'exec "$0" -e stderr -p "$1" -c "$2"', NGINX, folder, str(path)]
        with running("nginx", command, core, os.environ, lambda title, _: check_hello(title, port)):
            yield port


def run(setting: Setting, contestants: Sequence[Contestant]) -> Outcome:
    kinds = [measure.name for measure in MEASURES if setting.wants(measure.name)]

    def processor_us(contestant: Contestant, kind: str) -> float:
        script = str(BENCH / f"clients/fetch_{contestant.name}.py")
        return float(output(setting, contestant, script, str(port), str(setting.duration), kind).split()[0])

    with nginx(setting.load_core) as port:
        return take_turns(
            "client",
            setting,
            contestants,
            lambda contestant: {kind: processor_us(contestant, kind) for kind in kinds},
        )


GROUP = Group("client", "HTTP client: processor time per fetch", CONTESTANTS, MEASURES, run)
