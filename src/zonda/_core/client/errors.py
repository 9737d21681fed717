"""What a fetch raises."""

from typing import Any

from zonda._core.wire.status import responses


class HTTPClientError(Exception):
    """A fetch failed: the server answered with an error, or not at all.

    `code` is the answer's status, 599 where there is no answer.  `message` is its reason phrase,
    `response` the `HTTPResponse` if there is one.
    Source: Tornado documentation, `tornado.httpclient`.
    """

    def __init__(self, code: int, message: str | None = None, response: Any = None) -> None:
        self.code = code
        self.message = message or responses.get(code, "Unknown")
        self.response = response
        super().__init__(code, message, response)

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    # The response of the default repr would hold this error: a repr without end.
    __repr__ = __str__


class HTTPTimeoutError(HTTPClientError):
    """Time ran out; the message says in which phase of the fetch.  `code` is 599.

    Source: Tornado documentation, `tornado.simple_httpclient`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(599, message=message)

    def __str__(self) -> str:
        return self.message


class HTTPStreamClosedError(HTTPClientError):
    """The connection was closed before the answer was complete.  `code` is 599.

    `real_error` is why, where there was more to it than an end.
    Source: Tornado documentation, `tornado.simple_httpclient`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(599, message=message)

    def __str__(self) -> str:
        return self.message
