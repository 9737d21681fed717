"""The two errors of `httputil`: what came in is wrong, or what goes out is."""


class HTTPInputError(Exception):
    """A request or response that came in, or a part of one, is malformed or past a bound.

    Source: Tornado documentation, `tornado.httputil`.  The message may quote the peer's bytes,
    always through `repr`, so that it is safe in a log line.
    """


class HTTPOutputError(Exception):
    """The application gave something that cannot be sent as HTTP.

    For example more or fewer bytes than the Content-Length it declared.
    Source: Tornado documentation, `tornado.httputil`.
    """
