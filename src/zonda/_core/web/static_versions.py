"""Versions of static files: hashes of their content, kept as long as the file stays as it was."""

import hashlib
import os
from collections.abc import Callable, Iterable
from threading import Lock
from typing import NamedTuple

from zonda.log import gen_log

#: Tells one state of a file from another: device, inode, size, times of change; None = not a file.
Signature = tuple[int, int, int, int, int] | None


class CachedVersion(NamedTuple):
    """What is known of a path: its version (None = it has none), and of which state of the file."""

    version: str | None
    signature: Signature


def signature_of(path: str) -> Signature:
    """The state that a file is in.  What no file system holds has none, and is never seen to change."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def cached_version(
    cache: dict[str, CachedVersion], lock: Lock, most: int, path: str, compute: Callable[[str], str]
) -> str | None:
    """The version of `path`, from `cache` if the file is as it was; the least recently used go past `most`.

    Whatever `compute` raises is logged once for each state of the file, and means that it has no version.
    """
    signature = signature_of(path)
    with lock:
        known = cache.pop(path, None)
        if known is not None and known.signature == signature:
            cache[path] = known
            return known.version
    version: str | None
    try:
        version = compute(path)
    except Exception as error:
        # Subclasses compute versions in their own ways; a page must not fail for want of one.
        gen_log.error("Could not open static file %r: %s", path, error)
        version = None
    with lock:
        cache[path] = CachedVersion(version, signature)
        while len(cache) > most:
            del cache[next(iter(cache))]
    return version


def hash_of(content: Iterable[bytes] | bytes, most: int) -> str:
    """The SHA-512 of a content in hexadecimal; raises `ValueError` for more than `most` bytes."""
    digest = hashlib.sha512(usedforsecurity=False)
    size = 0
    for piece in (content,) if isinstance(content, bytes) else content:
        size += len(piece)
        if size > most:
            raise too_large(most)
        digest.update(piece)
    return digest.hexdigest()


def too_large(most: int) -> ValueError:
    """The error for a content that gets no version."""
    return ValueError(f"content is larger than MAX_VERSION_CONTENT_SIZE ({most} bytes)")
