"""A chat room over WebSockets: who is here, what they say, and what was said before.

GET /         the page
GET /socket   the WebSocket.  The page sends the text of a message.  It gets JSON objects:
              {"kind": "welcome", "me", "history"} first, then {"kind": "said", "author", "text", "sent"} for
              each message and {"kind": "here", "count"} when somebody comes or goes
"""

from __future__ import annotations

import contextlib
import secrets
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zonda.escape import json_encode
from zonda.ioloop import IOLoop
from zonda.options import define, options, parse_command_line
from zonda.web import Application, RequestHandler
from zonda.websocket import WebSocketClosedError, WebSocketHandler

HERE = Path(__file__).parent

REMEMBERED = 200  # messages
LONGEST_MESSAGE = 2000  # bytes
NAMES = "Ada Barbara Edsger Frances Grace Hedy Joan Karen Katherine Margaret Radia Sophie".split()


class Room:
    """The visitors that are here, and the newest messages in their order."""

    def __init__(self) -> None:
        self.visitors: set[Visitor] = set()
        self.history: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)

    def tell_all(self, event: dict[str, Any]) -> None:
        text = json_encode(event)
        for visitor in list(self.visitors):
            # A visitor who does not read is closed when too much waits for them; nobody else has to wait.
            with contextlib.suppress(WebSocketClosedError):
                visitor.write_message(text)

    def say(self, author: str, text: str) -> None:
        sent = datetime.now(UTC).isoformat(timespec="seconds")
        message = {"kind": "said", "author": author, "text": text, "sent": sent}
        self.history.append(message)
        self.tell_all(message)

    def tell_count(self) -> None:
        self.tell_all({"kind": "here", "count": len(self.visitors)})


class PageHandler(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        )

    def get(self) -> None:
        self.render("index.html", longest=LONGEST_MESSAGE)


class Visitor(WebSocketHandler):
    """One open window.  Pages of other origins are not let in: that is `check_origin`'s default."""

    def initialize(self, room: Room) -> None:
        self.room = room
        self.name = f"{secrets.choice(NAMES)} {secrets.randbelow(900) + 100}"

    def get_compression_options(self) -> dict[str, Any]:
        # No context is kept between messages: it would cost each visitor more memory than all else.
        return {"server_no_context_takeover": True, "client_no_context_takeover": True, "mem_level": 5}

    def open(self) -> None:
        self.write_message({"kind": "welcome", "me": self.name, "history": list(self.room.history)})
        self.room.visitors.add(self)
        self.room.tell_count()

    def on_message(self, message: str | bytes) -> None:
        if isinstance(message, bytes) or not message.strip():
            self.close(1008, "a message is text")
        else:
            self.room.say(self.name, message)

    def on_close(self) -> None:
        self.room.visitors.discard(self)
        self.room.tell_count()


def make_app() -> Application:
    return Application(
        [(r"/", PageHandler), (r"/socket", Visitor, {"room": Room()})],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        websocket_ping_interval=30,
        websocket_max_message_size=LONGEST_MESSAGE,
    )


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    parse_command_line()
    make_app().listen(options.port, address="127.0.0.1")
    print(f"The chat is on http://127.0.0.1:{options.port}/", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
