"""The commands and their arguments."""

import argparse
import sys
from collections.abc import Sequence

from zonda._tornado_name import install_as_tornado

from .load import CannotLoad, load_application
from .serve import CannotListen, serve

_RUN_EXAMPLES = """\
examples:
  zonda run main:app                      app in main.py, an Application, on http://127.0.0.1:8888
  zonda run blog.site:make_app            make_app() in blog/site.py returns the Application
  zonda run main:app --port 80 --host ""  on every address of this machine
  zonda run main:app --uds /run/app.sock  on a Unix socket, behind a proxy
  zonda run main:app --as-tornado         main.py says `import tornado`, and gets zonda
"""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(
            f"a port is a number from 0 to 65535 (0: any free one), not {text!r}"
        )
    return int(text)


def _parser() -> argparse.ArgumentParser:
    import zonda

    parser = argparse.ArgumentParser(prog="zonda", description="Asynchronous web server and framework.")
    parser.add_argument("--version", action="version", version=f"zonda {zonda.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="serve an application",
        description="Serves a zonda.web.Application until it gets SIGINT (Ctrl-C) or SIGTERM.",
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
    try:
        serve(lambda: load_application(options.application), options.host, options.port, options.uds)
    except (CannotLoad, CannotListen) as error:
        print(f"zonda run: {error}", file=sys.stderr)
        return 1
    return 0
