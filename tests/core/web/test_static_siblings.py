"""Files compressed beforehand: who gets which, under which head, and which are left alone."""

import gzip
import hashlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.core.web.asking import Answer, Ask, ask, ask_all
from zonda._core.web import static_siblings
from zonda.web import Application, StaticFileHandler

PLAIN = b"let it = 'be long enough to pay';\n" * 100
CHANGED = 1_000_000_000
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"
#: What nobody unpacks here stands for itself.
CODED = {
    "br": b"in br: " + bytes(range(128)),
    "zstd": b"in zstd: " + bytes(range(256)),
    "gzip": gzip.compress(PLAIN, mtime=0),
}
EXTENSIONS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


def put(path: Path, content: bytes, changed: float = CHANGED) -> None:
    path.write_bytes(content)
    os.utime(path, (changed, changed))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    put(root / "a.js", PLAIN)
    for coding, content in CODED.items():
        put(root / f"a.js{EXTENSIONS[coding]}", content)
    put(root / "lonely.txt", PLAIN)
    return root


def site(
    root: Path, handler: type[StaticFileHandler] = StaticFileHandler, settings: Any = None, **arguments: Any
) -> Application:
    arguments = {"path": str(root), "precompressed": True, **arguments}
    return Application([("/(.*)", handler, arguments)], **(settings or {}))


def get(where: Path | Application, accept: str | None, *headers: tuple[str, str], **parts: Any) -> Answer:
    application = site(where) if isinstance(where, Path) else where
    accepting = [("Accept-Encoding", accept)] if accept is not None else []
    return ask(
        application, parts.pop("method", "GET"), parts.pop("uri", "/a.js"), headers=[*accepting, *headers]
    )


def tag(content: bytes, coding: str | None = None) -> str:
    return f'"{hashlib.sha512(content).hexdigest()}{f"-{coding}" if coding else ""}"'


