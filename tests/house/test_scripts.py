"""The scripts answer a newcomer's mistakes in words.  (That they work is what CI shows.)"""

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / "scripts" / command[0], *command[1:]],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd="/",  # they work from anywhere
    )


@pytest.mark.parametrize("name", ["check", "test", "demo"])
def test_help_says_what_it_does(name):
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) > 50


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonesuch"], "there is no demo 'nonesuch'"),
        (["../src"], "there is no demo '../src'"),
        (["--port"], "--port needs a number"),
        (["--port", "http"], "seen: 'http'"),
        (["--fast"], "unknown option --fast"),
        (["chat", "echo"], "one demo at a time"),
    ],
)
def test_demo_refuses_in_words(arguments, said):
    done = run("demo", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_unknown_demo_lists_the_demos():
    listed = run("demo", "nonesuch").stderr.partition("Demos:\n")[2].split()
    assert listed == sorted(path.parent.name for path in (REPOSITORY / "demos").glob("*/main.py"))


def test_check_takes_no_arguments():
    assert run("check", "everything").returncode == 2


LIB = REPOSITORY / "scripts" / "lib.sh"


def debian(
    tmp_path: Path, *, root: bool, apt: str | None = "exit 0", ci: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs setup_debian for a package `ghost` that is not there, with stand-ins for the system's commands."""
    stand_ins = {"dpkg-query": "exit 1", "id": f"echo {0 if root else 1000}"}
    if apt is not None:
        stand_ins["apt-get"] = f'echo "apt-get $*" >>{tmp_path}/apt.log\n{apt}'
    for name, body in stand_ins.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    for name in ("dirname", "basename", "grep", "flock"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    return subprocess.run(
        ["/bin/bash", "-c", f"source {LIB}; setup_debian 'ghost=the tests of ghosts'; echo done"],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path), "CI": ci},
    )


def test_root_installs_what_is_missing(tmp_path):
    assert debian(tmp_path, root=True).stdout == "done\n"
    update, install = (tmp_path / "apt.log").read_text().splitlines()
    assert "update" in update
    assert install.endswith(" ghost")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"root": False}, "Not root"),
        ({"root": True, "apt": "exit 9"}, "could not"),
        ({"root": True, "apt": None}, "not Debian"),
    ],
)
def test_what_is_skipped_is_said(tmp_path, how, why):
    done = debian(tmp_path, **how)
    assert done.stdout == "done\n"
    assert why in done.stderr
    assert "the tests of ghosts are skipped" in done.stderr


def test_in_ci_nothing_is_skipped_quietly(tmp_path):
    done = debian(tmp_path, root=True, apt="exit 9", ci="true")
    assert (done.returncode, done.stdout) == (1, "")
