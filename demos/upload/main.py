"""A body larger than memory: hashed while it arrives, never held whole.

GET /              the page
PUT /upload/NAME   the file as the body; answers its size and SHA-256 as JSON
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from pathlib import Path

from zonda.ioloop import IOLoop
from zonda.options import define, options, parse_command_line
from zonda.web import Application, RequestHandler, stream_request_body

HERE = Path(__file__).parent

LARGEST_BODY = 10 * 1000**3  # bytes; the server's own limit, 100 MB, is for bodies that are held


class PageHandler(RequestHandler):
    def get(self) -> None:
        self.render("index.html")


@stream_request_body
class UploadHandler(RequestHandler):
    def prepare(self) -> None:
        # Before the body: the token is looked at first, and a limit set here is for this body alone.
        self.request.connection.set_max_body_size(LARGEST_BODY)
        self.digest = hashlib.sha256()
        self.size = 0
        self.pieces = 0

    def data_received(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self.size += len(chunk)
        self.pieces += 1

    def put(self, name: str) -> None:
        self.write(
            {"name": name, "size": self.size, "sha256": self.digest.hexdigest(), "pieces": self.pieces}
        )


def make_app() -> Application:
    return Application(
        [
            (r"/", PageHandler),
            (r"/upload/([^/]+)", UploadHandler),
        ],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        cookie_secret=secrets.token_hex(32),
        xsrf_cookies=True,
    )


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    parse_command_line()
    make_app().listen(options.port, address="127.0.0.1")
    print(f"Uploads go to http://127.0.0.1:{options.port}/", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
