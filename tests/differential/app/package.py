"""The package under test, by the name on the command line, in a world where time stands still.

Nothing here names either package: what the two servers do differently, the packages do.
"""

import datetime
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

NAME = sys.argv[1]
FILES = Path(__file__).with_name("files")
#: What the clocks of both servers say, so that signed values and dates are the same to the byte.
NOW = 1_700_000_000.0


class FrozenDatetime(datetime.datetime):
    """`datetime` whose now is NOW."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "FrozenDatetime":
        return cls.fromtimestamp(NOW, tz)

    @classmethod
    def utcnow(cls) -> "FrozenDatetime":
        return cls.fromtimestamp(NOW, datetime.UTC).replace(tzinfo=None)


time.time = lambda: NOW
datetime.datetime = FrozenDatetime  # type: ignore[misc]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{NAME}.{name}")


web = module("web")
escape = module("escape")
gen = module("gen")
httpserver = module("httpserver")
httputil = module("httputil")
ioloop = module("ioloop")
locale = module("locale")
netutil = module("netutil")
routing = module("routing")
RequestHandler = web.RequestHandler
