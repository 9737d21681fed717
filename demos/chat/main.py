"""A chat room on channels: what one visitor says appears in all windows at once, in whatever process.

GET  /                    the page, with what was said before
POST /a/message/new       `body`: say something
     /channels            the topic `room`: over WebSocket, server-sent events or long polling
GET  /zonda.js            what the page speaks to /channels with
"""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from zonda import run_workers
from zonda.channels import ChannelHandler, ClientScriptHandler, Hub, Topic
from zonda.options import define, options, parse_command_line
from zonda.web import Application, HTTPError, RequestHandler

HERE = Path(__file__).parent

ROOM = Topic("room", history=200, ttl=86400, presence=True)  # who missed more sees the newest of them
LONGEST_BODY = 2000  # characters

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
class Visitor:
    id: str  # tells visitors apart that were given the same name
    name: str


@dataclass(frozen=True)
class Message:
    visitor: str
    author: str
    body: str
    sent: str  # ISO 8601, UTC

    @property
    def hue(self) -> int:
        return sum(self.author.encode()) % HUES


def known_visitor(handler: RequestHandler) -> Visitor | None:
    cookie = handler.get_signed_cookie("visitor")
    return None if cookie is None else Visitor(*cookie.decode().split(" ", 1))


class ChatHandler(RequestHandler):
    """Gives every visitor a name, kept in a signed cookie."""

    def set_default_headers(self) -> None:
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        self.set_header("X-Content-Type-Options", "nosniff")

    def get_current_user(self) -> Visitor:
        visitor = known_visitor(self)
        if visitor is None:
            name = f"{secrets.choice(ADJECTIVES)} {secrets.choice(ANIMALS)}"
            visitor = Visitor(secrets.token_hex(8), name)
            self.set_signed_cookie("visitor", f"{visitor.id} {name}", httponly=True, samesite="Lax")
        return visitor

    @property
    def hub(self) -> Hub:
        return self.settings["hub"]


class PageHandler(ChatHandler):
    async def get(self) -> None:
        history = await self.hub.history(ROOM.pattern)
        self.set_header("Cache-Control", "no-store")
        self.render(
            "index.html",
            messages=[Message(**kept.data["message"]) for kept in history.messages],
            position=history.top,
            longest=LONGEST_BODY,
        )


class NewMessageHandler(ChatHandler):
    async def post(self) -> None:
        body = self.get_body_argument("body")
        if not body:
            raise HTTPError(400, reason="Empty message")
        if len(body) > LONGEST_BODY:
            raise HTTPError(400, reason="Message too long")
        message = Message(
            self.current_user.id,
            self.current_user.name,
            body,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        # The page shows it as this template has it, which escapes what visitors wrote.
        html = self.render_string("message.html", message=message).decode()
        position = await self.hub.publish(ROOM.pattern, {"message": asdict(message), "html": html})
        # The page's script is content to know; a browser without scripts wants the page again.
        if self.get_body_argument("next", None) is None:
            self.write({"position": str(position)})
        else:
            self.redirect("/")


class RoomHandler(ChannelHandler):
    """Whoever has opened the page may listen, and is seen by the others; what is said comes by POST alone."""

    def set_default_headers(self) -> None:
        # Of the answers that are no handshake, too: which process it was.
        self.set_header("X-Process", str(os.getpid()))

    def get_current_user(self) -> Visitor | None:
        return known_visitor(self)

    def authorize(self, topic: str) -> bool:
        return self.current_user is not None

    def presence_info(self, topic: str) -> dict[str, str]:
        return asdict(self.current_user)


def make_app() -> Application:
    return Application(
        [
            (r"/", PageHandler),
            (r"/a/message/new", NewMessageHandler),
            (r"/channels", RoomHandler),
            (r"/zonda.js", ClientScriptHandler),
        ],
        hub=Hub(topics=[ROOM]),
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        # All workers have to know each other's cookies: see `main`, and README.md for `zonda run`.
        cookie_secret=os.environ.get("CHAT_SECRET") or secrets.token_hex(32),
        xsrf_cookies=True,
    )


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    define("workers", default=1, type=int, help="in so many processes")
    parse_command_line()
    os.environ.setdefault("CHAT_SECRET", secrets.token_hex(32))
    run_workers(make_app, options.workers, port=options.port, say=lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
