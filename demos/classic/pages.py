#!/usr/bin/env python3
"""Templates that extend one another, and UI modules with their own style, as in 2009."""

import os

import uimodules

import zonda.ioloop
import zonda.options
import zonda.web
from zonda.options import define, options

define("port", default=8888, help="run on the given port", type=int)

ENTRIES = [
    {"id": 1, "title": "Wind & weather", "text": "The zonda is a dry wind that comes down from the Andes."},
    {"id": 2, "title": "Callbacks", "text": "Before there was await, there was <self.finish>."},
]


class HomeHandler(zonda.web.RequestHandler):
    def get(self):
        self.render("home.html", entries=ENTRIES, add=self.add)

    def add(self, x, y):
        return x + y


class EntryHandler(zonda.web.RequestHandler):
    def get(self, entry_id):
        found = [entry for entry in ENTRIES if entry["id"] == int(entry_id)]
        if not found:
            raise zonda.web.HTTPError(404)
        self.render("entry.html", entry=found[0])


settings = {
    "template_path": os.path.join(os.path.dirname(__file__), "templates"),
    "ui_modules": uimodules,
    "autoescape": None,
}
application = zonda.web.Application(
    [
        (r"/", HomeHandler),
        (r"/entry/([0-9]+)", EntryHandler),
    ],
    **settings,
)

if __name__ == "__main__":
    zonda.options.parse_command_line()
    application.listen(options.port, address="127.0.0.1")
    print("http://127.0.0.1:" + str(options.port))
    zonda.ioloop.IOLoop.instance().start()
