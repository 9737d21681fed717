"""Handlers that say what arrived: target, arguments, cookies, headers, files."""

import json
from typing import Any

from package import RequestHandler


def said(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr, indent=1)


def texts(arguments: dict[str, list[bytes]]) -> dict[str, list[str]]:
    return {name: [value.decode("latin-1") for value in values] for name, values in arguments.items()}


class EchoHandler(RequestHandler):
    """All of the request."""

    def answer(self) -> None:
        request = self.request
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            said(
                {
                    "method": request.method,
                    "uri": request.uri,
                    "path": request.path,
                    "query": request.query,
                    "version": request.version,
                    "protocol": request.protocol,
                    "host": request.host,
                    "host_name": request.host_name,
                    "remote_ip": request.remote_ip,
                    "full_url": request.full_url(),
                    "headers": sorted(request.headers.get_all()),
                    "query_arguments": texts(request.query_arguments),
                    "body_arguments": texts(request.body_arguments),
                    "arguments": texts(request.arguments),
                    "files": {
                        name: [[f["filename"], f["content_type"], f["body"].decode("latin-1")] for f in files]
                        for name, files in request.files.items()
                    },
                    "body": request.body.decode("latin-1"),
                }
            )
        )

    get = post = put = patch = delete = options = answer


class GetArgumentHandler(RequestHandler):
    """`get_argument` and its sisters, by the last part of the path."""

    def answer(self, how: str) -> None:
        found: Any
        if how == "one":
            found = self.get_argument("a")
        elif how == "default":
            found = [self.get_argument("a", "d"), self.get_argument("b", None)]
        elif how == "all":
            found = self.get_arguments("a")
        elif how == "raw":
            found = [self.get_argument("a", strip=False), self.get_arguments("a", strip=False)]
        elif how == "query":
            found = [self.get_query_argument("a", None), self.get_query_arguments("a")]
        elif how == "body":
            found = [self.get_body_argument("a", None), self.get_body_arguments("a")]
        else:
            found = [self.get_query_argument("a"), self.get_body_argument("a")]
        self.write({"found": found})

    get = post = put = answer


class DecodingHandler(RequestHandler):
    """Arguments and path parts through `decode_argument`."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return f"{name}:{value.hex()}"

    def get(self, one: str, two: str) -> None:
        self.write({"path": [one, two], "args": self.path_args, "a": self.get_arguments("a")})


class CookieEchoHandler(RequestHandler):
    def get(self) -> None:
        morsels = {name: morsel.value for name, morsel in self.request.cookies.items()}
        self.write({"cookies": morsels, "a": self.get_cookie("a", "none"), "again": sorted(self.cookies)})


class HeadersHandler(RequestHandler):
    """The request's headers as a handler would ask for them."""

    def get(self) -> None:
        headers = self.request.headers
        self.write(
            {
                "get": headers.get("x-one"),
                "list": headers.get_list("X-ONE"),
                "in": "x-One" in headers,
                "names": sorted(headers.keys()),
            }
        )


class JsonHandler(RequestHandler):
    def post(self) -> None:
        self.write({"body": json.loads(self.request.body), "arguments": texts(self.request.arguments)})


ROUTES = [
    (r"/echo(?:/.*)?", EchoHandler),
    (r"/arg/(\w+)", GetArgumentHandler),
    (r"/decoding/([^/]*)/([^/]*)", DecodingHandler),
    (r"/cookies", CookieEchoHandler),
    (r"/headers", HeadersHandler),
    (r"/json", JsonHandler),
]
