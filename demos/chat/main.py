"""A chat room over long polling: what one visitor says appears in every other window at once.

GET  /                    the page, with what was said before
POST /a/message/new       `body`: say something
POST /a/message/updates   `cursor` (optional), the id of the last message seen: what was said after it,
                          at once or as soon as something is
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zonda.ioloop import IOLoop
from zonda.locks import Condition
from zonda.options import define, options, parse_command_line
from zonda.web import Application, HTTPError, RequestHandler

HERE = Path(__file__).parent

REMEMBERED = 200  # messages; a visitor who missed more sees the newest of them
LONGEST_BODY = 2000  # characters
# An unanswered poll ends sooner than the usual idle time-out of a proxy (60 s); the page then asks again.
LONGEST_WAIT = timedelta(seconds=45)

ADJECTIVES = (
    "Amber Brave Calm Clever Cosmic Curious Daring Gentle Golden Happy Hidden Humble Jolly Keen Lively Lucky "
    "Mellow Misty Nimble Patient Quiet Silver Sunny Swift"
).split()
ANIMALS = (
    "Badger Beaver Crane Dolphin Falcon Ferret Finch Fox Gecko Heron Ibex Koala Lemur Lynx Marten Newt Otter "
    "Owl Panda Puffin Raven Seal Tapir Wren"
).split()
HUES = 8  # colours of the round badges in chat.css


@dataclass(frozen=True)
class Message:
    id: str
    author: str
    body: str
    sent: str  # ISO 8601, UTC

    @property
    def hue(self) -> int:
        return sum(self.author.encode()) % HUES


class Room:
    """The newest messages in their order, and a bell that rings for each."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque(maxlen=REMEMBERED)
        self.bell = Condition()

    def say(self, author: str, body: str) -> Message:
        sent = datetime.now(UTC).isoformat(timespec="seconds")
        message = Message(uuid.uuid4().hex, author, body, sent)
        self.messages.append(message)
        self.bell.notify_all()
        return message

    def since(self, cursor: str | None) -> list[Message]:
        """What was said after the message `cursor`; all that is remembered where that one is unknown."""
        newer: list[Message] = []
        for message in reversed(self.messages):
            if message.id == cursor:
                break
            newer.append(message)
        newer.reverse()
        return newer


class ChatHandler(RequestHandler):
    """Gives every visitor a name, kept in a signed cookie."""

    def initialize(self, room: Room) -> None:
        self.room = room

    def set_default_headers(self) -> None:
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        self.set_header("X-Content-Type-Options", "nosniff")

    def get_current_user(self) -> str:
        known = self.get_signed_cookie("visitor")
        if known is not None:
            return known.decode()
        name = f"{secrets.choice(ADJECTIVES)} {secrets.choice(ANIMALS)}"
        self.set_signed_cookie("visitor", name, httponly=True, samesite="Lax")
        return name

    def as_json(self, message: Message) -> dict[str, str]:
        html = self.render_string("message.html", message=message)
        return {**asdict(message), "html": html.decode()}


class PageHandler(ChatHandler):
    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.render("index.html", messages=self.room.messages, longest=LONGEST_BODY)


class NewMessageHandler(ChatHandler):
    def post(self) -> None:
        body = self.get_body_argument("body")
        if not body:
            raise HTTPError(400, reason="Empty message")
        if len(body) > LONGEST_BODY:
            raise HTTPError(400, reason="Message too long")
        message = self.room.say(self.current_user, body)
        # The page's script wants the message; a browser without scripts wants the page again.
        if self.get_body_argument("next", None) is None:
            self.write(self.as_json(message))
        else:
            self.redirect("/")


class UpdatesHandler(ChatHandler):
    waiting: asyncio.Future[bool] | None = None

    async def post(self) -> None:
        cursor = self.get_body_argument("cursor", None)
        messages = self.room.since(cursor)
        if not messages:
            self.waiting = asyncio.ensure_future(self.room.bell.wait(timeout=LONGEST_WAIT))
            try:
                await self.waiting
            except asyncio.CancelledError:
                return
            messages = self.room.since(cursor)
        self.write({"messages": [self.as_json(message) for message in messages]})

    def on_connection_close(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()


def make_app() -> Application:
    room = {"room": Room()}
    return Application(
        [
            (r"/", PageHandler, room),
            (r"/a/message/new", NewMessageHandler, room),
            (r"/a/message/updates", UpdatesHandler, room),
        ],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        # Names last as long as the server. An application that keeps its cookies keeps its secret too.
        cookie_secret=secrets.token_hex(32),
        xsrf_cookies=True,
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
