"""Hello in zonda by a coroutine that lets others go first, once."""

import asyncio
import sys

import zonda.ioloop
import zonda.web


class HelloHandler(zonda.web.RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.sleep(0)
        self.write("Hello, " + name)


if __name__ == "__main__":
    application = zonda.web.Application([(r"/hello/([^/]+)", HelloHandler)])
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    zonda.ioloop.IOLoop.current().start()
