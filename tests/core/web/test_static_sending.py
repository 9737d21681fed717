"""Static files that the kernel sends by itself, and when they are not."""

import os
import ssl
import zlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

import zonda
from tests.core.link.conftest import sent
from tests.core.link.harness import until
from tests.core.net.conftest import run
from tests.core.net.loops import Run
from tests.core.server.serving import ask, serving
from zonda.web import Application, StaticFileHandler

__all__ = ["run", "sent"]

CONTENT = b"".join(b"%07d\n" % number for number in range(100_000))
LAST = "Connection: close\r\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "large.txt").write_bytes(CONTENT)
    (tmp_path / "large.bin").write_bytes(CONTENT)
    (tmp_path / "small.txt").write_bytes(CONTENT[:65536])
    return tmp_path


def site(root: Path, handler: Any = StaticFileHandler, **settings: Any) -> Application:
    settings["log_function"] = lambda handler: None
    return Application([("/(.*)", handler, {"path": str(root)})], **settings)


def request(path: str = "/large.bin", fields: str = LAST, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()


def answered(run: Run, application: Application, *requests: bytes, **options: Any) -> bytes:
    async def main() -> bytes:
        tls = None
        if options:
            tls = ssl.create_default_context()
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        async with serving(application, **options) as server:
            return (await ask(server, b"".join(requests), tls))[0]

    data = run(main())
    assert isinstance(data, bytes)
    return data


def body_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def test_a_large_file_is_sent_by_the_kernel(run: Run, root: Path, sent: list[int]) -> None:
    data = answered(run, site(root), request(fields=""), request("/small.txt"))
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    body = body_of(data)
    assert body[: len(CONTENT)] == CONTENT and body_of(body[len(CONTENT) :]) == CONTENT[:65536]
    # uvloop may still hold the head, which then takes the first piece along.
    assert len(CONTENT) - 2 * 65537 <= sum(sent) <= len(CONTENT)


def test_a_small_file_goes_with_its_head(run: Run, root: Path, sent: list[int]) -> None:
    assert body_of(answered(run, site(root), request("/small.txt"))) == CONTENT[:65536]
    assert not sent


@pytest.mark.parametrize(
    ("start", "end"), [(0, 799_999), (1, 799_999), (300_000, 450_000), (700_000, 700_001)]
)
def test_parts(run: Run, root: Path, sent: list[int], start: int, end: int) -> None:
    data = answered(run, site(root), request(fields=f"Range: bytes={start}-{end}\r\n{LAST}"))
    assert body_of(data) == CONTENT[start : end + 1]
    assert (b" 206 " in data[:20]) == (end - start < 799_999)
    assert bool(sent) == (end - start > 131072)


@pytest.mark.parametrize(
    ("fields", "method", "status"),
    [
        ("", "HEAD", 200),
        ("If-None-Match: *\r\n", "GET", 304),
        ("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n", "GET", 304),
        ("Range: bytes=800000-\r\n", "GET", 416),
        ("Range: bytes=0-700000\r\n", "HEAD", 206),
    ],
)
def test_answers_without_the_file(
    run: Run, root: Path, sent: list[int], fields: str, method: str, status: int
) -> None:
    data = answered(run, site(root), request(fields=fields, method=method), request("/small.txt"))
    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert body_of(data).startswith(b"HTTP/1.1 200 ") and not sent


def test_what_a_subclass_makes_of_it_is_sent(run: Run, root: Path, sent: list[int]) -> None:
    class Upper(StaticFileHandler):
        @classmethod
        def get_content(
            cls, abspath: str, start: Any = None, end: Any = None
        ) -> Generator[bytes, None, None]:
            for piece in super().get_content(abspath, start, end):
                yield piece.replace(b"0", b"o")

    assert body_of(answered(run, site(root, Upper), request())) == CONTENT.replace(b"0", b"o")
    assert not sent


def test_what_replaces_a_method_at_run_time_is_asked(
    run: Run, root: Path, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(cls: Any, abspath: str, start: Any = None, end: Any = None) -> bytes:
        return b"x" * len(CONTENT)

    monkeypatch.setattr(StaticFileHandler, "get_content", classmethod(replaced))
    assert body_of(answered(run, site(root), request())) == b"x" * len(CONTENT)
    assert not sent


@pytest.mark.parametrize("name", ["write", "flush"])
def test_a_subclass_that_looks_at_what_is_written_sees_it(
    run: Run, root: Path, sent: list[int], name: str
) -> None:
    calls = 0

    def counting(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        return getattr(StaticFileHandler, name)(self, *args)

    looking = type("Looking", (StaticFileHandler,), {name: counting})
    assert body_of(answered(run, site(root, looking), request())) == CONTENT
    assert calls > len(CONTENT) // 65536 and not sent


def test_what_is_compressed_is_not_sent_by_the_kernel(run: Run, root: Path, sent: list[int]) -> None:
    fields = "Accept-Encoding: gzip\r\n" + LAST
    application = site(root, compress_response=True)
    data = answered(run, application, request("/large.txt", fields).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b"Content-Encoding: gzip\r\n" in data and not sent
    assert zlib.decompress(body_of(data), 31) == CONTENT
    # A type that is not compressed, a client that takes none of it.
    assert body_of(answered(run, application, request("/large.bin", fields))) == CONTENT
    assert sum(sent) > len(CONTENT) // 2
    assert body_of(answered(run, application, request("/large.txt"))) == CONTENT
    assert sum(sent) > len(CONTENT)


def test_tls(run: Run, root: Path, sent: list[int]) -> None:
    certificates = Path(zonda.__file__).parent / "test_certs"
    tls = {"certfile": str(certificates / "test.crt"), "keyfile": str(certificates / "test.key")}
    data = answered(run, site(root), request(fields=""), request("/large.txt"), ssl_options=tls)
    assert data.count(CONTENT) == 2 and not sent


def _vanish(file: Path) -> None:
    file.unlink()


def _become_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(("happens", "status"), [(_vanish, 404), (_become_a_directory, 403)])
def test_a_file_that_changes_before_it_is_opened(
    run: Run, root: Path, happens: Callable[[Path], None], status: int, expect_log: Any
) -> None:
    if status == 403:
        expect_log("zonda.general", "large.bin is not a file")

    class Changing(StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            happens(root / path)

    data = answered(run, site(root, Changing), request())
    assert data.startswith(b"HTTP/1.1 %d " % status)


def test_descriptors_are_given_back(run: Run, root: Path) -> None:
    def open_here() -> int:
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return sum(os.path.realpath(link).startswith(str(root)) for link in links)

    (root / "huge").write_bytes(CONTENT * 30)

    async def main() -> None:
        async with serving(site(root)) as server:
            client = await server.connect()
            await client.send(request("/huge", ""))
            await client.read_until(b"\r\n\r\n")
            await until(open_here)
            client.sock.close()
            await until(lambda: not open_here())

    run(main())
