"""An upload as the kernel alone takes it: recv_into a buffer, and nothing else; files_bare.py FOLDER PORT.

One client after the other, on blocking sockets.
"""

import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer

FOLDER, PORT = sys.argv[1:]
PIECE = 1 << 18


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # What is read goes from the socket into our buffer; an answer goes out whole.
    rbufsize = 0
    wbufsize = -1

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer(Path(FOLDER, self.path.removeprefix("/files/")).read_bytes())

    def do_PUT(self) -> None:
        size, taken, buffer = int(self.headers["Content-Length"]), 0, memoryview(bytearray(PIECE))
        while taken < size and (count := self.rfile.readinto(buffer[: size - taken])):  # type: ignore[attr-defined]
            taken += count
        self.answer(b"%d" % taken)

    def log_message(self, format: str, *args: object) -> None:
        """No access lines, as all others have none."""


if __name__ == "__main__":
    with TCPServer(("127.0.0.1", int(PORT)), Handler) as server:
        server.serve_forever()
