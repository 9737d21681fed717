"""Tornado's own test suite, run on zonda under Tornado's name; one item for each of its modules."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.shared import SITE, TORNADO_SUITE, genuine_tornado, needs_shared

EXPECTED = tomllib.loads(Path(__file__).with_name("tornado_expected.toml").read_text())["expected"]

MODULES = [
    "api_test",
    "asyncio_test",
    "auth_test",
    "autoreload_test",
    "circlerefs_test",
    "concurrent_test",
    "curl_httpclient_test",
    "escape_test",
    "gen_test",
    "http1connection_test",
    "httpclient_test",
    "httpserver_test",
    "httputil_test",
    "import_test",
    "ioloop_test",
    "iostream_test",
    "locale_test",
    "locks_test",
    "log_test",
    "netutil_test",
    "options_test",
    "process_test",
    "property_test",
    "queues_test",
    "routing_test",
    "security_corpus_test",
    "simple_httpclient_test",
    "tcpclient_test",
    "tcpserver_test",
    "template_test",
    "testing_test",
    "twisted_test",
    "util_test",
    "web_test",
    "websocket_test",
    "wsgi_test",
]


def module_of(test_id: str) -> str:
    return test_id.removeprefix("tornado.test.").partition(".")[0]


def differences(module: str, document: dict, expected: dict[str, str]) -> list[str]:
    """What the run of one module and the list say differently."""
    tests = document["tests"]
    if error := document["modules"][module].get("import_error"):
        return [f"{module} cannot be imported: {error}"]
    faults = []
    for test_id, seen in tests.items():
        # Skipped is right only where Tornado itself skips.
        right = seen["outcome"] == "passed" or (
            seen["outcome"] == "skipped" and seen.get("genuine", "skipped") == "skipped"
        )
        if right and test_id in expected:
            faults.append(f"{test_id} passes now: take its line out of tornado_expected.toml")
        elif not right and test_id not in expected:
            faults.append(f"{test_id}: {seen['outcome']}: {seen.get('error')}")
    faults += [
        f"{test_id} is listed in tornado_expected.toml and does not exist"
        for test_id in expected
        if module_of(test_id) == module and test_id not in tests
    ]
    return faults


@needs_shared
@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", MODULES)
def test_tornado_suite(module, tmp_path):
    genuine_tornado()
    out = tmp_path / "out.json"
    options = f"--package zonda --jobs 1 --retries 1 --modules {module}".split()
    command = [sys.executable, TORNADO_SUITE / "run", *options, "--json", out]
    command += ["--path", SITE, "--python", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    faults = differences(module, json.loads(out.read_text()), EXPECTED)
    if faults:
        head = f"{len(faults)} difference(s) between {module} and tornado_expected.toml:"
        pytest.fail("\n".join([head, *faults]), pytrace=False)


@needs_shared
def test_every_module_of_the_suite_has_its_place():
    listing = subprocess.run(
        [sys.executable, TORNADO_SUITE / "run", "--list"], capture_output=True, text=True, check=True
    )
    modules = {line.split()[0] for line in listing.stdout.splitlines()}
    assert sorted(MODULES) == sorted(modules)


def test_every_listed_test_is_of_a_module_that_runs_and_has_a_reason():
    assert [test_id for test_id in EXPECTED if module_of(test_id) not in MODULES] == []
    assert [test_id for test_id, reason in EXPECTED.items() if len(reason.split()) < 3] == []


def _document(**outcomes: str) -> dict:
    tests = {
        f"tornado.test.web_test.T.{name}": {
            "outcome": outcome,
            "genuine": "skipped" if name == "s" else "passed",
        }
        for name, outcome in outcomes.items()
    }
    return {"modules": {"web_test": {}}, "tests": tests}


@pytest.mark.parametrize(
    ("outcomes", "expected", "faults"),
    [
        ({"a": "passed", "s": "skipped"}, [], []),
        ({"a": "failed"}, ["a"], []),
        (
            {"a": "failed", "b": "error", "c": "timeout", "d": "skipped"},
            ["c"],
            ["a: failed", "b: error", "d: skipped"],
        ),
        ({"a": "passed"}, ["a"], ["a passes now"]),
        ({"s": "skipped"}, ["s"], ["s passes now"]),
        ({"a": "passed"}, ["z"], ["z is listed in tornado_expected.toml and does not exist"]),
    ],
)
def test_the_comparison_finds(outcomes, expected, faults):
    listed = {f"tornado.test.web_test.T.{name}": "why" for name in expected}
    found = differences(
        "web_test", _document(**outcomes), listed | {"tornado.test.log_test.T.x": "another module's"}
    )
    assert len(found) == len(faults)
    for line, start in zip(found, faults, strict=True):
        assert line.startswith(f"tornado.test.web_test.T.{start}")


def test_the_comparison_finds_a_module_that_cannot_be_imported():
    document = {"modules": {"web_test": {"import_error": "no zonda.web"}}, "tests": {}}
    assert differences("web_test", document, {}) == ["web_test cannot be imported: no zonda.web"]
