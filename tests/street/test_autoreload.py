"""What Tornado's suite does not ask of `zonda.autoreload`: changes that are seen, and the way back."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def outputs(directory: Path, program: str, *command: str) -> list[str]:
    directory.joinpath("program.py").write_text(textwrap.dedent(program))
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, *command], cwd=directory, env=env, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


CHANGE_A_FILE = """
    import os, sys
    from zonda import autoreload, ioloop
    watched = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watched")
    if os.path.exists(watched):
        print("again", sys.argv[1:], sys.flags.utf8_mode, os.path.basename(os.getcwd()) != "/")
        sys.exit()
    open(watched, "w").close()
    autoreload.watch(watched)
    autoreload.add_reload_hook(lambda: print("hook"))
    autoreload.start(check_time=5)
    os.chdir("/")
    ioloop.IOLoop.current().call_later(0.01, os.utime, watched, (1, 1))
    ioloop.IOLoop.current().start()
"""


@pytest.mark.parametrize("watchfiles", [True, False])
def test_a_changed_file_restarts_with_the_same_command_line(tmp_path: Path, watchfiles: bool) -> None:
    if not watchfiles:
        (tmp_path / "watchfiles.py").write_text("raise ImportError")
    lines = outputs(tmp_path, CHANGE_A_FILE, "-X", "utf8=1", "program.py", "one", "-m", "two words")
    assert lines == ["hook", "again ['one', '-m', 'two words'] 1 True"]


def test_a_mistake_in_the_syntax_is_waited_out(tmp_path: Path) -> None:
    tmp_path.joinpath("broken.py").write_text("x = (\n")
    program = """
        import os, threading, time
        def repair():
            from zonda import autoreload
            while not autoreload._watching_loops:
                time.sleep(0.01)
            with open("whole.py", "w") as file:
                file.write("print('repaired')")
            os.utime("whole.py", (1, 1))
            os.replace("whole.py", "broken.py")
        threading.Thread(target=repair, daemon=True).start()
        import broken
    """
    lines = outputs(tmp_path, program, "-m", "zonda.autoreload", "--until-success", "program.py")
    assert lines == ["repaired"]


@pytest.mark.parametrize("arguments", [[], ["--unknown"], ["-m"]])
def test_usage(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zonda.autoreload", *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")


def test_started_twice_on_one_loop_watches_once_and_on_two_warns(tmp_path: Path) -> None:
    program = """
        import logging, sys
        logging.basicConfig(stream=sys.stdout, format="%(name)s %(message)s")
        from zonda import autoreload, ioloop
        first = ioloop.IOLoop()
        autoreload.start()
        autoreload.start()
        second = ioloop.IOLoop()
        autoreload.start()
    """
    lines = outputs(tmp_path, program, "program.py")
    assert lines == ["zonda.general zonda.autoreload started more than once in the same process"]
