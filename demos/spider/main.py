"""A spider: follows the links of one site, and tells of every address that does not answer well.

main.py [OPTIONS] http://127.0.0.1:8888/     tells of each address its status, and how many links it has
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

from zonda.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse
from zonda.ioloop import IOLoop
from zonda.options import define, options, parse_command_line
from zonda.queues import Queue

LARGEST_BODY = 10 * 1000**2  # bytes


class Links(HTMLParser):
    """The addresses to which a page links, as they are written there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


def origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def links_of(response: HTTPResponse) -> list[str]:
    """The absolute addresses, without fragments, to which a response leads; each once, in order."""
    written: list[str] = []
    if 300 <= response.code < 400 and "Location" in response.headers:
        written = [response.headers["Location"]]
    elif response.code == 200 and response.headers.get("Content-Type", "").startswith("text/html"):
        written = Links(response.body.decode(errors="replace")).found
    absolute: dict[str, None] = {}
    for link in written:
        try:
            absolute[urldefrag(urljoin(response.effective_url, link.strip())).url] = None
        except ValueError:  # http://[zz]/
            continue
    return list(absolute)


@dataclass
class Found:
    url: str
    parent: str  # the page that leads there first


class Spider:
    """Fetches every page of the origin of `start`, at most `pages`, at most `workers` at a time."""

    def __init__(self, start: str, pages: int, workers: int, patience: float) -> None:
        self.start, self.pages, self.workers, self.patience = start, pages, workers, patience
        self.seen: set[str] = set()
        self.broken = 0
        # `seen` never holds more than `pages`, so there is always room: no worker waits for another.
        self.queue: Queue[Found] = Queue(pages)
        self.client = AsyncHTTPClient(
            force_instance=True,
            max_clients=workers,
            max_body_size=LARGEST_BODY,
            defaults={"user_agent": "spider"},
        )

    def add(self, found: Found) -> None:
        if (
            len(self.seen) < self.pages
            and found.url not in self.seen
            and origin(found.url) == origin(self.start)
        ):
            self.seen.add(found.url)
            self.queue.put_nowait(found)

    async def run(self, longest: timedelta) -> None:
        """Returns when all is fetched.  Raises `TimeoutError` when that takes longer than `longest`."""
        self.add(Found(self.start, ""))
        workers = [asyncio.create_task(self.work()) for _ in range(self.workers)]
        try:
            await self.queue.join(timeout=longest)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self.client.close()

    async def work(self) -> None:
        async for found in self.queue:
            try:
                await self.visit(found)
            finally:
                self.queue.task_done()

    async def visit(self, found: Found) -> None:
        try:
            response = await self.client.fetch(
                found.url,
                # Where a redirect leads may be another site, and may be known already.
                follow_redirects=False,
                raise_error=False,
                connect_timeout=self.patience,
                request_timeout=self.patience,
            )
        except (HTTPClientError, OSError, ValueError) as error:
            self.tell(found, f"--- {error}", broken=True)
            return
        links = links_of(response)
        self.tell(found, f"{response.code} {len(links)} links", broken=response.code >= 400)
        for link in links:
            self.add(Found(link, found.url))

    def tell(self, found: Found, what: str, broken: bool) -> None:
        self.broken += broken
        print(f"{found.url} {what}{f' (from {found.parent})' if broken and found.parent else ''}", flush=True)


async def crawl(start: str) -> Spider:
    spider = Spider(start, options.pages, options.workers, options.patience)
    await spider.run(timedelta(seconds=options.longest))
    return spider


def main() -> None:
    define("port", default=8888, type=int, help="without an address: the site on this port of 127.0.0.1")
    define("pages", default=1000, type=int, help="visit at most so many addresses")
    define("workers", default=10, type=int, help="fetch so many at the same time")
    define("patience", default=10.0, type=float, help="seconds that one address may take")
    define("longest", default=600.0, type=float, help="seconds that all of them may take")
    arguments = parse_command_line() or [f"http://127.0.0.1:{options.port}/"]
    if len(arguments) != 1 or origin(arguments[0])[0] not in ("http", "https"):
        sys.exit(f"One address of a site, such as http://127.0.0.1:8888/, and not {' '.join(arguments)}")
    begun = time.monotonic()
    try:
        spider = IOLoop.current().run_sync(lambda: crawl(arguments[0]))
    except TimeoutError:
        sys.exit(f"Not done in {options.longest:g} s; given up")
    except KeyboardInterrupt:
        sys.exit(130)
    print(f"{len(spider.seen)} addresses, {spider.broken} broken, {time.monotonic() - begun:.1f} s")
    sys.exit(1 if spider.broken else 0)


if __name__ == "__main__":
    main()
