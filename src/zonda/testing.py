"""Tests for asynchronous code, on `unittest`: the public module `zonda.testing` (Tornado: `tornado.testing`).

Every test has a loop of its own, closed after it with all that was registered on it.
"""

import asyncio
import functools
import inspect
import logging
import os
import re
import signal
import socket
import ssl
import sys
import unittest
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from types import GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from zonda import gen
from zonda.ioloop import IOLoop
from zonda.log import app_log

if TYPE_CHECKING:
    from zonda.httpclient import AsyncHTTPClient, HTTPResponse
    from zonda.httpserver import HTTPServer

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "setup_with_context_manager",
]

T = TypeVar("T")

_CERTIFICATES = Path(__file__).parent / "test_certs"


def bind_unused_port(reuse_port: bool = False, address: str = "127.0.0.1") -> tuple[socket.socket, int]:
    """A listening, non-blocking IPv4 socket on a port that the kernel picks, and the port."""
    sock = socket.create_server((address, 0), backlog=128, reuse_port=reuse_port)
    sock.setblocking(False)
    return sock, sock.getsockname()[1]


def get_async_test_timeout() -> float:
    """Seconds that a test may wait: the environment's ASYNC_TEST_TIMEOUT, or 5."""
    try:
        return float(os.environ["ASYNC_TEST_TIMEOUT"])
    except (KeyError, ValueError):
        return 5.0


