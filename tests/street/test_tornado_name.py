"""zonda under the name `tornado`: each check in a process of its own, for there is no way back."""

import os
import subprocess
import sys

import pytest

INSTALL = "import zonda; zonda.install_as_tornado()\n"


def run(*arguments, cwd=None, path=None):
    """What a Python with these arguments prints; `path`: a folder that its imports look in first."""
    env = dict(os.environ)
    if path is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), env.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def passes(program, **options):
    done = run("-c", program, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def genuine(tmp_path):
    """A folder with a tornado in it that is not ours."""
    (tmp_path / "tornado").mkdir()
    (tmp_path / "tornado" / "__init__.py").write_text("genuine = True\n")
    (tmp_path / "tornado" / "web.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "imports",
    [
        "import tornado.web; found = tornado.web",
        "import tornado.web as found",
        "from tornado import web as found",
        "import tornado; found = tornado.web",
        "from importlib import import_module; found = import_module('tornado.web')",
        "from importlib import import_module; found = import_module('.web', 'tornado')",
        "found = __import__('tornado.web').web",
        "import zonda.web, tornado.web; found = tornado.web",
        "import tornado.web, sys; found = sys.modules['tornado.web']",
        "from tornado.web import Application; import sys; found = sys.modules[Application.__module__]",
    ],
)
def test_every_import_gives_the_same_module(imports, genuine):
    passes(INSTALL + imports + "\nimport zonda.web; assert found is zonda.web, found", path=genuine)


def test_modules_are_executed_once_and_keep_what_they_say_of_themselves():
    passes(
        INSTALL
        + """
import importlib.util, tornado.platform.asyncio, zonda.platform.asyncio
assert tornado is zonda
assert tornado.platform.asyncio is zonda.platform.asyncio
import tornado.ioloop
import zonda.ioloop
assert tornado.ioloop.__spec__.name == tornado.ioloop.__name__ == "zonda.ioloop"
assert tornado.ioloop.__spec__.loader.get_code("zonda.ioloop")
assert importlib.util.find_spec("tornado.gen") is not None
assert importlib.reload(tornado.locks) is zonda.locks
"""
    )


def test_what_was_imported_before_is_known_under_both_names():
    passes("import zonda.web, sys\n" + INSTALL + "assert sys.modules['tornado.web'] is zonda.web")


def test_pickles_of_either_name():
    passes(
        INSTALL
        + """
import pickle, zonda.httputil
from tornado.httputil import HTTPHeaders
written = pickle.dumps(HTTPHeaders({"A": "b"}), 2)
assert pickle.loads(written) == {"A": "b"}
old = written.replace(b"zonda", b"tornado")
assert b"tornado.httputil" in old
assert type(pickle.loads(old)) is zonda.httputil.HTTPHeaders
"""
    )


def test_a_module_that_is_not_there_is_said_in_clear_words():
    said = passes(
        INSTALL
        + """
try:
    import tornado.nosuch
except ModuleNotFoundError as error:
    print(error, error.name, sep="; ")
"""
    )
    assert said == (
        "there is no 'tornado.nosuch': zonda stands in for tornado here, and has no module 'zonda.nosuch'; "
        "tornado.nosuch\n"
    )


def test_a_tornado_that_was_imported_already(genuine):
    done = run("-c", "import tornado\n" + INSTALL, path=genuine)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: tornado was imported already, from {genuine}")
    assert "python -m zonda.as_tornado" in last


def test_the_second_time_changes_nothing():
    passes(INSTALL + "import sys\nbefore = sys.meta_path[:]\n" + INSTALL + "assert sys.meta_path == before")


def test_nothing_is_renamed_without_being_asked(genuine):
    passes("import zonda.web, tornado, logging; assert tornado.genuine", path=genuine)


def test_loggers_answer_to_both_names():
    passes(
        INSTALL
        + """
import logging
from logging import getLogger
from zonda import log
for name, logger in [("access", log.access_log), ("application", log.app_log), ("general", log.gen_log)]:
    assert getLogger("tornado." + name) is getLogger("zonda." + name) is logger
    assert logger.name == "tornado." + name
    assert logger.parent is getLogger("tornado") is getLogger("zonda")
assert getLogger("zonda.other") is getLogger("tornado.other")
assert getLogger("zondas").name == "zondas"
assert getLogger("tornado").getChild("access") is log.access_log
"""
    )


def test_a_logging_configuration_for_tornado():
    said = passes(
        INSTALL
        + """
import logging.config, sys
handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "f"}
logging.config.dictConfig({
    "version": 1,  # disable_existing_loggers is true where it is not said
    "formatters": {"f": {"format": "%(name)s %(message)s"}},
    "handlers": {"out": handler},
    "loggers": {"tornado.access": {"level": "INFO", "handlers": ["out"]}},
})
from zonda.log import access_log, app_log
access_log.info("seen")
app_log.error("not seen")
"""
    )
    assert said == "tornado.access seen\n"


def test_what_was_configured_before_is_taken_over():
    said = passes(
        """
import logging, sys
earlier = logging.getLogger("tornado.access")
earlier.addHandler(logging.StreamHandler(sys.stdout))
earlier.setLevel("INFO")
logging.getLogger("tornado").addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger("tornado.own")
"""
        + INSTALL
        + """
from zonda.log import access_log, app_log
access_log.info("access")  # twice: its own handler, and its parent's
app_log.error("application")
earlier.info("earlier")
logging.getLogger("tornado.own").error("own")
"""
    )
    assert said.split() == ["access", "access", "application", "earlier", "earlier", "own"]


# ---- python -m zonda.as_tornado

SCRIPT = """
import sys
import beside
from tornado.web import Application
print(__name__, Application.__module__, sys.argv, beside.name)
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "server.py").write_text(SCRIPT)
    (tmp_path / "site" / "beside.py").write_text("name = __name__\n")
    return tmp_path


def test_a_script_is_run(program):
    done = run("-m", "zonda.as_tornado", "site/server.py", "--port=1", "-m", cwd=program)
    assert done.stdout == "__main__ zonda.web ['site/server.py', '--port=1', '-m'] beside\n"
    assert (done.returncode, done.stderr) == (3, "")


def test_a_module_is_run(program):
    done = run("-m", "zonda.as_tornado", "-m", "server", "--help", cwd=program / "site")
    assert done.stdout == f"__main__ zonda.web ['{program / 'site' / 'server.py'}', '--help'] beside\n"
    assert (done.returncode, done.stderr) == (3, "")


def test_a_module_of_tornados_is_run():
    done = run("-m", "zonda.as_tornado", "-m", "tornado.autoreload", "--help")
    assert (done.stdout + done.stderr).startswith("usage: python -m zonda.autoreload")


@pytest.mark.parametrize(
    ("arguments", "code", "stream", "said"),
    [
        (["--help"], 0, "stdout", "usage: python -m zonda.as_tornado"),
        ([], 2, "stderr", "usage: "),
        (["-m"], 2, "stderr", "usage: "),
        (["--port=1", "x.py"], 2, "stderr", "usage: "),
        (["nosuch.py"], 2, "stderr", "zonda.as_tornado: there is no script 'nosuch.py'"),
    ],
)
def test_the_command_line(arguments, code, stream, said, tmp_path):
    done = run("-m", "zonda.as_tornado", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert getattr(done, stream).startswith(said)


def test_zonda_run_as_tornado(genuine):
    (genuine / "main.py").write_text(
        "from tornado.web import Application\ndef make():\n    print(Application)\n    raise SystemExit(4)\n"
    )
    done = run("-m", "zonda", "run", "--as-tornado", "main:make", cwd=genuine, path=genuine)
    assert (done.returncode, done.stdout) == (4, "<class 'zonda.web.Application'>\n")
