#!/usr/bin/env python3
"""An answer that is finished after the method has returned, from a callback, as in 2009."""

import time

import zonda.ioloop
import zonda.options
import zonda.web
from zonda.options import define, options

define("port", default=8888, help="run on the given port", type=int)


class LaterHandler(zonda.web.RequestHandler):
    @zonda.web.asynchronous
    def get(self):
        self.write("Wait for it")
        self.steps = 3
        self.next_step()

    def next_step(self):
        if self.steps == 0:
            self.write(" done")
            self.finish()
            return
        self.steps -= 1
        zonda.ioloop.IOLoop.instance().add_timeout(time.time() + 0.05, self.on_timeout)

    def on_timeout(self):
        self.write(" ...")
        self.next_step()


class MeetHandler(zonda.web.RequestHandler):
    """The first to come waits for the second; both leave together."""

    waiting = None

    @zonda.web.asynchronous
    def get(self, name):
        self.name = name
        cls = MeetHandler
        if cls.waiting is None:
            cls.waiting = self
            return
        other, cls.waiting = cls.waiting, None
        other.on_company(self)
        self.on_company(other)

    def on_company(self, other):
        self.write(self.name + " meets " + other.name)
        self.finish()

    def on_connection_close(self):
        if MeetHandler.waiting is self:
            MeetHandler.waiting = None


application = zonda.web.Application(
    [
        (r"/", LaterHandler),
        (r"/meet/([a-z]+)", MeetHandler),
    ]
)

if __name__ == "__main__":
    zonda.options.parse_command_line()
    application.listen(options.port, address="127.0.0.1")
    print("http://127.0.0.1:" + str(options.port))
    zonda.ioloop.IOLoop.instance().start()
