"""Runs a program written for Tornado on zonda: `python -m zonda.as_tornado SCRIPT`.

The program is not changed: for its process `tornado` is another name of `zonda` (`zonda.install_as_tornado`).
"""

import os
import runpy
import sys
from collections.abc import Sequence

from zonda._tornado_name import install_as_tornado

_USAGE = """\
usage: python -m zonda.as_tornado (-m MODULE | SCRIPT) [ARGUMENT ...]

Runs a program that imports tornado, and gives it zonda instead: the same names, nothing to change.
It holds for this process; a Python that the program starts itself imports tornado as ever.

examples:
  python -m zonda.as_tornado server.py --port=8000      a script
  python -m zonda.as_tornado -m package.server          a module, as python -m runs it
  python -m zonda.as_tornado "$(which flower)" --help   an installed command
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program that the command line names (default: the process's); returns the exit status.

    0 when the program ends, or help was asked for; 2 for arguments that make no sense.  What the program
    raises, `SystemExit` too, comes through.
    """
    rest = list(sys.argv[1:] if arguments is None else arguments)
    if rest[:1] in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return 0
    as_module = rest[:1] == ["-m"]
    if as_module:
        del rest[0]
    if not rest or rest[0].startswith("-"):
        print(_USAGE, end="", file=sys.stderr)
        return 2
    if not as_module and not os.path.exists(rest[0]):
        print(f"zonda.as_tornado: there is no script {rest[0]!r}", file=sys.stderr)
        return 2
    install_as_tornado()
    sys.argv[:] = rest
    if as_module:
        # As python -m: the current directory comes first, where this module's own run has put it.
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.realpath(rest[0]))
        runpy.run_path(rest[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
