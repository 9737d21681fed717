#!/usr/bin/env python3
"""Processor time per fetch of an HTTP client: zonda beside its peers, in one run.

Each client, pinned to one core, fetches from an nginx on another: 32 fetches at a time on connections that
are kept alive, every answer checked.  `one address` asks for the same each time, `changing addresses` for
5,000 in turn.  Shown is user + system time of the client's process divided by its fetches (microseconds,
median of the rounds), and in parentheses its ratio to zonda's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from bench.measure import BenchError, check_answer, free_port, running  # noqa: E402

NAMES = ["zonda", "zonda_asyncio", "aiohttp", "aiohttp_asyncio", "httpx", "tornado"]
TITLES = {
    "zonda": "zonda (uvloop)",
    "zonda_asyncio": "zonda on asyncio",
    "aiohttp": "aiohttp on uvloop",
    "aiohttp_asyncio": "aiohttp on asyncio",
    "httpx": "httpx (asyncio)",
    "tornado": "Tornado, simple client (asyncio)",
}
KINDS = {"same": "one address", "varied": "changing addresses"}

# A connection is not closed while a client is being measured: closing one costs the client a new one.
NGINX = """\
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


@dataclass(frozen=True)
class Sample:
    processor_us: float
    requests: int


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/client.py", description=__doc__)
    parser.add_argument("--clients", default=",".join(NAMES), help=f"of: {','.join(NAMES)} (default: all)")
    parser.add_argument("--duration", type=int, default=3, help="seconds of one sample (default: 3)")
    parser.add_argument("--rounds", type=int, default=3, help="samples of each, interleaved (default: 3)")
    parser.add_argument("--client-core", type=int, default=0)
    parser.add_argument("--server-core", type=int, default=1, help="of nginx (default: 1)")
    parser.add_argument("--nginx", default="/usr/sbin/nginx", help="program (default: Debian's)")
    parser.add_argument(
        "--peers",
        default=os.environ.get("ZONDA_BENCH_PEERS", str(BENCH / ".venv/bin/python")),
        help="interpreter that has the peers (default: $ZONDA_BENCH_PEERS, else bench/.venv/bin/python)",
    )
    parser.add_argument("--zonda", default=str(ROOT / ".venv/bin/python"), help="interpreter for zonda")
    parser.add_argument("--json", metavar="FILE", help="also write every sample to FILE")
    return parser.parse_args()


@contextmanager
def nginx(options: argparse.Namespace) -> Iterator[int]:
    """Runs nginx with a configuration of its own; yields its port."""
    with tempfile.TemporaryDirectory(prefix="zonda-bench-") as folder:
        port = free_port()
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(NGINX.format(folder=folder, port=port))
        # `running` names a free port of its own, as the last argument: here the configuration has it already.
        command = [
            "sh",
            "-c",
            'exec "$0" -e stderr -p "$1" -c "$2"',
            options.nginx,
            folder,
            str(configuration),
        ]
        with running(
            "nginx",
            command,
            options.server_core,
            os.environ,
            lambda title, _: check_answer(title, port),
        ):
            yield port


def sample(options: argparse.Namespace, name: str, port: int, kind: str) -> Sample:
    python = options.zonda if name.startswith("zonda") else options.peers
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if name.startswith("zonda"):
        environment["PYTHONPATH"] = str(ROOT / "src")
    command = ["taskset", "--cpu-list", str(options.client_core), python]
    command += [str(BENCH / f"clients/fetch_{name}.py"), str(port), str(options.duration), kind]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60 + options.duration, env=environment
    )
    if done.returncode != 0:
        raise BenchError(f"ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    processor_us, requests = done.stdout.split()
    return Sample(float(processor_us), int(requests))


def main() -> int:
    options = arguments()
    names = options.clients.split(",")
    taken: dict[str, dict[str, list[Sample]]] = {name: {kind: [] for kind in KINDS} for name in names}
    failed: dict[str, str] = {}
    with nginx(options) as port:
        for _ in range(options.rounds):
            for name in names:
                try:
                    if name not in failed:
                        for kind in KINDS:
                            taken[name][kind].append(sample(options, name, port, kind))
                except BenchError as error:
                    failed[name] = str(error)
    medians = {
        name: [statistics.median(one.processor_us for one in samples) for samples in of_client.values()]
        for name, of_client in taken.items()
        if name not in failed
    }
    first = medians.get("zonda")
    print("| us/fetch | " + " | ".join(KINDS.values()) + " |")
    print("|---|" + "---:|" * len(KINDS))
    for name, figures in medians.items():
        cells = [
            f"{us:.1f}" + ("" if first is None else f" ({us / first[at]:.2f})")
            for at, us in enumerate(figures)
        ]
        print(f"| {TITLES[name]} | {' | '.join(cells)} |")
    for name, reason in failed.items():
        print(f"not measured: {name}: {reason}")
    if options.json:
        document = {
            name: {kind: [vars(one) for one in samples] for kind, samples in of_client.items()}
            for name, of_client in taken.items()
        }
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
