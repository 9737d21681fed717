"""The commands and their arguments."""

import argparse
import os
import sys
from collections.abc import Sequence

from zonda._core.base.native import COMPILED
from zonda._core.server.post import CannotStart
from zonda._listening import CannotListen
from zonda._tornado_name import install_as_tornado
from zonda._workers import run_workers
from zonda.web import Application

from .load import CannotLoad, load_application
from .serve import say, serve_alone

_RUN_EXAMPLES = """\
examples:
  zonda run main:app                      app in main.py, an Application, on http://127.0.0.1:8888
  zonda run blog.site:make_app            make_app() in blog/site.py returns the Application
  zonda run main:app --port 80 --host ""  on every address of this machine
  zonda run main:app --uds /run/app.sock  on a Unix socket, behind a proxy
  zonda run main:app --workers 4          four processes; kill -HUP replaces them, kill ends them, gently
  zonda run main:app --reload             for development: new code as soon as a file is saved
  zonda run main:app --workers 4 --broker redis://localhost
                                          channels reach the workers of other machines, too
  zonda run main:app --as-tornado         main.py says `import tornado`, and gets zonda
"""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(
            f"a port is a number from 0 to 65535 (0: any free one), not {text!r}"
        )
    return int(text)


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"a number of workers is 1 to 1024, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"a time-out is a number of seconds, not {text!r}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    import zonda

    build = "compiled" if COMPILED else "pure Python"
    parser = argparse.ArgumentParser(prog="zonda", description="Asynchronous web server and framework.")
    parser.add_argument("--version", action="version", version=f"zonda {zonda.__version__} ({build})")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="serve an application",
        description="Serves a zonda.web.Application until it gets SIGINT (Ctrl-C) or SIGTERM, and then "
        "answers what it has begun.  With --workers, SIGHUP replaces the processes one by one.",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "application",
        metavar="MODULE:NAME",
        help="where it is: an Application, or a callable without arguments that returns one",
    )
    run.add_argument("--port", type=_port, default=8888, help="TCP port (default: 8888)")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    run.add_argument("--uds", metavar="PATH", help="listen on this Unix socket instead of a TCP port")
    run.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="serve in N processes, which are started again when they die (default: in this one)",
    )
    run.add_argument(
        "--drain-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="at the end, time for what was begun (default: 30)",
    )
    run.add_argument(
        "--broker",
        metavar="URL",
        help="what carries the messages of channels to other processes, such as redis://HOST "
        "(default: among the workers, a bus of their own)",
    )
    run.add_argument(
        "--reload", action="store_true", help="replace the process when a source file changes (development)"
    )
    run.add_argument(
        "--as-tornado",
        action="store_true",
        help="the application imports tornado: give it zonda instead (see python -m zonda.as_tornado --help)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (default: the process's); returns the exit status.

    0 after a stop that was asked for, 1 when the application cannot be loaded or the address not
    listened on; `SystemExit` 2 for arguments that make no sense.
    """
    options = _parser().parse_args(arguments)
    if options.as_tornado:
        install_as_tornado()

    def load() -> Application:
        return load_application(options.application)

    try:
        if options.workers is None and not options.reload:
            if options.broker is not None:
                os.environ["ZONDA_BROKER"] = options.broker
            serve_alone(load, options.host, options.port, options.uds, options.drain_timeout)
        else:
            run_workers(
                load,
                options.workers or 1,
                port=options.port,
                address=options.host,
                uds=options.uds,
                drain_timeout=options.drain_timeout,
                broker=options.broker,
                reload=options.reload,
                say=say,
            )
    except (CannotLoad, CannotListen, CannotStart) as error:
        print(f"zonda run: {error}", file=sys.stderr)
        return 1
    return 0
