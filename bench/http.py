#!/usr/bin/env python3
"""Processor time per HTTP request: zonda beside its peers, in one run.

Each server answers GET /hello/NAME with "Hello, NAME" as an ordinary application of its kind would, pinned to
one core; wrk asks from another with 64 keep-alive connections. Shown is user + system time of the server's
processes divided by the requests it answered (microseconds, median of the rounds), and its ratio to zonda's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
# Run as a script, Python would look for modules in bench/ first, where this file hides the standard `http`.
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from bench.measure import BenchError, Load, Sample, run_wrk, running, sample  # noqa: E402

LOADS = (
    Load("plain", "1 header"),
    Load("browser", "12 headers"),
    Load("pipelined", "16 pipelined"),
)


@dataclass(frozen=True)
class Server:
    """`name` selects it, servers/hello_NAME.py is it, `distributions` are those whose version counts."""

    name: str
    title: str
    distributions: tuple[str, ...]


SERVERS = (
    Server("bare", "bare httptools on uvloop (limit)", ("httptools", "uvloop")),
    Server("zonda", "zonda", ("zonda", "httptools", "uvloop")),
    Server("granian", "granian, RSGI (Rust)", ("granian",)),
    Server("socketify", "socketify (C++)", ("socketify",)),
    Server("aiohttp", "aiohttp on uvloop", ("aiohttp", "uvloop")),
    Server("starlette", "starlette on uvicorn", ("starlette", "uvicorn", "uvloop", "httptools")),
    Server("tornado", "Tornado", ("tornado",)),
)

EXAMPLES = """\
examples:
  bench/setup                                        install the peers and wrk, once
  bench/http.py                                      everything: about five minutes
  bench/http.py --servers zonda,tornado --loads plain --rounds 1
  bench/http.py --duration 10 --rounds 5 --json /tmp/http.json
  bench/http.py --peers /opt/peers/bin/python        peers that are installed elsewhere
"""

Samples = dict[str, dict[str, list[Sample]]]


def chosen(known: list[str], kind: str, text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no such {kind}: {', '.join(unknown)} (there are: {', '.join(known)})"
        )
    return [name for name in known if name in names]


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    server_names = [server.name for server in SERVERS]
    load_names = [load.script_name for load in LOADS]
    parser = argparse.ArgumentParser(
        prog="bench/http.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--servers",
        type=lambda text: chosen(server_names, "server", text),
        default=server_names,
        metavar="A,B",
        help=f"which servers, of: {', '.join(server_names)} (default: all)",
    )
    parser.add_argument(
        "--loads",
        type=lambda text: chosen(load_names, "load", text),
        default=load_names,
        metavar="A,B",
        help=f"which loads, of: {', '.join(load_names)} (default: all)",
    )
    parser.add_argument(
        "--duration", type=positive, default=3, metavar="S", help="seconds of one sample (default: 3)"
    )
    parser.add_argument(
        "--warm-up", type=positive, default=1, metavar="S", help="seconds before it (default: 1)"
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, metavar="N", help="samples of each, interleaved (default: 3)"
    )
    parser.add_argument("--connections", type=positive, default=64, metavar="N", help="of wrk (default: 64)")
    parser.add_argument("--server-core", type=int, default=0, metavar="N", help="of the server (default: 0)")
    parser.add_argument("--load-core", type=int, default=1, metavar="N", help="core of wrk (default: 1)")
    parser.add_argument(
        "--peers",
        default=os.environ.get("ZONDA_BENCH_PEERS", str(BENCH / ".venv/bin/python")),
        metavar="PYTHON",
        help="interpreter that has the peers (default: $ZONDA_BENCH_PEERS, else bench/.venv/bin/python)",
    )
    parser.add_argument(
        "--zonda",
        default=str(ROOT / ".venv/bin/python"),
        metavar="PYTHON",
        help="interpreter for zonda (default: .venv/bin/python; where that is missing, the peers' with src/)",
    )
    parser.add_argument("--json", metavar="FILE", help="also write every sample to FILE")
    return parser.parse_args(argv)


def interpreter(server: Server, options: argparse.Namespace) -> str:
    if server.name == "zonda" and Path(options.zonda).exists():
        return str(options.zonda)
    return str(options.peers)


def environment(server: Server) -> dict[str, str]:
    """The caller's, and for zonda its own source tree: what is measured is this checkout."""
    inherited = dict(os.environ)
    inherited.pop("PYTHONPATH", None)
    if server.name == "zonda":
        inherited["PYTHONPATH"] = str(ROOT / "src")
    return inherited


