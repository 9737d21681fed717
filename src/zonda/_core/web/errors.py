"""Errors that a handler raises to answer with."""

from typing import Any

from zonda._core.wire.status import responses


class HTTPError(Exception):
    """An exception that turns into an HTTP error response.

    `status_code` is the response's status.  `log_message` goes to the log (and to the page with
    `serve_traceback`), never to the client; it may hold `%s` for `args`.  `reason` (keyword) is the
    status line's phrase, else the usual one.

    Source: Tornado documentation, `tornado.web.HTTPError`.
    """

    def __init__(
        self, status_code: int = 500, log_message: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        self.status_code = status_code
        self._log_message = log_message
        self.args = args
        self.reason: str | None = kwargs.get("reason")

    @property
    def log_message(self) -> str | None:
        """The message with its percent signs doubled where there are no `args` to fill in."""
        if self._log_message and not self.args:
            return self._log_message.replace("%", "%%")
        return self._log_message

    def get_message(self) -> str:
        """The message for the log, with `args` filled in; empty if there is none."""
        if self._log_message and self.args:
            return self._log_message % self.args
        return self._log_message or ""

    def __str__(self) -> str:
        phrase = self.reason or responses.get(self.status_code, "Unknown")
        message = self.get_message()
        text = f"HTTP {self.status_code}: {phrase}"
        return f"{text} ({message})" if message else text


class Finish(Exception):
    """Ends the request without an error response: what was written is sent, and `on_finish` is called.

    An argument is passed to `finish`.  Source: Tornado documentation, `tornado.web.Finish`.
    """


class MissingArgumentError(HTTPError):
    """`get_argument` without a default, and the request has none: a 400.

    Source: Tornado documentation, `tornado.web.MissingArgumentError`.
    """

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name
