"""Every code block of README.md and docs/ runs, or is checked as far as it can be.

python   runs as a program; one that serves port 8888 is served on another port and must answer
console  `$ command` and its output: curl of that server is carried out and compared;
         a script or zonda command must exist and know its options
toml, text, http: only read by people
"""

import contextlib
import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{p.name}" for p in (REPOSITORY / "docs").glob("*.md")),
]
PORT = 8888


class Block(NamedTuple):
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str) -> Iterator[Block]:
    language, start, body = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            body.append(line)
        elif language is None:
            language, start, body = line[3:].strip(), number, []
        else:
            yield Block(page, start, language, "\n".join(body) + "\n")
            language = None
    assert language is None, f"{page}:{start}: a block that does not end"


BLOCKS = [block for page in PAGES for block in blocks(page, (REPOSITORY / page).read_text())]


def served_before(block: Block) -> Block | None:
    """The nearest program above, on the same page, that serves the port."""
    above = [b for b in BLOCKS if b.page == block.page and b.line < block.line and serves(b)]
    return above[-1] if above else None


def serves(block: Block) -> bool:
    return block.language == "python" and str(PORT) in block.text


@contextmanager
def program(block: Block, folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    path = folder / "main.py"
    path.write_text(block.text.replace(str(PORT), str(port)))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", path],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def fetch(process: subprocess.Popen[str], port: int, path: str) -> str:
    """GETs from a server that is just starting: asks until it listens or ends (pytest bounds the time)."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
                pytest.fail(f"the program ended: {process.communicate()[1]}")
        finally:
            connection.close()


def commands(block: Block) -> Iterator[tuple[list[str], str]]:
    """(`$ command`, the output under it)"""
    parts = (
        block.text.splitlines() if block.language == "sh" else re.split(r"^\$ ", block.text, flags=re.M)[1:]
    )
    for part in parts:
        command, _, output = part.partition("\n")
        yield shlex.split(command, comments=True), output


def knows(command: list[str]) -> None:
    """The command is there, and its help knows the options it is given."""
    if command[0].startswith("bench/"):  # takes minutes, and need not have a --help
        assert os.access(REPOSITORY / command[0], os.X_OK)
        return
    if command[:2] == ["python", "-m"]:
        program, command = [sys.executable, *command[1:3]], command[:3]  # the rest is for what it runs
    elif command[0] == "zonda":
        program = [sys.executable, "-m", "zonda", *command[1:2]]
    else:
        program = [REPOSITORY / command[0]]
    shown = subprocess.run([*program, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert shown.returncode == 0, f"{command[0]}: {shown.stderr}"
    for option in command[1:]:
        if option.startswith("--"):
            assert option.partition("=")[0] in shown.stdout, f"{shlex.join(command)}: no such option"


def check(block: Block, folder: Path, free_port: Callable[[], int]) -> None:
    if block.language == "python":
        if serves(block):
            port = free_port()
            with program(block, folder, port) as process:
                assert fetch(process, port, "/")
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=20)
        else:
            path = folder / "main.py"
            path.write_text(block.text)
            done = subprocess.run(
                [sys.executable, "-W", "error", path], cwd=folder, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
    elif block.language in ("console", "sh"):
        for command, output in commands(block):
            if command[0] != "curl":
                knows(command)
                continue
            server = served_before(block)
            assert server, f"{block}: nothing above serves {command[-1]}"
            port = free_port()
            _, colon, path = command[-1].partition(f":{PORT}")
            assert colon, f"{block}: only port {PORT} is served"
            with program(server, folder, port) as process:
                assert fetch(process, port, path or "/").strip() == output.strip()
    else:
        assert block.language in ("toml", "text", "http"), (
            f"{block}: say which language, and teach this test to run it"
        )


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block(block, tmp_path, free_port):
    check(block, tmp_path, free_port)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "import nosuchmodule\n"),
        ("python", "port = 8888\n"),
        ("console", "$ scripts/nonesuch\n"),
        ("console", "$ scripts/demo --nonesuch\n"),
        ("console", "$ curl http://127.0.0.1:8888/\n"),
        ("", "x\n"),
    ],
)
def test_a_bad_block_is_found(language, text, tmp_path, free_port):
    with pytest.raises((AssertionError, OSError, pytest.fail.Exception)):
        check(Block("no page", 0, language, text), tmp_path, free_port)


def test_the_readme_has_its_program():
    assert any(serves(block) for block in BLOCKS if block.page == "README.md")
