"""What a static handler never serves: anything outside of its root, anything that is no file."""

import errno
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.web.asking import HOST, Answer, Ask, ask, ask_all
from zonda._core.web.errors import HTTPError
from zonda._core.web.static import StaticFileHandler
from zonda._core.web.static_paths import is_inside, is_windows_alias, read_file
from zonda.web import Application

SECRET = b"the secret"
#: What a refusal says in the log, and nothing else is ever said there.
REFUSALS = (
    r"403 GET .* (is not in root static directory|is not a file|is not readable|cannot redirect path .*)$"
)


def make_site(top: Path) -> Path:
    """`top`/www is the root; whatever lies outside of it is SECRET."""
    www = top / "www"
    (www / "dir" / "sub").mkdir(parents=True)
    (www / "a.txt").write_bytes(b"public")
    (www / "dir" / "index.html").write_bytes(b"the index")
    for outside in (top / "secret.txt", top / "www2" / "a.txt", top / "outside" / "index.html"):
        outside.parent.mkdir(exist_ok=True)
        outside.write_bytes(SECRET)
    return www


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def www(tmp_path: Path) -> Path:
    return make_site(tmp_path)


def application(root: Path | str, pattern: str = "/static/(.*)", **arguments: object) -> Application:
    return Application([(pattern, StaticFileHandler, {"path": str(root), **arguments})])


def get(root: Path | str, uri: str, **arguments: object) -> Answer:
    return ask(application(root, **arguments), uri=uri)


TRAVERSALS = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    ".%2e/secret.txt",
    "dir/../../secret.txt",
    "dir/%2e%2e/%2e%2e/secret.txt",
    "nowhere/../../secret.txt",
    "a.txt/../../secret.txt",
    "./../secret.txt",
    "..//secret.txt",
    "..;/secret.txt",
    "....//secret.txt",
    "..%252fsecret.txt",
    "%252e%252e/secret.txt",
    "%c0%ae%c0%ae/secret.txt",
    "%e0%80%ae%e0%80%ae/secret.txt",
    "..%c0%afsecret.txt",
    "%uff0e%uff0e/secret.txt",
    "%EF%BC%8E%EF%BC%8E/secret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "../www2/a.txt",
    "/secret.txt",
    "%2fetc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "file:///etc/passwd",
    "~root/.profile",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_way_out_of_the_root(site, path, expect_log):
    expect_log("zonda.general", REFUSALS, required=False)
    expect_log("zonda.general", "400 GET .* Invalid unicode", required=False)
    answer = get(site, "/static/" + path)
    assert answer.status in (400, 403, 404)
    assert SECRET not in answer.body and b"root:" not in answer.body


@pytest.mark.parametrize(
    "path", ["../secret.txt", "dir/%2e%2e/..%2fsecret.txt", "../www2/a.txt", "/etc/passwd"]
)
def test_a_way_out_is_refused_and_told_in_one_line(site, path, expect_log):
    log = expect_log("zonda.general", REFUSALS)
    assert get(site, "/static/" + path).status == 403
    assert len(log.records) == 1
    assert log.records[0].exc_info is None


def test_the_absolute_path_of_the_file_leads_there_only_from_inside(site, expect_log):
    expect_log("zonda.general", REFUSALS)
    assert get(site, f"/static/{site}/a.txt").body == b"public"
    assert get(site, f"/static/{site}2/a.txt").status == 403


