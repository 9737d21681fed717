"""Workers and child processes: the public module `zonda.process` (Tornado: `tornado.process`)."""

from subprocess import CalledProcessError

from zonda._core.base.face import show
from zonda._core.net.process import Subprocess, cpu_count, fork_processes, task_id

__all__ = ["CalledProcessError", "Subprocess", "cpu_count", "fork_processes", "task_id"]

show(__name__, globals(), __all__)
