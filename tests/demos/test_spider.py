"""The spider demo, on a site that the test serves and watches."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Lock, Thread
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "demos" / "spider" / "main.py"


class Site(ThreadingHTTPServer):
    """Pages by path, each an HTML text or (status, Location); what was asked for, and how many at a time."""

    def __init__(self, pages: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = pages
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.lock = Lock()
        self.together = Barrier(3, timeout=10)  # /together/... is answered to three at the same time
        self.ended = Event()  # /never is answered no sooner

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site = self.server
        with site.lock:
            site.asked[self.path] += 1
            site.at_once += 1
            site.most_at_once = max(site.most_at_once, site.at_once)
        try:
            if self.path.startswith("/together/"):
                site.together.wait()
            if self.path == "/never":
                site.ended.wait()
        finally:
            with site.lock:
                site.at_once -= 1
        if self.path != "/never":
            self.answer(site.pages.get(self.path, (404, "")))

    def answer(self, page: Any) -> None:
        status, location = (200, "") if isinstance(page, str) else page
        body = page.encode() if isinstance(page, str) else b""
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if self.path.endswith(".txt") else "text/html")
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(pages: dict[str, Any]) -> Iterator[Site]:
    with Site(pages) as site:
        thread = Thread(target=site.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site
        finally:
            site.ended.set()
            site.shutdown()
            thread.join()


def spider(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), *arguments], capture_output=True, text=True, timeout=30
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def links(*addresses: str) -> str:
    return "".join(f'<p><a class=x href="{address}">there</a>' for address in addresses)


def test_every_page_of_the_site_is_visited_once_and_no_other_site() -> None:
    with serving({"/": links("/")}) as elsewhere:
        pages = {
            "/": links(
                "a.html", "/b/?q=1&amp;r=2", "/#top", "#end", "mailto:a@b.example", "javascript:alert(1)"
            ),
            "/a.html": links("/", "b/", "/a.html", elsewhere.url + "/", "http://[zz]/", ""),
            "/b/": links("../moved", "/notes.txt", "/away"),
            "/b/?q=1&r=2": links(),
            "/moved": (301, "/c"),
            "/away": (302, elsewhere.url + "/"),
            "/notes.txt": links("/not-a-link"),
            "/c": "<a href=/a.html>unquoted <a name=x> <a href='/b/'",
        }
        with serving(pages) as site:
            done = spider(site.url + "/")
            assert site.asked == dict.fromkeys(pages, 1)
        assert not elsewhere.asked
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{site.url}/b/ 200 3 links\n" in done.stdout
    assert re.search(r"^8 addresses, 0 broken, ", done.stdout, re.M)


def test_no_more_are_fetched_at_a_time_than_asked_for() -> None:
    paths = [f"/together/{n}" for n in range(12)]
    with serving({"/": links(*paths), **dict.fromkeys(paths, "")}) as site:
        done = spider("--workers=3", site.url + "/")
        # Three had to come at once for any to be answered; a fourth was never among them.
        assert site.most_at_once == 3
    assert done.returncode == 0 and "13 addresses, 0 broken" in done.stdout


def test_broken_links_are_told_with_the_page_that_has_them() -> None:
    with serving({"/": links("/list"), "/list": links("/gone", "/never", "/fine"), "/fine": ""}) as site:
        done = spider("--patience=0.5", "--longest=10", site.url + "/")
    assert done.returncode == 1 and "5 addresses, 2 broken" in done.stdout
    assert f"{site.url}/gone 404 0 links (from {site.url}/list)\n" in done.stdout
    assert re.search(rf"^{site.url}/never --- Time.* \(from {site.url}/list\)$", done.stdout, re.M)


def test_a_site_without_end_ends() -> None:
    with serving({f"/{n}": links(f"/{n + 1}", f"/{n + 2}") for n in range(100)}) as site:
        done = spider("--pages=7", site.url + "/0")
        assert sum(site.asked.values()) == 7
    assert "7 addresses, 0 broken" in done.stdout


def test_the_whole_has_a_time_too() -> None:
    with serving({"/": links("/never")}) as site:
        done = spider("--longest=0.5", site.url + "/")
    assert (done.returncode, done.stderr) == (1, "Not done in 0.5 s; given up\n")


@pytest.mark.parametrize("arguments", [["ftp://127.0.0.1/"], ["http://127.0.0.1/", "http://127.0.0.1/b"]])
def test_what_is_no_site_is_refused(arguments: list[str]) -> None:
    assert spider(*arguments).stderr.startswith("One address of a site")
