"""Files compressed beforehand, beside the file that they are of: `app.js.br` beside `app.js`."""

import os
import stat
from typing import NamedTuple

from zonda._core.wire.codings import accepted_codings

from .static_paths import is_readable

#: Codings (RFC 9110, 8.4.1; 7932; 8878) and how their files are called; the first of equals is taken.
_EXTENSIONS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_CODINGS = tuple(_EXTENSIONS)


class Sibling(NamedTuple):
    """A file to send in place of another, under the Content-Encoding `coding`."""

    path: str
    coding: str
    found: os.stat_result


def find_sibling(path: str, of: os.stat_result, accept_encoding: str) -> Sibling | None:
    """The file beside `path`, whose links are resolved, that a client with this Accept-Encoding likes best.

    It must be a regular file itself, no link, so that it lies where the file lies; readable; and not older
    than the file, which would have changed since.  Asks the file system for at most one name for each coding.
    """
    for coding in accepted_codings(accept_encoding, _CODINGS):
        candidate = path + _EXTENSIONS[coding]
        try:
            found = os.lstat(candidate)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(found.st_mode) and found.st_mtime_ns >= of.st_mtime_ns and is_readable(candidate):
            return Sibling(candidate, coding, found)
    return None
