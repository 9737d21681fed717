import gzip
import zlib

import pytest

from zonda.util import Configurable, GzipDecompressor, errno_from_exception, import_object


def unpack(data: bytes, max_length: int) -> tuple[int, int]:
    """Bytes that came out, and bytes that were handed to `decompress` on the way."""
    gunzip = GzipDecompressor()
    produced = handed = 0
    while data:
        handed += len(data)
        produced += len(gunzip.decompress(data, max_length))
        data = gunzip.unconsumed_tail
    gunzip.flush()
    return produced, handed


class CountedDecompressor:
    """zlib's, counting the bytes that go in."""

    fed = 0

    def __init__(self, *args: int) -> None:
        self._real = zlib_decompressobj(*args)

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        CountedDecompressor.fed += len(data)
        return self._real.decompress(data, max_length)

    def __getattr__(self, name):
        return getattr(self._real, name)


zlib_decompressobj = zlib.decompressobj


@pytest.mark.parametrize("members", [100, 1000, 10000])
def test_tiny_gzip_members_cost_linear_work(members, monkeypatch):
    # Each member's end makes zlib copy what follows: without windows that is quadratic (CVE-2026-49855).
    monkeypatch.setattr(zlib, "decompressobj", CountedDecompressor)
    CountedDecompressor.fed = 0
    data = gzip.compress(b"x") * members
    assert unpack(data, len(data))[0] == members
    assert CountedDecompressor.fed <= 600 * members


def test_a_gzip_bomb_gives_no_more_than_asked_for():
    bomb = gzip.compress(bytes(10_000_000))
    gunzip = GzipDecompressor()
    assert len(gunzip.decompress(bomb, 1000)) == 1000
    assert gunzip.unconsumed_tail
    produced, handed = unpack(bomb, 65536)
    assert produced == 10_000_000
    assert handed <= len(bomb) * (10_000_000 // 65536 + 2)


def test_gzip_does_not_depend_on_the_cuts():
    data = gzip.compress(bytes(range(256)) * 20) + gzip.compress(b"") + gzip.compress(b"end")
    for size in range(1, 60):
        gunzip = GzipDecompressor()
        out = b""
        for start in range(0, len(data), size):
            rest = data[start : start + size]
            while rest:
                out += gunzip.decompress(rest, 7)
                rest = gunzip.unconsumed_tail
        gunzip.flush()
        assert out == bytes(range(256)) * 20 + b"end"


def test_gzip_refuses_a_negative_bound():
    with pytest.raises(ValueError, match="max_length is -1"):
        GzipDecompressor().decompress(b"", -1)


class Interface(Configurable):
    @classmethod
    def configurable_base(cls):
        return Interface

    @classmethod
    def configurable_default(cls):
        return Default


class Default(Interface):
    def initialize(self, size=1):
        self.size = size


def test_configure_refuses_another_family():
    with pytest.raises(ValueError, match="Invalid subclass"):
        Interface.configure(dict)
    assert type(Interface()) is Default


def test_arguments_of_the_call_win_and_are_not_kept():
    saved = Interface._save_configuration()
    try:
        Interface.configure(None, size=2)
        assert Interface(size=3).size == 3
        assert Interface().size == 2
    finally:
        Interface._restore_configuration(saved)
    assert Interface().size == 1


def test_import_object_names_what_is_missing():
    with pytest.raises(ImportError, match="No module named nope"):
        import_object("zonda.util.nope")


@pytest.mark.parametrize(("error", "errno"), [(OSError(3, "x"), 3), (Exception(5), 5), (Exception(), None)])
def test_errno_from_exception(error, errno):
    assert errno_from_exception(error) == errno
