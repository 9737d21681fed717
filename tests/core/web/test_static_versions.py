"""Versions of static files: right, remembered, bounded, and never of anything outside of the root."""

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.core.web.asking import ask
from zonda._core.web.errors import HTTPError
from zonda._core.web.static import StaticFileHandler
from zonda._core.web.static_versions import CachedVersion, cached_version
from zonda.web import Application, RequestHandler


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    StaticFileHandler.reset()
    www = tmp_path / "www"
    www.mkdir()
    (www / "a.txt").write_bytes(b"a")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    yield www
    StaticFileHandler.reset()


def sha512(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


def version(
    root: Path, path: str, handler: type[StaticFileHandler] = StaticFileHandler, **more: Any
) -> str | None:
    return handler.get_version({"static_path": str(root), **more}, path)


def test_a_version_lasts_as_long_as_the_file(root):
    assert version(root, "a.txt") == sha512(b"a")
    found = (root / "a.txt").stat()
    (root / "a.txt").write_bytes(b"b")
    os.utime(root / "a.txt", ns=(found.st_atime_ns, found.st_mtime_ns))
    assert version(root, "a.txt") == sha512(b"b")
    (root / "a.txt").unlink()
    (root / "b").write_bytes(b"c")
    (root / "b").rename(root / "a.txt")
    assert version(root, "a.txt") == sha512(b"c")


def test_a_file_that_comes_later_gets_its_version_then(root, expect_log):
    log = expect_log("zonda.general", "Could not open static file '.*late.txt': HTTP 404: Not Found")
    assert version(root, "late.txt") is None
    assert version(root, "late.txt") is None
    (root / "late.txt").write_bytes(b"late")
    assert version(root, "late.txt") == sha512(b"late")
    assert len(log.records) == 1


def test_unchanged_files_are_not_read_again(root):
    reads = []

    class Counting(StaticFileHandler):
        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            reads.append(abspath)
            return super().get_content(abspath, start, end)

    for _ in range(3):
        version(root, "a.txt", Counting)
    assert reads == [str(root / "a.txt")]
    Counting.reset()
    version(root, "a.txt", Counting)
    assert len(reads) == 2


def test_large_files_are_not_read_in_vain(root, expect_log, monkeypatch):
    expect_log("zonda.general", r"content is larger than MAX_VERSION_CONTENT_SIZE \(67108864 bytes\)")
    with (root / "large").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    monkeypatch.setattr("zonda._core.web.static.read_file", None)
    assert version(root, "large") is None


def test_content_without_end_gets_no_version(root, expect_log):
    expect_log("zonda.general", "larger than MAX_VERSION_CONTENT_SIZE")
    pieces = 0

    class Endless(StaticFileHandler):
        MAX_VERSION_CONTENT_SIZE = 1000

        @classmethod
        def get_content(cls, abspath, start=None, end=None):
            nonlocal pieces
            while True:
                pieces += 1
                yield bytes(100)

    assert version(root, "a.txt", Endless) is None
    assert pieces == 11


@pytest.mark.parametrize("path", ["../secret.txt", "..", "/etc/passwd", "x/../../secret.txt"])
def test_a_path_out_of_the_root_is_refused(root, path):
    with pytest.raises(HTTPError) as caught:
        version(root, path)
    assert caught.value.status_code == 403


@pytest.mark.parametrize("known", [False, True])
def test_nothing_outside_of_the_root_is_read_through_a_link(root, known, expect_log):
    expect_log("zonda.general", "Could not open static file .* is not in root static directory")
    link = root / "link"
    if known:
        link.symlink_to("a.txt")
        assert version(root, "link") == sha512(b"a")
        link.unlink()
    link.symlink_to(root.parent / "secret.txt")
    assert version(root, "link") is None


def test_links_may_lead_where_the_handler_lets_them(root):
    (root / "link").symlink_to(root.parent / "secret.txt")
    allowed = {"allowed_symlink_directory": str(root.parent)}
    assert version(root, "link", static_handler_args=allowed) == sha512(b"secret")

    class Wide(StaticFileHandler):
        allowed_symlink_directory = [str(root), str(root.parent)]  # noqa: RUF012 - as users write it

    assert version(root, "link", Wide) == sha512(b"secret")


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "", "a.txt/b"])
def test_what_cannot_be_there_has_no_version(root, path, expect_log):
    log = expect_log("zonda.general", "Could not open static file")
    assert version(root, path) is None
    assert log.records[0].exc_info is None


def test_a_fifo_does_not_block(root, expect_log):
    expect_log("zonda.general", "is not a file")
    os.mkfifo(root / "fifo")
    assert version(root, "fifo") is None


def test_subclasses_have_versions_of_their_own(root):
    class Own(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath):
            return "own"

    assert (version(root, "a.txt", Own), version(root, "a.txt")) == ("own", sha512(b"a"))
    StaticFileHandler.reset()
    assert not Own._static_hashes
    assert version(root, "a.txt", Own) == "own"


def test_whatever_a_subclass_raises_is_told_and_is_no_version(root, expect_log):
    expect_log("zonda.general", "Could not open static file '.*a.txt': 'no such key'")

    class Own(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath):
            raise KeyError("no such key")

    assert version(root, "a.txt", Own) is None


def test_the_memory_of_versions_is_bounded_and_forgets_the_least_used():
    cache: dict[str, CachedVersion] = {}
    computed: list[str] = []

    def ask_for(path: str) -> None:
        cached_version(cache, threading.Lock(), 100, path, lambda path: computed.append(path) or path)

    for number in range(1000):
        ask_for("\0often")
        ask_for(f"\0{number}")
        assert len(cache) <= 100
    assert computed.count("\0often") == 1


def test_threads_may_ask_at_once(root):
    names = [f"{number}.txt" for number in range(50)]
    for name in names:
        (root / name).write_text(name)

    class Few(StaticFileHandler):
        MAX_CACHED_VERSIONS = 20

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda name: version(root, name, Few), names * 20))
    assert found == [sha512(name.encode()) for name in names] * 20
    assert len(Few._static_hashes) <= 20


def test_urls(root, expect_log):
    expect_log("zonda.general", "Could not open static file")

    def url(path: str, **settings: Any) -> str:
        return StaticFileHandler.make_static_url({"static_path": str(root), **settings}, path)

    assert url("a.txt") == f"/static/a.txt?v={sha512(b'a')}"
    assert url("a.txt", static_url_prefix="https://cdn.example/s/").startswith(
        "https://cdn.example/s/a.txt?v="
    )
    assert url("none.txt") == "/static/none.txt"
    assert StaticFileHandler.make_static_url({}, "a.txt", include_version=False) == "/static/a.txt"


def test_static_url_leads_to_the_file_and_lets_it_be_kept(root):
    class Url(RequestHandler):
        def get(self):
            self.write(self.static_url("a.txt"))

    app = Application([("/url", Url)], static_path=str(root), static_url_prefix="/files/")
    url = ask(app, uri="/url").body.decode()
    answer = ask(app, uri=url)
    assert (answer.body, answer["Cache-Control"]) == (b"a", "max-age=315360000")
    assert ask(app, uri="/files/a.txt")["Cache-Control"] is None
