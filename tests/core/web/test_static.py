"""Static files over a socket: conditions, parts, and files that are large, slow or changing."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.core.web.asking import Answer, Ask, ask, ask_all
from zonda._core.web.static import StaticFileHandler
from zonda.httpserver import HTTPServer
from zonda.web import Application, RequestHandler

CONTENT = b"0123456789"
TAG = f'"{hashlib.sha512(CONTENT).hexdigest()}"'
#: 2001-09-09, and some of a second that no header can say.
CHANGED = 1_000_000_000.75
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"
EARLIER = "Sun, 09 Sep 2001 01:46:39 GMT"
LATER = "Sun, 09 Sep 2001 01:46:41 GMT"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    (tmp_path / "empty.txt").write_bytes(b"")
    for file in tmp_path.iterdir():
        os.utime(file, (CHANGED, CHANGED))
    return tmp_path


def site(root: Path, handler: type[StaticFileHandler] = StaticFileHandler, **arguments: Any) -> Application:
    return Application([("/(.*)", handler, {"path": str(root), **arguments})])


def get(root: Path, *headers: tuple[str, str], uri: str = "/a.txt", method: str = "GET") -> Answer:
    return ask(site(root), method, uri, headers=headers)


# ---- conditions (RFC 9110, section 13)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("If-None-Match", TAG)], 304),
        ([("If-None-Match", "W/" + TAG)], 304),
        ([("If-None-Match", f'"x", {TAG}')], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", '"x"')], 200),
        ([("If-None-Match", "")], 200),
        ([("If-Modified-Since", LAST_MODIFIED)], 304),
        ([("If-Modified-Since", LATER)], 304),
        ([("If-Modified-Since", EARLIER)], 200),
        ([("If-Modified-Since", "Sunday, 09-Sep-01 01:46:40 GMT")], 304),
        ([("If-Modified-Since", "Sun Sep  9 01:46:40 2001")], 304),
        ([("If-Modified-Since", "9" * 1000)], 200),
        ([("If-Modified-Since", "")], 200),
        # 13.2.2: If-None-Match is asked first, and then nobody else.
        ([("If-None-Match", '"x"'), ("If-Modified-Since", LATER)], 200),
        ([("If-None-Match", TAG), ("If-Modified-Since", EARLIER)], 304),
        ([("If-None-Match", TAG), ("Range", "bytes=99-")], 304),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(root, headers, status, method):
    answer = get(root, *headers, method=method)
    assert answer.status == status
    assert (answer["Etag"], answer["Last-Modified"]) == (TAG, LAST_MODIFIED)
    assert answer["Content-Length"] == (None if status == 304 else "10")
    assert answer.body == (CONTENT if (status, method) == (200, "GET") else b"")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (TAG, 206),
        (LAST_MODIFIED, 206),
        ('"x"', 200),
        ("W/" + TAG, 200),
        (f"{TAG}, {TAG}", 200),
        (EARLIER, 200),
        (LATER, 200),
        ("nonsense", 200),
        ("", 200),
    ],
)
def test_if_range_lets_only_the_same_state_be_continued(root, condition, status):
    answer = get(root, ("Range", "bytes=4-"), ("If-Range", condition))
    assert (answer.status, answer.body) == ((206, CONTENT[4:]) if status == 206 else (200, CONTENT))
    assert answer["Content-Range"] == ("bytes 4-9/10" if status == 206 else None)


def test_a_part_that_is_not_there_is_no_error_for_who_has_another_state(root):
    assert get(root, ("Range", "bytes=99-"), ("If-Range", '"x"')).status == 200


# ---- parts (RFC 9110, section 14)


@pytest.mark.parametrize(
    ("field", "status", "body"),
    [
        ("bytes=3-3", 206, b"3"),
        ("bytes=0-8", 206, CONTENT[:9]),
        ("bytes=0-9", 200, CONTENT),
        ("bytes=-1", 206, b"9"),
        ("bytes=10-", 416, b""),
        ("bytes=5-4", 416, b""),
        ("bytes=9999999999999999999-", 416, b""),
        ("bytes=0-9999999999999999999", 200, CONTENT),
        ("bytes=1-" + "9" * 5000, 206, CONTENT[1:]),
        ("bytes=" + "9" * 5000 + "-", 416, b""),
        ("bytes=-" + "9" * 5000, 200, CONTENT),
        ("bytes=0-0,1-1", 200, CONTENT),
        ("bytes=" + ",".join(["0-"] * 5000), 200, CONTENT),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(5000)), 200, CONTENT),
        ("bytes=1-2-3", 200, CONTENT),
        ("bytes=+1-2", 200, CONTENT),
        ("bytes=0x1-2", 200, CONTENT),
        ("bytes=1_0-", 200, CONTENT),
        ("bytes=--1", 200, CONTENT),
        ("lines=1-2", 200, CONTENT),
    ],
)
def test_parts(root, field, status, body):
    answer = get(root, ("Range", field))
    assert (answer.status, answer.body, answer["Content-Length"]) == (status, body, str(len(body)))
    assert (answer["Content-Range"] is None) == (status == 200)


def test_several_range_fields_are_none(root):
    assert get(root, ("Range", "bytes=1-2"), ("Range", "bytes=4-5")).status == 200


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_an_empty_file_has_no_parts(root, field):
    answer = get(root, ("Range", field), uri="/empty.txt")
    assert (answer.status, answer["Content-Range"], answer.body) == (416, "bytes */0", b"")


def test_an_empty_file_is_an_answer(root):
    answer = get(root, uri="/empty.txt")
    assert (answer.status, answer["Content-Length"], answer.body) == (200, "0", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_files_are_only_read(root, method):
    assert get(root, method=method).status == 405
    assert (root / "a.txt").read_bytes() == CONTENT


# ---- what subclasses change


def test_a_subclass_decides_what_is_not_modified(root):
    class Always(StaticFileHandler):
        def should_return_304(self):
            return False

    assert ask(site(root, Always), uri="/a.txt", headers=[("If-None-Match", TAG)]).body == CONTENT


def test_headers_of_a_subclass_are_added_and_may_replace_ours(root):
    class Own(StaticFileHandler):
        def set_extra_headers(self, path):
            self.set_header("X-Path", path)
            self.set_header("Content-Type", "text/x-own")

        def get_cache_time(self, path, modified, mime_type):
            assert (path, mime_type) == ("a.txt", "text/plain")
            assert modified is not None
            return 60

    answer = ask(site(root, Own), uri="/a.txt")
    assert (answer["X-Path"], answer["Content-Type"]) == ("a.txt", "text/x-own")
    assert answer["Cache-Control"] == "max-age=60"
    assert answer["Expires"] is not None


def test_content_may_come_from_anywhere_in_pieces(root):
    class Virtual(StaticFileHandler):
        @classmethod
        def get_absolute_path(cls, root, path):
            return "virtual:" + path

        def validate_absolute_path(self, root, absolute_path):
            return absolute_path

        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            return [abspath.encode()[start:end]] * 2

        def get_content_size(self):
            return 2 * len("virtual:x")

        def get_modified_time(self):
            return None

    answer = ask(site(root, Virtual), uri="/x")
    assert (answer.status, answer.body, answer["Last-Modified"]) == (200, b"virtual:x" * 2, None)
    assert answer["Etag"] == f'"{hashlib.sha512(b"virtual:x" * 2).hexdigest()}"'


def test_the_headers_of_a_file_go_when_reading_it_fails(root, expect_log):
    expect_log("zonda.application", "Uncaught exception GET /a.txt")

    class Broken(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath):
            return "1"

        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            raise OSError("the disk is broken")

    answer = ask(site(root, Broken), uri="/a.txt")
    assert (answer.status, answer["Content-Type"]) == (500, "text/html; charset=UTF-8")
    assert [answer[name] for name in ("Etag", "Last-Modified", "Accept-Ranges")] == [None] * 3


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html"),
        ("a.css", "text/css"),
        ("a.js", "text/javascript"),
        ("a.svg", "image/svg+xml"),
        ("a.json", "application/json"),
        ("a.tar.gz", "application/gzip"),
        ("a.svgz", "application/gzip"),
        ("a.bz2", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.html.unknown", "application/octet-stream"),
        (".html", "application/octet-stream"),
    ],
)
def test_the_media_type_is_that_of_the_name(root, name, content_type):
    (root / name).write_bytes(b"<html>")
    assert get(root, uri="/" + name)["Content-Type"] == content_type


# ---- files that change


def test_a_changed_file_is_another_state_at_once(root):
    app = site(root)
    before = ask(app, uri="/a.txt")
    (root / "a.txt").write_bytes(CONTENT[::-1])
    os.utime(root / "a.txt", (CHANGED, CHANGED))  # the same size, and the same time to the client
    after = ask(app, uri="/a.txt", headers=[("If-None-Match", str(before["Etag"]))])
    assert (after.status, after.body) == (200, CONTENT[::-1])
    assert after["Etag"] != before["Etag"]


def changing(content: bytes) -> type[StaticFileHandler]:
    class Changing(StaticFileHandler):
        """Its file changes between its size being told and its being read."""

        def set_extra_headers(self, path):
            assert self.absolute_path is not None
            Path(self.absolute_path).write_bytes(content)

    return Changing


def test_of_a_file_that_grows_goes_out_what_was_announced(root):
    answer = ask(site(root, changing(CONTENT * 20_000)), uri="/a.txt")
    assert (answer.status, answer["Content-Length"], answer.body) == (200, "10", CONTENT)


def test_content_is_closed_when_the_rest_of_it_is_not_wanted(root):
    contents = []

    class Long(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath):
            return "1"

        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            contents.append(super().get_content(abspath))
            return contents[-1]

        def get_content_size(self):
            return 4

    assert ask(site(root, Long), uri="/a.txt").body == CONTENT[:4]
    assert [content.gi_frame for content in contents] == [None]


def test_of_a_file_that_shrinks_the_client_can_tell(root, expect_log):
    log = expect_log("zonda.application", "Uncaught exception GET /a.txt")
    expect_log("zonda.general", "after headers written|partial response", required=False)
    answer = ask(site(root, changing(CONTENT[:4])), uri="/a.txt")
    assert (answer["Content-Length"], answer.body) == ("10", CONTENT[:4])  # and the connection's end
    assert "6 bytes less than Content-Length" in str(log.records[0].exc_info[1])


# ---- files that are large, clients that are slow


class Pieces(StaticFileHandler):
    """Counts what it reads, and tells when it stops."""

    read = 0
    stopped: asyncio.Event

    @classmethod
    def get_content_version(cls, abspath):
        return "1"

    @classmethod
    def get_content(cls, abspath, start=None, end=None):
        return cls._counted(super().get_content(abspath, start, end))

    @classmethod
    def _counted(cls, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for piece in pieces:
                Pieces.read += len(piece)
                yield piece
        finally:
            Pieces.stopped.set()


@asynccontextmanager
async def served(application: Application) -> AsyncIterator[int]:
    application.settings["log_function"] = lambda handler: None
    server = HTTPServer(application)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server.add_socket(listener)
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    Pieces.read = 0
    Pieces.stopped = asyncio.Event()
    block = bytes(range(256)) * 256
    with (tmp_path / "large").open("wb") as file:
        for _ in range(1024):
            file.write(block)
    return tmp_path


def test_a_slow_reader_holds_the_file_back_and_not_the_others(large):
    size = (large / "large").stat().st_size

    async def run() -> None:
        async with served(site(large, Pieces)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
            writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            # The client reads no further; what is read of the file settles.
            for _ in range(1000):
                await asyncio.sleep(0)
            assert Pieces.read < size / 3
            other, other_writer = await asyncio.open_connection("127.0.0.1", port)
            other_writer.write(b"HEAD /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert (await other.read()).startswith(b"HTTP/1.1 200 ")
            digest = hashlib.sha1()
            left = size
            while left:
                piece = await reader.read(1 << 20)
                left -= len(piece)
                digest.update(piece)
            with (large / "large").open("rb") as file:
                assert digest.digest() == hashlib.file_digest(file, "sha1").digest()
            assert Pieces.stopped.is_set()
            for closing in (writer, other_writer):
                closing.close()
                await closing.wait_closed()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_client_that_goes_away_lets_the_file_go(large):
    async def run() -> None:
        async with served(site(large, Pieces)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await Pieces.stopped.wait()
            assert Pieces.read < (large / "large").stat().st_size

    asyncio.run(asyncio.wait_for(run(), 30))


def test_parts_of_a_large_file_read_nothing_else(large):
    async def run() -> None:
        async with served(site(large, Pieces)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                b"Range: bytes=66000000-66000255\r\n\r\n"
            )
            _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            start = 66_000_000 % 256
            assert body == (bytes(range(256)) * 2)[start : start + 256]
            writer.close()
            await writer.wait_closed()

    asyncio.run(asyncio.wait_for(run(), 30))
    assert Pieces.read == 256


def test_others_get_their_turn_while_a_client_takes_all_at_once(root):
    turns = 0

    class Many(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath):
            return "1"

        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            return (b"x" for _ in range(320))

        def get_content_size(self):
            nonlocal turns
            turns = 0
            return 320

        def on_finish(self):
            seen.append(turns)

    seen: list[int] = []

    class Turns(RequestHandler):
        async def get(self):
            nonlocal turns
            while not seen:
                turns += 1
                await asyncio.sleep(0)

    async def run() -> None:
        app = Application([("/turns", Turns), ("/(.*)", Many, {"path": str(root)})])
        async with served(app) as port:
            both = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            for (_, writer), target in zip(both, (b"/turns", b"/a.txt"), strict=True):
                writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            for reader, writer in both:
                await reader.read()
                writer.close()
                await writer.wait_closed()

    asyncio.run(asyncio.wait_for(run(), 30))
    assert seen[0] >= 15


def test_a_connection_serves_one_file_after_the_other(root):
    async def run() -> bytes:
        async with served(site(root)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n%s\r\n"
            writer.write(
                request % b"" + request % b"Range: bytes=2-3\r\n" + request % b"Connection: close\r\n"
            )
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    answers = asyncio.run(asyncio.wait_for(run(), 30)).split(b"HTTP/1.1 ")[1:]
    assert [(answer[:3], answer.rpartition(b"\r\n")[2]) for answer in answers] == [
        (b"200", CONTENT),
        (b"206", b"23"),
        (b"200", CONTENT),
    ]


def test_head_tells_what_get_tells(root):
    answers = ask_all(site(root), Ask("HEAD", "/a.txt"), Ask("GET", "/a.txt"))
    assert answers[0].headers == answers[1].headers
