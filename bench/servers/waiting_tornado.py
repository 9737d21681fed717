"""Long polls in Tornado: /wait/NAME is answered once somebody asks for /release."""

import asyncio
import sys

import tornado.ioloop
import tornado.web

waiting: set["asyncio.Future[None]"] = set()


class WaitHandler(tornado.web.RequestHandler):
    async def get(self, name: str) -> None:
        future: asyncio.Future[None] = asyncio.Future()
        waiting.add(future)
        await future
        self.write("Hello, " + name)


class CountHandler(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write(str(len(waiting)))


class ReleaseHandler(CountHandler):
    def get(self) -> None:
        super().get()
        for future in waiting:
            future.set_result(None)
        waiting.clear()


if __name__ == "__main__":
    application = tornado.web.Application(
        [(r"/wait/([^/]+)", WaitHandler), ("/count", CountHandler), ("/release", ReleaseHandler)]
    )
    application.listen(int(sys.argv[1]), address="127.0.0.1")
    tornado.ioloop.IOLoop.current().start()
