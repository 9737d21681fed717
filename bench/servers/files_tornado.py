"""Files of a folder, and uploads counted piece by piece, in Tornado: files_tornado.py FOLDER PORT."""

import sys

import tornado.ioloop
import tornado.web

LARGEST = 1 << 31


@tornado.web.stream_request_body
class UploadHandler(tornado.web.RequestHandler):
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
    application = tornado.web.Application(
        [
            ("/upload", UploadHandler),
            ("/files/(.*)", tornado.web.StaticFileHandler, {"path": folder}),
        ]
    )
    application.listen(int(port), address="127.0.0.1")
    tornado.ioloop.IOLoop.current().start()
