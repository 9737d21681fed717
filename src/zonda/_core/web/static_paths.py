"""Where a static file may lie: under its root, after `..` and symbolic links are resolved."""

import errno
import os
import stat
from collections.abc import Generator, Sequence
from typing import BinaryIO

from zonda._core.base.limits import DEFAULT_LIMITS

from .errors import HTTPError

#: A name that the file system cannot hold, or does not: there is no such file.
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL))
_REFUSED = frozenset((errno.EACCES, errno.EPERM))

#: Names that stand for a device in every directory of Windows, with any extension.
_DEVICES = frozenset(("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$")) | frozenset(
    port + digit for port in ("COM", "LPT") for digit in "0123456789¹²³"
)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def is_inside(path: str, directory: str) -> bool:
    """Whether an absolute, normalised path is `directory` (likewise) or lies in it.

    The separator counts: `/var/www2` is not inside `/var/www`.
    """
    return (path + os.sep).startswith(directory.rstrip(os.sep) + os.sep)


def is_windows_alias(path: str) -> bool:
    """Whether Windows would open something else than the file of this name.

    Devices (`NUL`, `com1.txt`), streams of NTFS and drives (`a.txt:b`, `c:x`), and names whose last
    dots and spaces Windows drops (`a.txt.`).
    """
    for name in path.replace("\\", "/").split("/"):
        if name in ("", ".", ".."):
            continue
        if ":" in name or name[-1] in ". ":
            return True
        if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            return True
    return False


def resolved_inside(path: str, root: str, allowed: str | Sequence[str] | None, shown: str) -> str:
    """`path` with its symbolic links resolved; a 403 if they lead out of `allowed` (None = out of `root`).

    `shown` is the name for the log: as the client knows it.
    """
    try:
        real = os.path.realpath(path)
        if allowed is None:
            # No link anywhere on the way, the root's own name included: the usual case, and cheap.
            if real == path or is_inside(real, os.path.realpath(root)):
                return real
        else:
            directories = [allowed] if isinstance(allowed, str) else allowed
            if any(is_inside(real, os.path.realpath(directory)) for directory in directories):
                return real
    except ValueError:
        raise HTTPError(404) from None
    raise HTTPError(403, "%s is not in root static directory", shown)


def look_up(path: str) -> os.stat_result:
    """`os.stat`; raises a 404 where nothing is there, a 403 where we may not look."""
    try:
        return os.stat(path)
    except (OSError, ValueError) as error:
        raise _refusal(error) from None


def require_readable_file(path: str, found: os.stat_result, shown: str) -> None:
    """Raises a 403 for anything but a regular file that this process may read."""
    if not stat.S_ISREG(found.st_mode):
        raise HTTPError(403, "%s is not a file", shown)
    if not is_readable(path):
        raise HTTPError(403, "%s is not readable", shown)


def is_readable(path: str) -> bool:
    """Whether this process may read a file."""
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def read_file(path: str, start: int, end: int | None) -> Generator[bytes, None, None]:
    """The bytes `start:end` of a regular file in pieces; a 403 or 404 where there is none to read.

    The file is opened so that a FIFO in its place cannot block, and is judged by what was opened.
    """
    with open_file(path) as file:
        if start:
            file.seek(start)
        left = None if end is None else end - start
        while left is None or left > 0:
            size = DEFAULT_LIMITS.chunk_size if left is None else min(left, DEFAULT_LIMITS.chunk_size)
            piece = file.read(size)
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece


def open_file(path: str) -> BinaryIO:
    """Opens a regular file, unbuffered; a 403 or 404 where there is none to read."""
    try:
        descriptor = os.open(path, _READ)
    except (OSError, ValueError) as error:
        raise _refusal(error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HTTPError(403, "%s is not a file", path)
    return open(descriptor, "rb", buffering=0)


def _refusal(error: OSError | ValueError) -> Exception:
    """What to answer; the error itself if it is our trouble (no descriptors left, a broken disk)."""
    if isinstance(error, ValueError) or error.errno in _ABSENT:
        # ValueError: NUL, or a character that names of files cannot have here.
        return HTTPError(404)
    if error.errno in _REFUSED:
        return HTTPError(403, "%s", error.strerror)
    return error