class AsyncTestCase(unittest.TestCase):
    """A test case with a loop of its own in `self.io_loop`.

    Test methods are decorated with `gen_test`, or written with `wait()` and `stop()`.
    Source: Tornado documentation, `tornado.testing`.
    """

    io_loop: IOLoop

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self.__stopped = False
        self.__running = False
        self.__failure: BaseException | None = None
        self.__stop_args: Any = None
        #: The generator of a `gen_test` that is under way.
        self._test_generator: Generator[Any, Any, Any] | None = None

    def setUp(self) -> None:
        super().setUp()
        self.io_loop = self.get_new_ioloop()
        asyncio.set_event_loop(self.io_loop.asyncio_loop)

    def tearDown(self) -> None:
        asyncio_loop = self.io_loop.asyncio_loop
        if not asyncio_loop.is_closed():
            # What still waits gets the chance to end, instead of a warning by the collector.
            tasks = asyncio.all_tasks(asyncio_loop)
            for task in tasks:
                task.cancel()
            if tasks:
                asyncio_loop.run_until_complete(asyncio.wait(tasks, timeout=get_async_test_timeout()))
            asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        self.io_loop.close(all_fds=True)
        super().tearDown()
        self.__rethrow()

    def get_new_ioloop(self) -> IOLoop:
        """The loop of one test; override it to test on another."""
        loop: IOLoop = IOLoop(make_current=False)
        return loop

    def _callTestMethod(self, method: Callable[[], Any]) -> None:
        # A test that nobody ran would count as passed.
        outcome = method()
        if isinstance(outcome, GeneratorType) or inspect.iscoroutine(outcome):
            raise TypeError(
                "Generator and coroutine test methods should be decorated with zonda.testing.gen_test"
            )
        if outcome is not None:
            raise ValueError(f"Return value from test method ignored: {outcome!r}")

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """Ends `wait()`, or the next one; the argument, or a dict of the keywords, is its result."""
        assert _arg is None or not kwargs, "stop() takes one argument or keywords, not both"
        self.__stop_args = kwargs or _arg
        if self.__running:
            self.io_loop.stop()
            self.__running = False
        self.__stopped = True

    def wait(self, condition: Callable[[], bool] | None = None, timeout: float | None = None) -> Any:
        """Runs the loop until `stop()` is called, and, if given, `condition()` is true then.

        `timeout` in seconds, 0 for none, default `get_async_test_timeout()`.
        Raises: `self.failureException` past it.
        """
        if timeout is None:
            timeout = get_async_test_timeout()
        if not self.__stopped:
            handle = self.io_loop.call_later(timeout, self.__expire, timeout) if timeout else None
            while True:
                self.__running = True
                self.io_loop.start()
                if self.__failure is not None or condition is None or condition():
                    break
            if handle is not None:
                self.io_loop.remove_timeout(handle)
        assert self.__stopped, "the loop was stopped by something else than stop()"
        self.__stopped = False
        self.__rethrow()
        result, self.__stop_args = self.__stop_args, None
        return result

    def __expire(self, timeout: float) -> None:
        self.__failure = self.failureException(f"Async operation timed out after {timeout} seconds")
        self.stop()

    def __rethrow(self) -> None:
        if self.__failure is not None:
            failure, self.__failure = self.__failure, None
            raise failure


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case with a server of its own, that serves what `get_app()` returns.

    Source: Tornado documentation, `tornado.testing`.
    """

    http_client: "AsyncHTTPClient"
    http_server: "HTTPServer"

    def setUp(self) -> None:
        super().setUp()
        sock, self.__port = bind_unused_port()
        self.http_client = self.get_http_client()
        self._app = self.get_app()
        self.http_server = self.get_http_server()
        self.http_server.add_sockets([sock])

    def tearDown(self) -> None:
        self.http_server.stop()
        self.io_loop.run_sync(self.http_server.close_all_connections, timeout=get_async_test_timeout())
        self.http_client.close()
        del self.http_server
        del self._app
        super().tearDown()

    def get_app(self) -> Any:
        """To be overridden: the `Application`, or another callback of `HTTPServer`."""
        raise NotImplementedError

    def get_http_client(self) -> "AsyncHTTPClient":
        """The client behind `fetch()`."""
        from zonda.httpclient import AsyncHTTPClient

        return AsyncHTTPClient()

    def get_http_server(self) -> "HTTPServer":
        """The server, not yet listening."""
        from zonda.httpserver import HTTPServer

        return HTTPServer(self._app, **self.get_httpserver_options())

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> "HTTPResponse":
        """Fetches from the server, or a full URL from elsewhere, and waits for the response.

        Keywords are those of `AsyncHTTPClient.fetch`.  Raises: `TimeoutError`; a status that is
        an error only with `raise_error=True`.
        """
        url = path if path.lower().startswith(("http://", "https://")) else self.get_url(path)
        response: HTTPResponse = self.io_loop.run_sync(
            lambda: self.http_client.fetch(url, raise_error=raise_error, **kwargs),
            timeout=get_async_test_timeout(),
        )
        return response

    def get_httpserver_options(self) -> dict[str, Any]:
        """Keywords for the `HTTPServer`."""
        return {}

    def get_http_port(self) -> int:
        """The server's port; a new one for each test."""
        return self.__port

    def get_protocol(self) -> str:
        return "http"

    def get_url(self, path: str) -> str:
        """The URL of a path on the server."""
        return f"{self.get_protocol()}://127.0.0.1:{self.get_http_port()}{path}"


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """`AsyncHTTPTestCase` over TLS, with a certificate that is good for tests alone."""

    def get_http_client(self) -> "AsyncHTTPClient":
        from zonda.httpclient import AsyncHTTPClient

        return AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def get_httpserver_options(self) -> dict[str, Any]:
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any] | ssl.SSLContext:
        """What the server is given as `ssl_options`."""
        return self.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """zonda's self-signed test certificate, for localhost."""
        return {"certfile": str(_CERTIFICATES / "test.crt"), "keyfile": str(_CERTIFICATES / "test.key")}

    def get_protocol(self) -> str:
        return "https"