def missing_tools(options: argparse.Namespace, servers: list[Server]) -> list[str]:
    tools = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    pythons = {interpreter(server, options) for server in servers}
    return tools + sorted(python for python in pythons if not Path(python).exists())


def versions(server: Server, options: argparse.Namespace) -> dict[str, str]:
    code = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]} | {'python': sys.version.split()[0]}))"
    )
    done = subprocess.run(
        [interpreter(server, options), "-c", code, *server.distributions],
        capture_output=True,
        text=True,
        env=environment(server),
        check=False,
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def machine() -> dict[str, str]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").open()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
    }


def measure(
    servers: list[Server], loads: list[Load], options: argparse.Namespace
) -> tuple[Samples, dict[str, str]]:
    """Every sample by server and load, and for servers that failed the reason instead."""
    samples: Samples = {server.name: {load.script_name: [] for load in loads} for server in servers}
    failed: dict[str, str] = {}
    for turn in range(options.rounds):
        for server in servers:
            if server.name in failed:
                continue
            print(f"round {turn + 1} of {options.rounds}: {server.title}", file=sys.stderr)
            script = BENCH / "servers" / f"hello_{server.name}.py"
            command = [interpreter(server, options), str(script)]
            try:
                with running(server.title, command, options.server_core, environment(server)) as (pid, port):
                    for load in loads:
                        run_wrk(load, port, options.load_core, options.warm_up, options.connections)
                        taken = sample(
                            pid, port, load, options.load_core, options.duration, options.connections
                        )
                        samples[server.name][load.script_name].append(taken)
            except BenchError as error:
                failed[server.name] = str(error)
    return samples, failed


def table(servers: list[Server], loads: list[Load], samples: Samples, failed: dict[str, str]) -> str:
    """Markdown: microseconds per request and, where zonda was measured, its multiple of zonda's."""

    def median(server_name: str, load: Load) -> float:
        return statistics.median(taken.processor_us for taken in samples[server_name][load.script_name])

    with_ratio = "zonda" in samples and "zonda" not in failed
    cells = ["processor time, us/request", *(load.title for load in loads)]
    if with_ratio:
        cells += [f"{load.title}: / zonda" for load in loads]
    rows = [cells]
    for server in servers:
        if server.name in failed:
            continue
        row = [server.title, *(f"{median(server.name, load):.1f}" for load in loads)]
        if with_ratio:
            row += [f"{median(server.name, load) / median('zonda', load):.2f}" for load in loads]
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(cells))]
    rows.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    lines = []
    for row in rows:
        padded = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def main() -> int:
    options = arguments()
    servers = [server for server in SERVERS if server.name in options.servers]
    loads = [load for load in LOADS if load.script_name in options.loads]
    if missing := missing_tools(options, servers):
        print(f"bench/http.py: missing: {', '.join(missing)}; run bench/setup", file=sys.stderr)
        return 2
    used = {server.name: versions(server, options) for server in servers}
    samples, failed = measure(servers, loads, options)
    print(table(servers, loads, samples, failed))
    for name, reason in failed.items():
        print(f"not measured: {name}: {reason}")
    if options.json:
        document = {
            "machine": machine(),
            "unit": "microseconds of processor time per request",
            "options": {key: value for key, value in vars(options).items() if key != "json"},
            "versions": used,
            "failed": failed,
            "samples": {
                name: {load: [asdict(taken) for taken in of_load] for load, of_load in of_server.items()}
                for name, of_server in samples.items()
            },
        }
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
