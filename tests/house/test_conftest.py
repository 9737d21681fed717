"""The rules of tests/conftest.py can fail."""

import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    pytester.makeconftest(CONFTEST.read_text())
    monkeypatch.setenv("PYTHONPATH", str(CONFTEST.parents[1]))

    def run(body: str) -> pytest.RunResult:
        code = "import asyncio, logging, socket, warnings\n" + textwrap.dedent(body)
        pytester.makepyfile(code)
        return pytester.runpytest_subprocess("-W", "error")

    return run


def test_quiet_test_passes(run):
    run("def test():\n    logging.getLogger('zonda.access').info('fine')").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("name", "level"), [("zonda.general", "warning"), ("zonda.application", "error"), ("asyncio", "info")]
)
def test_unexpected_log_line_fails(run, name, level):
    body = f"""
        def test():
            logging.getLogger().setLevel("DEBUG")
            logging.getLogger({name!r}).{level}("out of the blue")
    """
    result = run(body)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*out of the blue*"])


def test_expected_log_line_passes_and_is_handed_over(run):
    body = """
        def test(expect_log):
            seen = expect_log("zonda.general", "b.ue")
            logging.getLogger("zonda.general").warning("out of the %s", "blue")
            assert [r.levelname for r in seen.records] == ["WARNING"]
    """
    run(body).assert_outcomes(passed=1)


def test_expected_log_line_that_does_not_come_fails(run):
    run("def test(expect_log):\n    expect_log('zonda.general', 'x')").assert_outcomes(passed=1, errors=1)


def test_optional_log_line_may_stay_away(run):
    body = "def test(expect_log):\n    expect_log('zonda.general', 'x', required=False)"
    run(body).assert_outcomes(passed=1)


def test_expectation_is_for_one_logger(run):
    body = """
        def test(expect_log):
            expect_log("zonda.general", "blue", required=False)
            logging.getLogger("zonda.access").warning("blue")
    """
    run(body).assert_outcomes(passed=1, errors=1)


def test_socket_left_open_fails(run):
    result = run("kept = []\ndef test():\n    kept.append(socket.socket())")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left 1 socket(s) open*"])


def test_socket_left_to_the_collector_fails(run):
    body = """
        def test():
            cycle = [socket.socket()]
            cycle.append(cycle)
    """
    result = run(body)
    assert result.parseoutcomes().get("errors", 0) + result.parseoutcomes().get("failed", 0) == 1
    result.stdout.fnmatch_lines(["*ResourceWarning: unclosed*"])


def test_free_port_is_free(run):
    body = """
        def test(free_port):
            with socket.create_server(("127.0.0.1", free_port())):
                pass
    """
    run(body).assert_outcomes(passed=1)
