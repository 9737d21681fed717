"""Files of a folder, and uploads counted piece by piece, in zonda: files_zonda.py FOLDER PORT."""

import sys

import zonda.ioloop
import zonda.web

LARGEST = 1 << 31


@zonda.web.stream_request_body
class UploadHandler(zonda.web.RequestHandler):
    def initialize(self) -> None:
        self.taken = 0

    def prepare(self) -> None:
        self.request.connection.set_max_body_size(LARGEST)

    def data_received(self, chunk: bytes) -> None:
        self.taken += len(chunk)

    def put(self) -> None:
        self.write(str(self.taken))


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    application = zonda.web.Application(
        [
            ("/upload", UploadHandler),
            ("/files/(.*)", zonda.web.StaticFileHandler, {"path": folder}),
        ]
    )
    application.listen(int(port), address="127.0.0.1")
    zonda.ioloop.IOLoop.current().start()
