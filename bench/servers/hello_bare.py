"""Hello as a bare asyncio protocol with httptools on uvloop: no framework, no checks; the limit of Python."""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

PREFIX = b"/hello/"


class Hello(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser = httptools.HttpRequestParser(self)
        self.answers: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)
        self.transport.write(b"".join(self.answers))
        self.answers.clear()

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_message_complete(self) -> None:
        body = b"Hello, " + self.url.removeprefix(PREFIX)
        self.answers.append(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Hello, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
