"""Demos as their users meet them: started as programs, reached over HTTP, seen in Chromium."""

import http.client
import http.cookies
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 20


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass
class Visitor:
    """One browser without a screen: it keeps cookies, follows no redirect and holds no connection."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        fields: dict[str, str] | None = None,
        *,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float = 10,
    ) -> Answer:
        sent = self.headers | (headers or {})
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if fields is not None:
            body = urllib.parse.urlencode(fields)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return answer

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, fields: dict[str, str] | None = None, **more: Any) -> Answer:
        return self.ask("POST", path, fields, **more)


@dataclass
class Demo:
    """A running demo: `port`, and `lines` it has printed."""

    port: int
    process: subprocess.Popen[str]
    printed: "Queue[str | None]"
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def visitor(self, **headers: str) -> Visitor:
        return Visitor(self.port, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def wait_for_line(self, part: str) -> str:
        """The next line with `part` in it; fails when the demo ends or is silent for 20 seconds before."""
        while True:
            try:
                line = self.printed.get(timeout=START_SECONDS)
            except Empty:
                pytest.fail(f"no line with {part!r} within {START_SECONDS} s; printed: {self.lines}")
            if line is None:
                pytest.fail("the demo ended:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if part in line:
                return line


def _read_lines(process: "subprocess.Popen[str]", printed: "Queue[str | None]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        printed.put(line.rstrip("\n"))
    printed.put(None)


@pytest.fixture
def start_demo(free_port: Callable[[], int]) -> Iterator[Callable[..., Demo]]:
    """`start_demo("chat")` runs demos/chat/main.py on a free port; a second argument names another file."""
    running: list[tuple[Demo, Thread]] = []

    def start(name: str, script: str = "main.py", *arguments: str) -> Demo:
        port = free_port()
        program = ROOT / "demos" / name / script
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(program), f"--port={port}", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        demo = Demo(port, process, Queue())
        reader = Thread(target=_read_lines, args=(process, demo.printed))
        reader.start()
        running.append((demo, reader))
        demo.wait_for_line(f"127.0.0.1:{port}")
        return demo

    yield start
    for demo, reader in running:
        demo.process.terminate()
        try:
            demo.process.wait(10)
        except subprocess.TimeoutExpired:
            demo.process.kill()
            demo.process.wait()
        reader.join()
        assert demo.process.stdout is not None
        demo.process.stdout.close()
        demo.lines.extend(line for line in list(demo.printed.queue) if line is not None)
        complaints = [line for line in demo.lines if "Traceback" in line or "Warning" in line]
        assert not complaints, "\n".join(demo.lines)