hostile = st.lists(
    st.sampled_from(
        [
            "..",
            ".",
            "/",
            "/",
            "//",
            "\\",
            "%2e",
            "%2f",
            "%5c",
            "%252e",
            "%00",
            "%0a",
            "%c0%ae",
            "~",
            ":",
            "%20",
            *(
                "www",
                "www2",
                "dir",
                "a.txt",
                "secret.txt",
                "outside",
                "index.html",
                "linked",
                "*",
                "?",
                ";",
                "é",
            ),
        ]
    ),
    max_size=10,
).map(lambda pieces: "/static/" + "".join(pieces))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(hostile, min_size=5, max_size=10))
def test_whatever_is_asked_for_the_secret_stays(site, expect_log, uris):
    expect_log("zonda.general", "4(00|03) GET", required=False)
    app = application(site, default_filename="index.html")
    for answer in ask_all(app, *(Ask(uri=quote(uri, safe="/%\\~:?*;.")) for uri in uris)):
        assert SECRET not in answer.body
        assert answer.status in (200, 301, 400, 403, 404)
        location = answer["Location"]
        if location is not None:
            assert urlsplit(urljoin(f"http://{HOST}/", location.replace("\\", "/"))).netloc == HOST


@pytest.mark.parametrize("root", ["www", "www/", "./www", "www2/../www", "linked-root"])
def test_the_spelling_of_the_root_does_not_matter(www, root, monkeypatch, expect_log):
    expect_log("zonda.general", REFUSALS)
    monkeypatch.chdir(www.parent)
    os.symlink("www", "linked-root")
    answers = ask_all(application(root), Ask(uri="/static/a.txt"), Ask(uri="/static/../www2/a.txt"))
    assert [answer.status for answer in answers] == [200, 403]


@pytest.mark.parametrize(
    ("path", "directory", "inside"),
    [
        ("/var/www/a", "/var/www", True),
        ("/var/www", "/var/www", True),
        ("/var/www/a", "/var/www/", True),
        ("/var/www2", "/var/www", False),
        ("/var/www2/a", "/var/www", False),
        ("/var", "/var/www", False),
        ("/anything", "/", True),
    ],
)
def test_is_inside(path, directory, inside):
    assert is_inside(path, directory) is inside


# ---- symbolic links


@pytest.fixture
def linked(www: Path) -> Path:
    outside = www.parent / "outside"
    (www / "file").symlink_to(outside / "index.html")
    (www / "linked").symlink_to(outside)
    (www / "gone").symlink_to(outside / "gone")
    (www / "chain").symlink_to(www / "file")
    (www / "relative").symlink_to("../outside/index.html")
    (www / "loop").symlink_to("loop")
    (www / "within").symlink_to("a.txt")
    (www / "dir" / "sub" / "index.html").symlink_to(outside / "index.html")
    return www


@pytest.mark.parametrize(
    "path",
    ["file", "linked/index.html", "linked", "linked/", "gone", "gone/x", "chain", "relative", "dir/sub/"],
)
def test_links_out_of_the_root_are_refused_whether_they_lead_anywhere_or_not(linked, path, expect_log):
    expect_log("zonda.general", REFUSALS)
    assert get(linked, "/static/" + path, default_filename="index.html").status == 403


def test_links_within_the_root_are_followed_and_loops_end(linked):
    app = application(linked)
    within, loop = ask_all(app, Ask(uri="/static/within"), Ask(uri="/static/loop"))
    assert (within.status, within.body, within["Content-Type"]) == (200, b"public", "text/plain")
    assert loop.status == 404


def test_an_allowed_directory_is_one_with_its_separator(linked, expect_log):
    expect_log("zonda.general", REFUSALS)
    top = linked.parent
    allowed = [str(linked), str(top / "out")]
    assert get(linked, "/static/file", allowed_symlink_directory=allowed).status == 403
    assert get(linked, "/static/file", allowed_symlink_directory=str(top / "out")).status == 403
    assert get(linked, "/static/file", allowed_symlink_directory=str(top / "outside")).body == SECRET


def test_allowed_directories_are_for_links_and_not_for_paths(www, expect_log):
    expect_log("zonda.general", REFUSALS)
    outside = www.parent / "outside"

    class Anywhere(StaticFileHandler):
        @classmethod
        def get_absolute_path(cls, root, path):
            return str(outside / path)

    arguments = {"path": str(www), "allowed_symlink_directory": str(www.parent)}
    assert ask(Application([("/(.*)", Anywhere, arguments)]), uri="/index.html").status == 403


