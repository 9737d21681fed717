"""Measures zonda beside its peers, and writes docs/performance.md.

Each row runs the same work in zonda and in others, in turns: a server has one core to itself, its load
another. What is told is processor time (user + system) of the measured processes for each request, message or
page, the median of the rounds. Nothing else should want the machine's cores; where something does, ratios
hold better than figures.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.contest import BENCH, ROOT, BenchError, Build, Group, Setting
from bench.page import PAGE, PICTURES, Page, render
from bench.results import Results, record

#: Modules of this package with a GROUP, in the page's order.
MODULES = (
    "http",
    "json_item",
    "coroutine",
    "routes",
    "idle",
    "workers",
    "waiting",
    "files",
    "websocket",
    "broadcast",
    "crossing",
    "client",
    "template",
    "importing",
)

EXAMPLES = """\
examples:
  bench/setup                                  once: the peers into bench/.venv; wrk, nginx, Redis from Debian
  python -m bench --quick                      does everything work? five minutes, figures worth nothing
  python -m bench --write                      everything, into docs/performance.md: most of an hour
  python -m bench --only http,json             these rows, printed
  python -m bench --only http --contestants zonda,tornado --measures plain --rounds 5
  python -m bench --only websocket --json /tmp/websocket.json
  python -m bench --wheel dist/zonda-0.1.0-cp311-cp311-linux_x86_64.whl --write
                                               pure Python and the wheel's compiled modules, side by side
  python -m bench --render                     the page again: after its prose changed
"""


def groups() -> dict[str, Group]:
    found = [importlib.import_module(f"bench.{module}") for module in MODULES]
    return {group.name: group for group in (module.GROUP for module in found)}


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def names(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


def parser(known: dict[str, Group]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--only", type=names, metavar="A,B", help=f"rows, of: {', '.join(known)} (default: all)")
    add("--contestants", type=names, default=frozenset(), metavar="A,B", help="of each row (default: all)")
    add(
        "--measures", type=names, default=frozenset(), metavar="A,B", help="of each contestant (default: all)"
    )
    add("--rounds", type=positive, metavar="N", help="samples of each, in turns (default: 5)")
    add("--duration", type=positive, metavar="S", help="seconds of one sample (default: 3)")
    add("--quick", action="store_true", help="one short round, fewer connections: a try")
    add(
        "--wheel",
        type=Path,
        metavar="FILE",
        help="measure this build of zonda, too, in an environment of its own",
    )
    add("--server-core", type=int, default=0, metavar="N", help="of what is measured (default: 0)")
    add("--load-core", type=int, default=1, metavar="N", help="of what loads it (default: 1)")
    add(
        "--peers",
        default=os.environ.get("ZONDA_BENCH_PEERS", str(BENCH / ".venv/bin/python")),
        metavar="PYTHON",
        help="interpreter that has the peers (default: $ZONDA_BENCH_PEERS, else bench/.venv/bin/python)",
    )
    add("--json", type=Path, metavar="FILE", help="write every figure to FILE")
    add(
        "--write",
        action="store_true",
        help="put it into bench/results.json, docs/performance.md and its pictures",
    )
    add("--render", action="store_true", help="measure nothing, write the page and its pictures again")
    return made


def checked(build: Build, compiled: bool) -> Build:
    """It is what its name says."""
    code = (
        "import sys, zonda.web\n"
        "print(sum(name.startswith('zonda.') and str(getattr(module, '__file__', '')).endswith('.so')"
        " for name, module in sys.modules.items()))"
    )
    done = subprocess.run(
        [build.python, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": build.source},
        cwd="/",
    )
    if done.returncode != 0:
        raise BenchError(f"{build.title}: {done.stderr.strip()[-300:]}")
    if bool(int(done.stdout)) is not compiled:
        raise BenchError(f"{build.title}: {done.stdout.strip()} of its modules are compiled")
    return build


def installed(wheel: Path, peers: str) -> Build:
    """In an environment of its own, made anew, with what the rows need besides."""
    folder = BENCH / ".venv" / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin/python")
    for command in (
        [peers, "-m", "venv", str(folder)],
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            f"{wheel.resolve()}[redis]",
        ],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"{wheel}: {done.stderr.strip()[-300:]}")
    return checked(Build("compiled", "compiled", python), compiled=True)


def write_page(known: dict[str, Group], results: Results) -> None:
    from bench import pictures

    PAGE.write_text(render(known, results))
    page = Page(known, results)
    for name, group in known.items():
        if name in results.records:
            pictures.draw(group, page, results, PICTURES)
    print(f"written: {PAGE.relative_to(ROOT)}, {PICTURES.relative_to(ROOT)}/", file=sys.stderr)


def run(known: dict[str, Group], options: argparse.Namespace) -> int:
    started = time.monotonic()

    def say(text: str) -> None:
        seconds = int(time.monotonic() - started)
        print(f"[{seconds // 60:3d}:{seconds % 60:02d}] {text}", file=sys.stderr, flush=True)

    source = str(ROOT / "src")
    zonda = str(ROOT / ".venv/bin/python")
    python = zonda if Path(zonda).exists() else options.peers
    builds = [checked(Build("pure", "pure Python", python, source), compiled=False)]
    if options.wheel:
        builds.append(installed(options.wheel, options.peers))
    setting = Setting(
        rounds=options.rounds or (1 if options.quick else 5),
        duration=options.duration or (1 if options.quick else 3),
        server_core=options.server_core,
        load_core=options.load_core,
        peers=options.peers,
        builds=tuple(builds),
        quick=options.quick,
        chosen=options.contestants,
        measures=options.measures,
        say=say,
    )
    results = Results.read() if options.write else Results({})
    taken = Results({})
    for name, group in known.items():
        if options.only and name not in options.only:
            continue
        contestants = setting.contestants(group.contestants)
        try:
            outcome = group.run(setting, contestants)
        except BenchError as error:
            say(f"{name}: {error}")
            taken.records[name] = {"samples": {}, "failed": {name: str(error)}}
            continue
        taken.records[name] = results.records[name] = record(setting, contestants, outcome)
        if options.write:
            results.write()
        print(f"\n{group.title}\n\n{Page(known, taken).table(name, '')}", flush=True)
    failed = {
        f"{name}: {key}": why for name, one in taken.records.items() for key, why in one["failed"].items()
    }
    for who, why in failed.items():
        print(f"not measured: {who}: {why}")
    if options.json:
        options.json.write_text(json.dumps(taken.records, indent=1) + "\n")
    if options.write:
        write_page(known, results)
    return 1 if failed else 0


def main() -> int:
    known = groups()
    made = parser(known)
    options = made.parse_args()
    partly = options.quick or options.contestants or options.measures
    if options.write and partly:
        made.error("--write: not with --quick, --contestants or --measures; the page shows whole rows")
    if unknown := (options.only or set()) - known.keys():
        made.error(f"--only: no such row: {', '.join(sorted(unknown))}")
    contestants = {one.name for group in known.values() for one in group.contestants}
    if unknown := options.contestants - contestants:
        made.error(f"--contestants: nobody is called {', '.join(sorted(unknown))}")
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    missing += [python for python in [options.peers] if not Path(python).exists()]
    if missing:
        made.error(f"missing: {', '.join(missing)}; run bench/setup")
    if (options.write or options.render) and importlib.util.find_spec("matplotlib") is None:
        # The peers' environment has it.
        os.execv(options.peers, [options.peers, "-m", "bench", *sys.argv[1:]])
    try:
        if options.render:
            write_page(known, Results.read())
            return 0
        return run(known, options)
    except BenchError as error:
        print(f"python -m bench: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