@overload
def gen_test(*, timeout: float | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
@overload
def gen_test(func: Callable[..., Any]) -> Callable[..., Any]: ...
def gen_test(func: Callable[..., Any] | None = None, timeout: float | None = None) -> Any:
    """Makes a coroutine (`async def`, or a generator) a test method of an `AsyncTestCase`.

    `timeout` in seconds; by default `get_async_test_timeout()`.  Past it the test fails with
    `TimeoutError`, raised where the coroutine waited.
    Source: Tornado documentation, `tornado.testing`.
    """

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def begin(self: AsyncTestCase, *args: Any, **kwargs: Any) -> Any:
            outcome = func(self, *args, **kwargs)
            self._test_generator = outcome if isinstance(outcome, GeneratorType) else None
            return outcome

        start = begin if inspect.iscoroutinefunction(func) else gen.coroutine(begin)

        @functools.wraps(func)
        def test(self: AsyncTestCase, *args: Any, **kwargs: Any) -> Any:
            seconds = get_async_test_timeout() if timeout is None else timeout
            try:
                return self.io_loop.run_sync(functools.partial(start, self, *args, **kwargs), seconds)
            except TimeoutError as failure:
                # So that the traceback shows the line that waited, and not our machinery alone.
                generator = self._test_generator
                if generator is not None and generator.gi_frame is not None:  # type: ignore[attr-defined]
                    generator.throw(failure)
                raise
            finally:
                self._test_generator = None

        return test

    return decorate if func is None else decorate(func)


class ExpectLog(logging.Filter):
    """A context manager that swallows the log line that a test is to cause, and fails without it.

    `logger`: a logger or its name (filters sit on the logger itself, not on those below it).
    `regex`: what the message begins with.  `required=False`: no failure if it does not come.
    `level`: only lines of that level count, and the logger lets them through meanwhile; without
    it, a match at INFO or below is a `DeprecationWarning`, as other test runners hide those.
    Afterwards `logged_stack` says whether a matching line had a traceback.
    Source: Tornado documentation, `tornado.testing`.
    """

    def __init__(
        self, logger: logging.Logger | str, regex: str, required: bool = True, level: int | None = None
    ) -> None:
        super().__init__()
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.regex = re.compile(regex)
        self.required = required
        self.level = level
        #: How many lines have matched.
        self.matched = 0
        self.deprecated_level_matched = 0
        self.logged_stack = False
        self.orig_level: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.regex.match(record.getMessage()):
            return True
        if self.level is None:
            self.deprecated_level_matched += record.levelno <= logging.INFO
        elif record.levelno != self.level:
            app_log.warning(
                "Got expected log message %r at unexpected level (%s vs %s)",
                record.getMessage(),
                logging.getLevelName(self.level),
                record.levelname,
            )
            return True
        self.logged_stack = self.logged_stack or bool(record.exc_info)
        self.matched += 1
        return False

    def __enter__(self) -> "ExpectLog":
        if self.level is not None and self.level < self.logger.getEffectiveLevel():
            self.orig_level = self.logger.level
            self.logger.setLevel(self.level)
        self.logger.addFilter(self)
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.orig_level is not None:
            self.logger.setLevel(self.orig_level)
        self.logger.removeFilter(self)
        if typ is None and self.required and not self.matched:
            raise Exception("did not get expected log message")
        if typ is None and self.required and self.deprecated_level_matched:
            warnings.warn(
                "ExpectLog matched at INFO or below without level argument", DeprecationWarning, stacklevel=2
            )


def setup_with_context_manager(testcase: unittest.TestCase, cm: AbstractContextManager[T]) -> T:
    """Enters a context manager in a test's `setUp()`; it is left when the test is over."""
    return testcase.enterContext(cm)


def main(**kwargs: Any) -> None:
    """`unittest.main`, with the command line's options and log format of `zonda.options`.

    `python -m zonda.testing package.module` runs tests too.  Keywords go to `unittest.main`.
    Source: Tornado documentation, `tornado.testing`.
    """
    from zonda.options import define, options, parse_command_line

    define(
        "exception_on_interrupt", type=bool, default=True, help="Ctrl-C raises KeyboardInterrupt, not kills"
    )
    define("verbose", type=bool, default=False, help="name every test")
    define("quiet", type=bool, default=False, help="no output but failures")
    argv = [sys.argv[0], *parse_command_line(sys.argv)]
    if not options.exception_on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if options.verbose:
        kwargs["verbosity"] = 2
    if options.quiet:
        kwargs["verbosity"] = 0
    if len(argv) > 1:
        # The names on the command line are not looked for in the script.
        kwargs.setdefault("module", None)
    elif hasattr(sys.modules["__main__"], "all"):
        # A script that runs many modules gathers them in a function `all()`.
        kwargs.setdefault("defaultTest", "all")
    unittest.main(argv=argv, **kwargs)


if __name__ == "__main__":
    main()