def test_what_was_checked_is_what_is_served(linked, monkeypatch):
    # The link is turned outwards behind the check.
    within = linked / "within"

    class Slow(StaticFileHandler):
        def set_extra_headers(self, path):
            within.unlink()
            within.symlink_to(linked.parent / "secret.txt")

    assert ask(Application([("/(.*)", Slow, {"path": str(linked)})]), uri="/within").body == b"public"


# ---- what is no file


def test_a_fifo_a_socket_and_a_device_are_refused_and_block_nothing(www, expect_log):
    log = expect_log("zonda.general", REFUSALS)
    os.mkfifo(www / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(www / "socket"))
        app = application(www, allowed_symlink_directory=["/dev", str(www)])
        (www / "zero").symlink_to("/dev/zero")
        asks = [Ask(uri=f"/static/{name}") for name in ("fifo", "socket", "zero", "dir", "dir/", "")]
        assert [answer.status for answer in ask_all(app, *asks)] == [403] * 6
    assert len(log.records) == 6


def test_a_fifo_put_in_place_behind_the_check_does_not_block(www, expect_log):
    expect_log("zonda.general", r"403 GET .* is not a file$")

    class Slow(StaticFileHandler):
        def set_extra_headers(self, path):
            (www / "a.txt").unlink()
            os.mkfifo(www / "a.txt")

    assert ask(Application([("/(.*)", Slow, {"path": str(www)})]), uri="/a.txt").status == 403


@pytest.mark.parametrize(
    "path", ["%00", "a.txt%00", "a.txt%00.html", "dir/%00/../a.txt%00", "x" * 300, "x/" * 3000]
)
def test_names_that_no_file_system_holds_are_not_there(site, path):
    assert get(site, "/static/" + path).status == 404


def test_a_path_that_is_no_utf8_is_a_bad_request(site, expect_log):
    expect_log("zonda.general", "400 GET .* Invalid unicode")
    assert get(site, "/static/%ff").status == 400


