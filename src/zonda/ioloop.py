"""The event loop: the public module `zonda.ioloop` (Tornado: `tornado.ioloop`)."""

import builtins

from zonda._core.base.face import show
from zonda._core.net.loop import IOLoop
from zonda._core.net.periodic import PeriodicCallback
from zonda.util import Configurable, import_object

TimeoutError = builtins.TimeoutError

__all__ = ["Configurable", "IOLoop", "PeriodicCallback", "TimeoutError", "import_object"]

show(__name__, globals(), __all__)
