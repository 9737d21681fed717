#!/usr/bin/env python3
"""Hello world, addresses with arguments, and a form, as in 2009."""

import zonda.httpserver
import zonda.ioloop
import zonda.options
import zonda.web
from zonda.options import define, options

define("port", default=8888, help="run on the given port", type=int)


class MainHandler(zonda.web.RequestHandler):
    def get(self):
        self.write("Hello, world")


class StoryHandler(zonda.web.RequestHandler):
    def get(self, story_id):
        if int(story_id) > 100:
            raise zonda.web.HTTPError(404)
        self.write("This is story " + story_id)


class FormHandler(zonda.web.RequestHandler):
    def get(self):
        self.write(
            '<html><body><form action="/form" method="post">'
            '<input type="text" name="message">'
            '<input type="submit" value="Submit">'
            "</form></body></html>"
        )

    def post(self):
        self.set_header("Content-Type", "text/plain")
        self.write("You wrote " + self.get_argument("message"))


application = zonda.web.Application(
    [
        (r"/", MainHandler),
        (r"/story/([0-9]+)", StoryHandler),
        (r"/form", FormHandler),
    ]
)

if __name__ == "__main__":
    zonda.options.parse_command_line()
    http_server = zonda.httpserver.HTTPServer(application)
    http_server.listen(options.port, address="127.0.0.1")
    print("http://127.0.0.1:" + str(options.port))
    zonda.ioloop.IOLoop.instance().start()
