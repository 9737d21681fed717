"""What Tornado's suite does not ask of `zonda.testing`."""

import asyncio
import logging
import ssl
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import pytest

from zonda.testing import AsyncHTTPSTestCase, AsyncTestCase, ExpectLog, bind_unused_port, gen_test

logger = logging.getLogger("test_testing")


def result_of(case: unittest.TestCase) -> unittest.TestResult:
    result = unittest.TestResult()
    case.run(result)
    return result


def test_timed_out_wait_fails_and_says_so() -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            self.wait(timeout=0.01)

    result = result_of(Case("test"))
    assert len(result.failures) == 1
    assert "Async operation timed out after 0.01 seconds" in result.failures[0][1]


def test_wait_goes_on_until_its_condition_holds() -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            seen: list[int] = []

            def step() -> None:
                seen.append(1)
                self.stop(len(seen))
                if len(seen) < 3:
                    self.io_loop.call_later(0.001, step)

            self.io_loop.add_callback(step)
            assert self.wait(condition=lambda: len(seen) == 3) == 3

    result = result_of(Case("test"))
    assert result.wasSuccessful(), result.failures + result.errors


def test_tasks_left_over_are_cancelled_and_awaited() -> None:
    ended: list[str] = []

    class Case(AsyncTestCase):
        @gen_test
        async def test(self) -> None:
            async def linger() -> None:
                try:
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(0)
                    ended.append("cleaned up")

            self.task = asyncio.create_task(linger())
            await asyncio.sleep(0)

    assert result_of(Case("test")).wasSuccessful()
    assert ended == ["cleaned up"]


def test_expect_log_swallows_the_line_and_reports_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with ExpectLog(logger, "boom") as expected:
        try:
            raise ValueError
        except ValueError:
            logger.exception("boom: it went")
    assert expected.logged_stack
    assert caplog.records == []


def test_expect_log_without_the_line_fails() -> None:
    with (
        pytest.raises(Exception, match="did not get expected log message"),
        ExpectLog("test_testing", "boom"),
    ):
        pass
    with ExpectLog("test_testing", "boom", required=False):
        pass


def test_expect_log_lowers_the_level_meanwhile() -> None:
    logger.setLevel(logging.ERROR)
    try:
        with ExpectLog(logger, "quiet", level=logging.DEBUG):
            logger.debug("quiet word")
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(logging.NOTSET)


def test_expect_log_warns_of_a_level_that_others_hide() -> None:
    logger.setLevel(logging.INFO)
    try:
        with pytest.warns(DeprecationWarning, match="INFO or below"), ExpectLog(logger, "quiet"):
            logger.info("quiet word")
    finally:
        logger.setLevel(logging.NOTSET)


def test_certificate_is_valid_for_localhost() -> None:
    options: dict[str, Any] = AsyncHTTPSTestCase.default_ssl_options()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(options["certfile"], options["keyfile"])
    client = ssl.create_default_context(cafile=options["certfile"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ends[0].version() == ends[1].version() == "TLSv1.3"


def test_unused_ports_differ() -> None:
    (first, port), (second, other) = bind_unused_port(), bind_unused_port()
    with first, second:
        assert port != other
        assert first.getblocking() is False


def test_main_runs_the_named_tests(tmp_path: Path) -> None:
    tmp_path.joinpath("sample.py").write_text(
        "import unittest\nclass Case(unittest.TestCase):\n    def test(self): self.assertTrue(True)\n"
    )
    command = [sys.executable, "-m", "zonda.testing", "sample"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test" in done.stderr