# ---- who gets which


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, *;q=0.1", "zstd"),
        ("*", "br"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity, br;q=0.9", None),
        # There is no third answer: RFC 9110, 12.5.3, asks for none.
        ("identity;q=0", None),
        ("deflate", None),
        ("", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_head_tells_what_is_sent(root, accept, coding, method):
    answer = get(root, accept, method=method)
    content = CODED.get(coding, PLAIN)
    assert (answer.status, answer["Content-Encoding"]) == (200, coding)
    assert answer.body == (content if method == "GET" else b"")
    assert answer["Content-Length"] == str(len(content))
    assert answer.all("Vary") == ["Accept-Encoding"]
    assert answer["Etag"] == tag(content, coding)
    assert answer["Content-Type"] == "text/javascript"
    assert (answer["Accept-Ranges"], answer["Last-Modified"]) == ("bytes", LAST_MODIFIED)


@pytest.mark.parametrize(("there", "coding"), [("gzip", "gzip"), ("zstd", "zstd"), ("", None)])
def test_the_next_best_that_is_there(root, there, coding):
    for other in CODED.keys() - {there}:
        (root / f"a.js{EXTENSIONS[other]}").unlink()
    answer = get(root, "gzip, br, zstd")
    assert (answer["Content-Encoding"], answer.body) == (coding, CODED.get(there, PLAIN))
    assert answer["Vary"] == "Accept-Encoding"


def test_the_default_file_of_a_directory(root):
    put(root / "index.html", PLAIN)
    put(root / "index.html.gz", CODED["gzip"])
    answer = get(site(root, default_filename="index.html"), "gzip", uri="/")
    assert (answer["Content-Type"], answer.body) == ("text/html", CODED["gzip"])


def test_a_compressed_file_that_is_asked_for_is_a_file_like_others(root):
    answer = get(root, "br, gzip", uri="/a.js.gz")
    assert (answer["Content-Type"], answer["Content-Encoding"]) == ("application/gzip", None)
    assert answer.body == CODED["gzip"]


# ---- when it is on


@pytest.mark.parametrize(
    ("argument", "setting", "on"),
    [(None, None, False), (None, True, True), (False, True, False), (True, False, True), (True, None, True)],
)
def test_argument_and_setting(root, argument, setting, on):
    settings = {} if setting is None else {"static_precompressed": setting}
    arguments = {} if argument is None else {"precompressed": argument}
    application = Application([("/(.*)", StaticFileHandler, {"path": str(root), **arguments})], **settings)
    answer = get(application, "br")
    assert (answer["Content-Encoding"], answer["Vary"]) == (("br", "Accept-Encoding") if on else (None, None))
    assert answer.body == (CODED["br"] if on else PLAIN)


def test_the_static_path_of_an_application(root):
    application = Application(static_path=str(root), static_precompressed=True)
    assert get(application, "zstd", uri="/static/a.js").body == CODED["zstd"]


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that siblings were looked for under."""
    names = []
    real = os.lstat

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def lstat(self, path: str) -> os.stat_result:
            names.append(os.path.basename(path))
            return real(path)

    monkeypatch.setattr(static_siblings, "os", Counting())
    return names


@pytest.mark.parametrize(
    ("on", "accept", "uri", "names"),
    [
        (False, "br, gzip", "/a.js", []),
        (True, None, "/a.js", []),
        (True, "identity", "/a.js", []),
        (True, "gzip, br, zstd", "/a.js", ["a.js.br"]),
        (
            True,
            "*, gzip" + ", br" * 1000,
            "/lonely.txt",
            ["lonely.txt.br", "lonely.txt.gz", "lonely.txt.zst"],
        ),
        (True, "br, gzip", "/absent", []),
    ],
)
def test_what_it_costs(root, looked_up, on, accept, uri, names):
    get(site(root, precompressed=on), accept, uri=uri)
    assert sorted(looked_up) == names


# ---- conditions and parts, of the bytes that are sent (RFC 9110, 13 and 14)


def test_each_form_has_a_tag_of_its_own(root):
    answers = [get(root, accept) for accept in ("br", "zstd", "gzip", None)]
    assert len({answer["Etag"] for answer in answers}) == 4


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("If-None-Match", tag(CODED["br"], "br"))], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", tag(PLAIN))], 200),
        ([("If-None-Match", tag(CODED["gzip"], "gzip"))], 200),
        ([("If-Modified-Since", LAST_MODIFIED)], 304),
        ([("If-Modified-Since", "Sun, 09 Sep 2001 01:46:39 GMT")], 200),
        ([("If-None-Match", tag(PLAIN)), ("If-Modified-Since", LAST_MODIFIED)], 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(root, headers, status, method):
    answer = get(root, "br", *headers, method=method)
    assert answer.status == status
    assert (answer["Vary"], answer["Etag"]) == ("Accept-Encoding", tag(CODED["br"], "br"))
    assert answer["Content-Encoding"] == (None if status == 304 else "br")


def test_a_compressed_file_that_is_newer_has_its_own_date(root):
    put(root / "a.js.br", CODED["br"], CHANGED + 100)
    assert get(root, "br")["Last-Modified"] == "Sun, 09 Sep 2001 01:48:20 GMT"
    assert get(root, "br", ("If-Modified-Since", LAST_MODIFIED)).status == 200
    assert get(root, None, ("If-Modified-Since", LAST_MODIFIED)).status == 304


def test_a_compressed_file_that_is_made_anew_has_a_new_tag(root):
    before = get(root, "gzip")["Etag"]
    put(root / "a.js.gz", gzip.compress(PLAIN, 1, mtime=0))
    after = get(root, "gzip")
    assert after["Etag"] not in (before, None)
    assert gzip.decompress(after.body) == PLAIN


@pytest.mark.parametrize(("wanted", "start", "end"), [("3-9", 3, 10), ("5-", 5, 265), ("-4", 261, 265)])
def test_parts(root, wanted, start, end):
    answer = get(root, "zstd", ("Range", f"bytes={wanted}"))
    assert (answer.status, answer["Content-Encoding"]) == (206, "zstd")
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/265"
    assert answer.body == CODED["zstd"][start:end]
    assert answer["Content-Length"] == str(end - start)


def test_a_part_that_is_not_there(root):
    answer = get(root, "zstd", ("Range", "bytes=265-"))
    assert (answer.status, answer["Content-Range"]) == (416, "bytes */265")
    assert (answer["Content-Encoding"], answer["Vary"], answer.body) == (None, "Accept-Encoding", b"")


@pytest.mark.parametrize(
    ("condition", "status"), [(tag(CODED["zstd"], "zstd"), 206), (tag(PLAIN), 200), (tag(CODED["zstd"]), 200)]
)
def test_a_part_of_the_same_form_alone(root, condition, status):
    answer = get(root, "zstd", ("Range", "bytes=0-0"), ("If-Range", condition))
    assert (answer.status, answer.body) == (status, CODED["zstd"][: 1 if status == 206 else None])


def test_a_large_one_is_sent_whole(root):
    content = os.urandom(1_000_000)
    put(root / "a.js.br", content)
    assert get(root, "br").body == content
    assert get(root, "br", ("Range", "bytes=100-900000")).body == content[100:900_001]


# ---- which are left alone


def _older(root: Path, path: Path) -> None:
    os.utime(path, ns=(0, CHANGED * 10**9 - 1))


def _link_inside(root: Path, path: Path) -> None:
    path.rename(root / "elsewhere")
    path.symlink_to(root / "elsewhere")
    put(root / "elsewhere", CODED["br"], CHANGED + 1)


def _link_outside(root: Path, path: Path) -> None:
    path.rename(root.parent / "secret")
    path.symlink_to(root.parent / "secret")


def _link_to_nothing(root: Path, path: Path) -> None:
    path.unlink()
    path.symlink_to(root / "nothing")


def _link_to_itself(root: Path, path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _directory(root: Path, path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(root: Path, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "happens",
    [_older, _link_inside, _link_outside, _link_to_nothing, _link_to_itself, _directory, _fifo],
)
def test_what_is_no_compressed_form_of_the_file(root, happens):
    happens(root, root / "a.js.br")
    answer = get(root, "br")
    assert (answer.status, answer["Content-Encoding"], answer.body) == (200, None, PLAIN)
    assert get(root, "br, gzip").body == CODED["gzip"]


def test_one_that_may_not_be_read(root, monkeypatch):
    monkeypatch.setattr(static_siblings, "is_readable", lambda path: not path.endswith(".br"))
    assert get(root, "br, gzip").body == CODED["gzip"]


def test_one_whose_file_is_not_there(root):
    (root / "a.js").unlink()
    assert get(root, "br").status == 404


def test_no_file_lets_another_out_of_the_root(root, expect_log):
    put(root.parent / "secret.js.br", CODED["br"])
    put(root.parent / "secret.js", PLAIN)
    (root / "led.js").symlink_to(root.parent / "secret.js")
    expect_log("zonda.general", "not in root static directory")
    for uri in ("/led.js", "/../secret.js", "/%2e%2e/secret.js"):
        assert get(root, "br", uri=uri).status == 403


def test_beside_where_the_file_lies_not_beside_its_link(root):
    with tempfile.TemporaryDirectory() as allowed:
        real = Path(allowed, "v7.js")
        put(real, PLAIN)
        (root / "v.js").symlink_to(real)
        put(root / "v.js.br", b"of another version")
        application = site(root, allowed_symlink_directory=[str(root), allowed])
        assert get(application, "br", uri="/v.js").body == PLAIN
        put(Path(allowed, "v7.js.br"), CODED["br"])
        assert get(application, "br", uri="/v.js").body == CODED["br"]


# ---- beside what applications make of it


class Shouts(StaticFileHandler):
    @classmethod
    def get_content(cls, abspath: str, start: Any = None, end: Any = None) -> Generator[bytes, None, None]:
        for piece in super().get_content(abspath, start, end):
            yield piece.upper()


class Counts(StaticFileHandler):
    def get_content_size(self) -> int:
        return super().get_content_size()


@pytest.mark.parametrize("handler", [Shouts, Counts])
def test_content_of_its_own(root, handler):
    answer = get(site(root, handler), "br")
    assert (answer["Content-Encoding"], answer["Vary"]) == (None, None)
    assert answer.body.upper() == PLAIN.upper()


class Manifest(StaticFileHandler):
    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        return {"a.js": "7"}[os.path.basename(abspath)]


class Tagged(StaticFileHandler):
    def compute_etag(self) -> str:
        return '"7"'


class Weak(StaticFileHandler):
    def compute_etag(self) -> str:
        return 'W/"7"'


class Untagged(StaticFileHandler):
    def compute_etag(self) -> None:
        return None


@pytest.mark.parametrize(
    ("handler", "coded", "plain"),
    [
        (Manifest, tag(CODED["br"], "br"), '"7"'),
        (Tagged, '"7-br"', '"7"'),
        (Weak, 'W/"7-br"', 'W/"7"'),
        (Untagged, None, None),
    ],
)
def test_tags_of_its_own(root, handler, coded, plain):
    application = site(root, handler)
    assert [get(application, accept)["Etag"] for accept in ("br", None)] == [coded, plain]


class Extra(StaticFileHandler):
    def set_extra_headers(self, path: str) -> None:
        assert self.absolute_path is not None and self.absolute_path.endswith(path)
        self.set_header("Vary", "Cookie")
        self.set_header("Content-Encoding", "aes128gcm")

    def get_content_type(self) -> str:
        assert self.absolute_path is not None
        return "text/x-" + self.absolute_path.rpartition(".")[2]


def test_headers_of_its_own(root):
    answer = get(site(root, Extra), "br")
    assert (answer["Vary"], answer["Content-Type"]) == ("Cookie, Accept-Encoding", "text/x-js")
    # In the order in which they were applied (RFC 9110, 8.4).
    assert answer["Content-Encoding"] == "aes128gcm, br"


class Bare(StaticFileHandler):
    precompressed = True

    def initialize(self, where: str) -> None:  # type: ignore[override]
        self.root = where


def test_arguments_of_its_own(root):
    application = Application([("/(.*)", Bare, {"where": str(root)})])
    assert get(application, "gzip").body == CODED["gzip"]


def test_nothing_is_compressed_twice(root):
    application = site(root, settings={"compress_response": True})
    asks = [Ask(uri=uri, headers=[("Accept-Encoding", "gzip")]) for uri in ("/a.js", "/lonely.txt")]
    beforehand, at_once = ask_all(application, *asks)
    assert (beforehand.body, beforehand["Etag"]) == (CODED["gzip"], tag(CODED["gzip"], "gzip"))
    assert gzip.decompress(at_once.body if at_once["Content-Length"] else _unchunked(at_once.body)) == PLAIN
    for answer in (beforehand, at_once):
        assert answer.all("Content-Encoding") == ["gzip"]
        assert answer.all("Vary") == ["Accept-Encoding"]


def _unchunked(rest: bytes) -> bytes:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body
