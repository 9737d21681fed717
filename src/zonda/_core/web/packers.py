"""Compressors of answers, one kind for each content coding; those of libraries that are installed.

An answer that is streamed keeps its compressor as long as it lasts, so each holds about what gzip's does
(256 KB), far less than the libraries take of themselves: 0.8 MB for Zstandard, 1.3 MB for brotli.
"""

import sys
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

_GZIP = 16 + zlib.MAX_WBITS

#: Logarithms of Zstandard's window and tables: 190 KB in all, for 3 % more bytes than with 800 KB.
_ZSTD_WINDOW = 17
_ZSTD_TABLE = 14
#: Logarithms of brotli's window: an answer that is whole needs it for no longer than it is compressed.
_BROTLI_WINDOW_WHOLE = 18
_BROTLI_WINDOW_STREAMED = 16


class Packer(Protocol):
    """Compresses one answer."""

    def pack(self, chunk: bytes, finishing: bool) -> bytes:
        """What can be unpacked so far, and at once; `finishing`: the end."""


#: Takes a level, and whether the answer is whole: it is not streamed.
_Make = Callable[[int, bool], Packer]


class _Gzip:
    def __init__(self, level: int, whole: bool) -> None:
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP)

    def pack(self, chunk: bytes, finishing: bool) -> bytes:
        mode = zlib.Z_FINISH if finishing else zlib.Z_SYNC_FLUSH
        return self._compressor.compress(chunk) + self._compressor.flush(mode)


def _load_brotli() -> _Make:
    import brotli

    class Brotli:
        def __init__(self, quality: int, whole: bool) -> None:
            window = _BROTLI_WINDOW_WHOLE if whole else _BROTLI_WINDOW_STREAMED
            self._compressor: Any = brotli.Compressor(quality=quality, lgwin=window)

        def pack(self, chunk: bytes, finishing: bool) -> bytes:
            compressor = self._compressor
            packed: bytes = compressor.process(chunk)
            packed += compressor.finish() if finishing else compressor.flush()
            return packed

    return Brotli


def _load_zstd() -> _Make:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    parameter = zstd.CompressionParameter

    class Zstd:
        def __init__(self, level: int, whole: bool) -> None:
            options: dict[int, int] = {
                parameter.compression_level: level,
                parameter.window_log: _ZSTD_WINDOW,
                parameter.hash_log: _ZSTD_TABLE,
                parameter.chain_log: _ZSTD_TABLE,
            }
            self._compressor: Any = zstd.ZstdCompressor(options=options)

        def pack(self, chunk: bytes, finishing: bool) -> bytes:
            compressor = self._compressor
            mode = compressor.FLUSH_FRAME if finishing else compressor.FLUSH_BLOCK
            packed: bytes = compressor.compress(chunk, mode)
            return packed

    return Zstd


_LOADERS: dict[str, Callable[[], _Make]] = {"br": _load_brotli, "gzip": lambda: _Gzip, "zstd": _load_zstd}
_load = cache(lambda coding: _LOADERS[coding]())


@cache
def installed(codings: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the codings (`br`, `gzip`, `zstd`) whose library is installed."""
    return tuple(coding for coding in codings if _is_installed(coding))


def _is_installed(coding: str) -> bool:
    try:
        _load(coding)
    except ImportError:
        return False
    return True


def make_packer(coding: str, level: int, whole: bool) -> Packer:
    """A compressor for an answer that is whole, or streamed; `level` as the library has it."""
    return _load(coding)(level, whole)
