"""What is aimed at: one server on one core, as a multiple of what others need in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """At most `factor` times the best of `peers`; without peers, at most `factor` itself."""

    words: str
    factor: float
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Goal:
    work: str
    group: str
    measures: tuple[str, ...]
    bounds: Sequence[Bound]
    contestant: str = "zonda"


NATIVE = ("granian", "socketify")

GOALS = (
    Goal(
        "GET hello, 1 header",
        "http",
        ("plain",),
        [
            Bound("1.0 x the better of granian RSGI and socketify", 1.0, NATIVE),
            Bound("1/15 of Tornado", 1 / 15, ("tornado",)),
        ],
    ),
    Goal(
        "the same with 12 browser headers",
        "http",
        ("browser",),
        [
            Bound("1.0 x the better of granian RSGI and socketify", 1.0, NATIVE),
            Bound("2.0 x the bare httptools protocol on uvloop", 2.0, ("bare",)),
        ],
    ),
    Goal("the same, 16 pipelined", "http", ("pipelined",), [Bound("1.0 x socketify", 1.0, ("socketify",))]),
    Goal(
        "JSON of 10 fields, one signed cookie read, one path argument",
        "json",
        ("json",),
        [
            Bound("1/12 of Tornado", 1 / 12, ("tornado",)),
            Bound("0.6 x starlette on uvicorn", 0.6, ("starlette",)),
        ],
    ),
    Goal(
        "coroutine handler that awaits once",
        "await",
        ("plain",),
        [Bound("0.8 x starlette on uvicorn", 0.8, ("starlette",))],
    ),
    Goal(
        "a template page of 200 rows with escaping",
        "template",
        ("page",),
        [Bound("0.9 x jinja2", 0.9, ("jinja2",))],
    ),
    Goal(
        "WebSocket echo, 32 B and 4 KB",
        "websocket",
        ("32", "4096"),
        [Bound("1.15 x picows", 1.15, ("picows",)), Bound("0.8 x aiohttp", 0.8, ("aiohttp",))],
    ),
    Goal(
        "broadcast to 5,000 WebSocket clients, per delivery",
        "broadcast",
        ("processor",),
        [Bound("1.2 x picows", 1.2, ("picows",))],
    ),
    Goal("idle WebSocket connection with a handler", "websocket", ("idle",), [Bound("4 KB of memory", 4.0)]),
    Goal("idle long-poll", "waiting", ("memory",), [Bound("5 KB of memory", 5.0)]),
    Goal(
        "download of a 1 GB static file; upload of 1 GB streamed",
        "files",
        ("download", "upload"),
        [Bound("0.5 x Tornado", 0.5, ("tornado",)), Bound("1.3 x nginx", 1.3, ("nginx",))],
    ),
    Goal("client GET, 32 at a time", "client", ("same",), [Bound("0.7 x aiohttp", 0.7, ("aiohttp",))]),
    Goal(
        "2 workers: processor time per request",
        "workers",
        ("processor",),
        [Bound("1.05 x one worker's", 1.05, ("zonda_1",))],
        "zonda_2",
    ),
    Goal(
        "2 workers: connections of the busier one",
        "workers",
        ("share",),
        [Bound("60 %", 60.0)],
        "zonda_2",
    ),
    Goal(
        "10,000 routes",
        "routes",
        ("routes",),
        [Bound("1.1 x 10 routes", 1.1, ("zonda_10",))],
        "zonda_10000",
    ),
    Goal(
        "10,000 idle connections beside the load",
        "idle",
        ("plain",),
        [Bound("1.1 x none", 1.1, ("zonda_0",))],
        "zonda_10000",
    ),
    Goal("import of `zonda.web`", "import", ("processor",), [Bound("1.0 x starlette", 1.0, ("starlette",))]),
)
