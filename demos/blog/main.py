"""A blog on PostgreSQL, by asyncpg; its pool is opened before the application listens and closed behind it.

GET  /                 the newest entries; `before`: those older than the entry with that id
GET  /entry/ID         one entry
GET  /login            who are you; POST `name`, `password`, `next`
POST /logout
GET  /compose          a new entry; POST `title`, `body`
GET  /compose/ID       an entry of one's own, to change; POST likewise
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg
from store import MOST_CONNECTIONS, PATIENCE, Store

from zonda.httpserver import HTTPServer
from zonda.ioloop import IOLoop
from zonda.options import define, options, parse_command_line
from zonda.web import Application, HTTPError, RequestHandler, authenticated

HERE = Path(__file__).parent

ENTRIES_ON_A_PAGE = 10
LONGEST_TITLE, LONGEST_BODY = 200, 50_000  # characters
LARGEST_ID = 2**31 - 1  # of PostgreSQL's `integer`


class BlogHandler(RequestHandler):
    def initialize(self, store: Store) -> None:
        self.store = store

    def set_default_headers(self) -> None:
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'",
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        # Asked for here and not in get_current_user(), which cannot wait for a database.
        cookie = self.get_signed_cookie("author", max_age_days=1)
        self.current_user = None if cookie is None else await self.store.author(int(cookie))

    def get_template_namespace(self) -> dict[str, Any]:
        return {
            **super().get_template_namespace(),
            "longest_title": LONGEST_TITLE,
            "longest_body": LONGEST_BODY,
        }

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        # Of its own: the usual pages ask who the reader is, and that may be what failed.
        self.finish(self.render_string("failed.html", status=status_code, reason=self._reason))

    def id_of(self, text: str) -> int:
        """Raises `HTTPError(404)` where no entry can have that id."""
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LARGEST_ID):
            raise HTTPError(404)
        return int(text)


class HomeHandler(BlogHandler):
    async def get(self) -> None:
        before = self.get_query_argument("before", None)
        # One more than is shown tells whether there are older ones.
        found = await self.store.entries(before and self.id_of(before), ENTRIES_ON_A_PAGE + 1)
        self.render("home.html", entries=found[:ENTRIES_ON_A_PAGE], more=len(found) > ENTRIES_ON_A_PAGE)


class EntryHandler(BlogHandler):
    async def get(self, entry: str) -> None:
        found = await self.store.entry(self.id_of(entry))
        if found is None:
            raise HTTPError(404)
        self.render("entry.html", entry=found)


class LoginHandler(BlogHandler):
    def get(self) -> None:
        self.render("login.html", next=self.get_query_argument("next", "/"), failed=False)

    async def post(self) -> None:
        onward = self.get_body_argument("next", "/")
        name = self.get_body_argument("name")
        author = await self.store.author_by_password(name, self.get_body_argument("password", strip=False))
        if author is None:
            self.set_status(403)
            self.render("login.html", next=onward, failed=True)
            return
        self.set_signed_cookie(
            "author",
            str(author),
            expires_days=1,
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        # A path of this site alone: //elsewhere.example and /\elsewhere.example are other sites to a browser.
        self.redirect(onward if onward.startswith("/") and onward[1:2] not in ("/", "\\") else "/")


class LogoutHandler(BlogHandler):
    def post(self) -> None:
        self.clear_cookie("author")
        self.redirect("/")


class ComposeHandler(BlogHandler):
    @authenticated
    async def get(self, entry: str | None) -> None:
        found = None
        if entry is not None:
            found = await self.store.entry(self.id_of(entry))
            if found is None or found["author"] != self.current_user["id"]:
                raise HTTPError(404)
        self.render("compose.html", entry=found)

    @authenticated
    async def post(self, entry: str | None) -> None:
        title, body = self.text("title", LONGEST_TITLE), self.text("body", LONGEST_BODY)
        if entry is None:
            number = await self.store.publish(self.current_user["id"], title, body)
        else:
            number = self.id_of(entry)
            if not await self.store.change(self.current_user["id"], number, title, body):
                raise HTTPError(404)
        self.redirect(f"/entry/{number}")

    def text(self, name: str, longest: int) -> str:
        text = self.get_body_argument(name).replace("\r\n", "\n")
        if not text or len(text) > longest:
            raise HTTPError(400, reason=f"1 to {longest} characters of {name}")
        return text


def make_app(store: Store) -> Application:
    given = {"store": store}
    return Application(
        [
            (r"/", HomeHandler, given),
            (r"/entry/(\d+)", EntryHandler, given),
            (r"/login", LoginHandler, given),
            (r"/logout", LogoutHandler, given),
            (r"/compose(?:/(\d+))?", ComposeHandler, given),
        ],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        login_url="/login",
        # Logins last as long as the server. An application that keeps its cookies keeps its secret too.
        cookie_secret=secrets.token_hex(32),
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
    )


async def serve() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    async with asyncpg.create_pool(
        options.database,
        min_size=0,  # asyncpg logs a traceback where it cannot restore a floor
        max_size=MOST_CONNECTIONS,
        timeout=PATIENCE,
        command_timeout=PATIENCE,
        server_settings={"application_name": "zonda blog"},
    ) as pool:
        store = Store(pool)
        made = await store.set_up()
        if made is not None:
            print("The first author is {}, with the password {}".format(*made), flush=True)
        server = HTTPServer(make_app(store))
        server.listen(options.port, address="127.0.0.1")
        print(f"The blog is on http://127.0.0.1:{options.port}/", flush=True)
        await stop.wait()
        server.stop()
        # Requests that are being answered still need the pool.
        await server.drain()
    print("The pool is closed", flush=True)


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    define("database", default="postgresql:///zonda_blog", help="postgresql://USER@HOST:PORT/DATABASE")
    parse_command_line()
    try:
        IOLoop.current().run_sync(serve)
    except (HTTPError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Without the address: a password may be in it.
        sys.exit(f"No blog without its database: {error}\n(demos/blog/README.md tells how to make it)")


if __name__ == "__main__":
    main()