def test_control_characters_of_a_path_make_no_line_of_the_log(site, expect_log):
    log = expect_log("zonda.general", "403 GET")
    get(site, "/static/../%0d%0a%1b[31mforged")
    message = log.records[0].getMessage()
    assert not re.search(r"[\x00-\x1f]", message)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A root that everybody can reach; permissions hold for the test even if it runs as root."""
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    root = make_site(top)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield root
    finally:
        if is_root:
            os.seteuid(0)
        (root / "dir").chmod(0o755)
        shutil.rmtree(top)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_we_may_not_read_is_refused_without_a_traceback(unprivileged, method, expect_log):
    log = expect_log("zonda.general", rf"403 {method}")
    owner = os.geteuid()
    os.seteuid(0) if os.getuid() == 0 else None
    (unprivileged / "a.txt").chmod(0)
    (unprivileged / "dir").chmod(0)
    os.seteuid(owner)
    app = application(unprivileged)
    answers = ask_all(app, Ask(method, "/static/a.txt"), Ask(method, "/static/dir/index.html"))
    assert [answer.status for answer in answers] == [403, 403]
    assert [record.exc_info for record in log.records] == [None, None]


def test_a_file_that_goes_behind_the_check_is_not_there(www):
    class Slow(StaticFileHandler):
        def set_extra_headers(self, path):
            (www / "a.txt").unlink()

    answer = ask(Application([("/(.*)", Slow, {"path": str(www)})]), uri="/a.txt")
    assert (answer.status, answer["Content-Type"]) == (404, "text/html; charset=UTF-8")
    assert answer["Last-Modified"] is None


def test_out_of_descriptors_is_our_trouble_and_no_404(www, monkeypatch, expect_log):
    expect_log("zonda.application", "Uncaught exception GET")

    really_open = os.open

    def no_descriptors(path: str, *arguments: int, **keywords: int) -> int:
        if path == str(www / "a.txt"):
            raise OSError(errno.EMFILE, "Too many open files")
        return really_open(path, *arguments, **keywords)

    app = application(www)
    assert ask(app, uri="/static/a.txt").status == 200  # its version is known now
    monkeypatch.setattr(os, "open", no_descriptors)
    assert ask(app, uri="/static/a.txt").status == 500


# ---- names of Windows


@pytest.mark.parametrize(
    "path",
    [
        "NUL",
        "nul",
        "con.txt",
        "dir/aux",
        "COM1",
        "com1.tar.gz",
        "LPT¹",
        "CONIN$",
        "prn .txt",
        "NUL:",
        "dir\\nul\\x",
        "a.txt:b",
        "a.txt::$DATA",
        "a.txt:b:$DATA",
        "C:\\x",
        "c:x",
        "a.txt.",
        "a.txt ",
        "a.txt. .",
        "dir./a.txt",
    ],
)
def test_other_names_of_windows_for_other_things(path):
    assert is_windows_alias(path)


@pytest.mark.parametrize(
    "path",
    [
        "a.txt",
        "console.txt",
        "nullable",
        "com",
        "com10",
        "dir/./a",
        "../a",
        "",
        "a b.txt",
        ".hidden",
        "a.nul",
    ],
)
def test_plain_names_are_plain_on_windows_too(path):
    assert not is_windows_alias(path)


@pytest.mark.parametrize(
    "path", ["NUL", "a.txt:secret", "a.txt%3Asecret", "a.txt::$DATA", "a.txt.", "dir/COM1.txt"]
)
def test_windows_refuses_them_before_it_looks(site, path, monkeypatch, expect_log):
    expect_log("zonda.general", REFUSALS)
    monkeypatch.setattr("zonda._core.web.static._ON_WINDOWS", True)
    assert get(site, "/static/" + path).status == 403


# ---- directories, and where their redirects lead


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("/static/dir", "/static/dir/"),
        ("/static/dir?next=//evil.example", "/static/dir/"),
        ("/static/./dir", "/static/./dir/"),
        ("/static/dir/sub/..", "/static/dir/sub/../"),
        ("http://evil.example/static/dir", "/static/dir/"),
    ],
)
def test_a_directory_gets_its_slash_on_the_same_host(site, uri, location):
    answer = get(site, uri, default_filename="index.html")
    assert (answer.status, answer["Location"]) == (301, location)


@pytest.mark.parametrize(
    "start", ["//evil.example/..", "/\\evil.example/..", "//evil.example/%2e%2e", "///.."]
)
def test_a_redirect_never_names_a_host(site, start, expect_log):
    expect_log("zonda.general", REFUSALS)
    app = application(site, pattern="/(.*)", default_filename="index.html")
    for uri in (f"{start}/dir", f"{start}/{site}/dir", f"{start}{site}/dir"):
        answer = ask(app, uri=uri)
        assert (answer.status in (403, 404), answer["Location"]) == (True, None)


def test_a_directory_with_its_slash_is_its_default_file(site):
    answer = get(site, "/static/dir/", default_filename="index.html")
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, b"the index", "text/html")
    assert get(site, "/static/dir/sub/", default_filename="index.html").status == 404


# ---- reading


def test_read_file_gives_pieces_of_the_part(tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "f").write_bytes(content)
    path = str(tmp_path / "f")
    for start, end in [
        (0, None),
        (5, None),
        (5, 70_000),
        (0, 0),
        (255_999, 256_000),
        (256_000, None),
        (300_000, None),
    ]:
        pieces = list(read_file(path, start, end))
        assert b"".join(pieces) == content[start:end]
        assert all(0 < len(piece) <= 65536 for piece in pieces)


@pytest.mark.parametrize(("name", "status"), [("gone", 404), ("a\0b", 404), ("", 403), ("f/x", 404)])
def test_read_file_answers_for_what_it_cannot_read(tmp_path, name, status):
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(HTTPError) as caught:
        next(read_file(os.path.join(tmp_path, name), 0, None))
    assert caught.value.status_code == status
