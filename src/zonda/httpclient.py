"""Clients of HTTP: the public module `zonda.httpclient` (Tornado: `tornado.httpclient`).

`python -m zonda.httpclient URL` fetches and prints.
"""

import sys

from zonda._core.base.face import show
from zonda._core.client.api import AsyncHTTPClient
from zonda._core.client.errors import HTTPClientError
from zonda._core.client.message import (
    HTTPRequest,
    HTTPResponse,
    _RequestProxy,  # noqa: F401  # projects use it
)
from zonda._core.client.sync import HTTPClient
from zonda.options import define, options, parse_command_line

__all__ = [
    "AsyncHTTPClient",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
    "main",
]

#: Tornado's older name; `zonda.web.HTTPError` is another class.
HTTPError = HTTPClientError


def main() -> None:
    """Fetches the URLs of the command line, and prints what comes."""
    define("print_headers", type=bool, default=False)
    define("print_body", type=bool, default=True)
    define("follow_redirects", type=bool, default=True)
    define("validate_cert", type=bool, default=True)
    define("proxy_host", type=str)
    define("proxy_port", type=int)
    client = HTTPClient()
    for url in parse_command_line():
        try:
            response = client.fetch(
                url,
                follow_redirects=options.follow_redirects,
                validate_cert=options.validate_cert,
                proxy_host=options.proxy_host,
                proxy_port=options.proxy_port,
            )
        except HTTPClientError as error:
            if error.response is None:
                raise
            response = error.response
        if options.print_headers:
            sys.stdout.write(f"{response.headers}\n")
        if options.print_body:
            sys.stdout.write(response.body.decode(errors="replace") + "\n")
    client.close()


show(__name__, globals(), [*__all__, "_RequestProxy"])

if __name__ == "__main__":
    main()
