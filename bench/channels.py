#!/usr/bin/env python3
"""What channels cost: one message to 5,000 WebSockets, and a message from one process to another.

Broadcast: one of 5,000 connections publishes about 100 bytes, all get it, then the next; shown is user +
system time of the server, pinned to one core, divided by the messages times the connections (microseconds,
median of the rounds), its ratio to picows' loop, and how much of it is spent outside the kernel.

Crossing: one process publishes about 100 bytes at a time, another has subscribed; shown is the time from
publish to arrival (microseconds; median, and what 99 of 100 stay below); at the higher rate also how many a
second the publisher reached with 32 publishes under way at most, and the processor time for each message, of
both processes and of what is between them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from bench import broadcast, crossing  # noqa: E402
from bench.http import chosen, machine, positive, versions  # noqa: E402
from bench.measure import BenchError  # noqa: E402

EXAMPLES = """\
examples:
  bench/setup                                  install the peers and Redis, once
  bench/channels.py                            everything: under three minutes
  bench/channels.py --parts broadcast --servers picows,zonda --rounds 5
  bench/channels.py --parts crossing --ways unixbus,socketio --json /tmp/channels.json
"""
PARTS = ["broadcast", "crossing"]


def arguments() -> argparse.Namespace:
    servers = [row.name for row in broadcast.ROWS]
    ways = [way.name for way in crossing.WAYS]
    parser = argparse.ArgumentParser(
        prog="bench/channels.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, known, kind in (
        ("--parts", PARTS, "part"),
        ("--servers", servers, "server"),
        ("--ways", ways, "way"),
    ):
        parser.add_argument(
            option,
            type=partial(chosen, known, kind),
            default=known,
            metavar="A,B",
            help=f"of: {', '.join(known)} (default: all)",
        )
    parser.add_argument(
        "--connections",
        type=positive,
        default=5000,
        metavar="N",
        help="that get each message (default: 5000)",
    )
    parser.add_argument(
        "--duration", type=positive, default=2, metavar="S", help="seconds of one sample (default: 2)"
    )
    parser.add_argument(
        "--rounds", type=positive, default=3, metavar="N", help="samples of each, interleaved (default: 3)"
    )
    parser.add_argument(
        "--server-core", type=int, default=0, metavar="N", help="of broadcasting servers (default: 0)"
    )
    parser.add_argument("--load-core", type=int, default=1, metavar="N", help="of their clients (default: 1)")
    parser.add_argument(
        "--peers",
        default=os.environ.get("ZONDA_BENCH_PEERS", str(BENCH / ".venv/bin/python")),
        metavar="PYTHON",
        help="interpreter that has the peers (default: $ZONDA_BENCH_PEERS, else bench/.venv/bin/python)",
    )
    parser.add_argument(
        "--zonda", default=str(ROOT / ".venv/bin/python"), metavar="PYTHON", help="interpreter for zonda"
    )
    parser.add_argument("--redis", default="redis-server", metavar="PROGRAM", help="(default: redis-server)")
    parser.add_argument("--json", metavar="FILE", help="also write every sample to FILE")
    return parser.parse_args()


def print_table(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        print(f"| {' | '.join([first.ljust(widths[0]), *cells])} |")
    print()


def median(samples: Iterable[Any], field: str) -> float:
    return float(statistics.median(getattr(sample, field) for sample in samples))


def show_broadcast(samples: dict[str, list[broadcast.Sample]], connections: int) -> None:
    fields = ("processor_us", "user_us")
    figures = {name: [median(taken, field) for field in fields] for name, taken in samples.items() if taken}
    unit = figures.get("picows")
    table = [
        [f"us for each of {connections:,} deliveries", "processor time", "/ picows", "outside the kernel"]
    ]
    for row in broadcast.ROWS:
        if row.name in figures:
            us, user_us = figures[row.name]
            ratio = "-" if unit is None else f"{us / unit[0]:.2f}"
            table.append([row.title, f"{us:.1f}", ratio, f"{user_us:.1f}"])
    print_table(table)


def show_crossing(samples: crossing.Samples) -> None:
    heads = [f"{rate}/s: {what}" for rate in crossing.RATES for what in ("median", "99 %")]
    table = [["us from publish to arrival", *heads, "reached", "processor time, us/message"]]
    highest = crossing.RATES[-1]
    for way in crossing.WAYS:
        taken = samples.get(way.name, {})
        if taken and all(taken.values()):
            cells = [
                f"{median(taken[rate], field):.0f}"
                for rate in crossing.RATES
                for field in ("median_us", "p99_us")
            ]
            cells += [f"{median(taken[highest], field):.0f}" for field in ("rate", "processor_us")]
            table.append([way.title, *cells])
    print_table(table)


def main() -> int:
    options = arguments()
    rows = [row for row in broadcast.ROWS if row.name in options.servers]
    ways = [way for way in crossing.WAYS if way.name in options.ways]
    if not Path(options.peers).exists():
        print(f"bench/channels.py: missing: {options.peers}; run bench/setup", file=sys.stderr)
        return 2
    document: dict[str, Any] = {
        "machine": machine(),
        "options": {key: value for key, value in vars(options).items() if key != "json"},
        "versions": {
            server.name: versions(server, options)
            for server in [*(row.server for row in rows), *(way.server for way in ways)]
        },
    }
    failed: dict[str, str] = {}
    try:
        if "broadcast" in options.parts:
            spread, reasons = broadcast.measure(rows, options)
            failed |= reasons
            show_broadcast(spread, options.connections)
            document["broadcast"] = {name: [*map(asdict, taken)] for name, taken in spread.items()}
        if "crossing" in options.parts:
            crossed, reasons = crossing.measure(ways, options)
            failed |= reasons
            show_crossing(crossed)
            document["crossing"] = {
                name: {rate: [*map(asdict, of_rate)] for rate, of_rate in taken.items()}
                for name, taken in crossed.items()
            }
    except BenchError as error:
        print(f"bench/channels.py: {error}", file=sys.stderr)
        return 2
    for name, reason in failed.items():
        print(f"not measured: {name}: {reason}")
    if options.json:
        Path(options.json).write_text(json.dumps(document | {"failed": failed}, indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
