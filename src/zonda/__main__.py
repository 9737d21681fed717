"""`python -m zonda`: the same as the command `zonda`."""

import sys

from zonda.cli import main

if __name__ == "__main__":
    sys.exit(main())
