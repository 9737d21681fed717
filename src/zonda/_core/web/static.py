"""`StaticFileHandler`: files of a directory, with versions, ranges and conditional requests."""

import datetime
import mimetypes
import os
import stat
import threading
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, ClassVar

from zonda._core.base.clock import wall
from zonda._core.wire.dates import http_date, parse_http_date
from zonda._core.wire.ranges import (
    content_range,
    if_range_matches,
    parse_request_range,
    resolve_range,
    unsatisfied_range,
)

from .compress import vary_by_encoding
from .errors import HTTPError
from .handler import RequestHandler
from .static_paths import (
    is_inside,
    is_windows_alias,
    look_up,
    read_file,
    require_readable_file,
    resolved_inside,
)
from .static_sending import passes_unseen, send_content, send_file
from .static_siblings import Sibling, find_sibling
from .static_versions import CachedVersion, cached_version, hash_of, too_large

#: Bytes up to which it costs less to read them, and to send them with the head.
_SENT_BY_THE_KERNEL = 131072
_ON_WINDOWS = os.name == "nt"


class StaticFileHandler(RequestHandler):
    """Serves the files of a directory; the route's pattern must have one group, the path in it.

    Arguments of the route: `path` is the directory; `default_filename` is served for directories
    (None: they get a 403); `allowed_symlink_directory` is a directory, or a list of them, that symbolic
    links may lead to *in place of* `path` (None: to nowhere but `path`).  Beyond Tornado: `precompressed`
    serves `a.js.br`, `.zst` or `.gz`, where such a file lies beside `a.js`, is not older and no link, to
    clients that take it; None asks the setting `static_precompressed`, which is off by default.
    Source: Tornado documentation, `tornado.web.StaticFileHandler`.
    """

    #: Seconds that clients may keep a file that was asked for with its version.
    CACHE_MAX_AGE = 86400 * 365 * 10
    #: Versions kept in memory.
    MAX_CACHED_VERSIONS = 10000
    #: Bytes; larger files get no version, and so no Etag.
    MAX_VERSION_CONTENT_SIZE = 64 * 1024 * 1024

    # Subclasses may define `initialize` without calling ours.
    root: str
    default_filename: str | None = None
    allowed_symlink_directory: str | Sequence[str] | None = None
    precompressed: bool | None = None

    path: str
    absolute_path: str | None
    modified: datetime.datetime | None = None

    _static_hashes: ClassVar[dict[str, CachedVersion]] = {}
    _lock = threading.Lock()
    #: Whether what is served is what the file holds.
    _reads_files: ClassVar[bool] = True
    #: What `os.stat` said, and of which path.
    _stat_result: tuple[str, os.stat_result] | None = None
    #: What is sent in place of the file.
    _sibling: Sibling | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A subclass may compute versions in its own way: they are its own.
        cls._static_hashes = {}
        cls._reads_files = cls._reads_files and "get_content" not in vars(cls)

    def initialize(  # type: ignore[override]  # each handler has its own arguments
        self,
        path: str,
        default_filename: str | None = None,
        allowed_symlink_directory: str | list[str] | None = None,
        precompressed: bool | None = None,
    ) -> None:
        self.root = path
        self.default_filename = default_filename
        if allowed_symlink_directory is not None:
            self.allowed_symlink_directory = allowed_symlink_directory
        if precompressed is not None:
            self.precompressed = precompressed

    @classmethod
    def reset(cls) -> None:
        """Forgets the versions of this class, and of those that inherit from it."""
        with cls._lock:
            cls._static_hashes.clear()
        for subclass in cls.__subclasses__():
            subclass.reset()

    def head(self, path: str) -> Awaitable[None]:
        return self.get(path, include_body=False)

    async def get(self, path: str, include_body: bool = True) -> None:
        self.path = self.parse_url_path(path)
        absolute_path = self.get_absolute_path(self.root, self.path)
        self.absolute_path = self.validate_absolute_path(self.root, absolute_path)
        if self.absolute_path is None:
            return
        negotiated = self._negotiates()
        if negotiated:
            accepted = self.request.headers.get("Accept-Encoding", "")
            self._sibling = find_sibling(self.absolute_path, self._stat(), accepted)
        self.modified = self.get_modified_time()
        self.set_headers()
        if negotiated:
            self._describe_coding()
        if self.should_return_304():
            self.set_status(304)
            return
        size = self.get_content_size()
        part = self._requested_part(size)
        if part is None:
            self.set_status(416)
            self.set_header("Content-Type", "text/plain")
            self.clear_header("Content-Encoding")
            self.set_header("Content-Range", unsatisfied_range(size))
            return
        start, end = part
        self.set_header("Content-Length", end - start)
        if part != (0, size):
            self.set_status(206)
            self.set_header("Content-Range", content_range(start, end, size))
        path = self.absolute_path if self._sibling is None else self._sibling.path
        if (
            include_body
            and end - start > _SENT_BY_THE_KERNEL
            and self._sends_content()
            and passes_unseen(self)
        ):
            await send_file(self, path, start, end)
            return
        content = self.get_content(path) if part == (0, size) else self.get_content(path, start, end)
        if include_body:
            await send_content(self, content, end - start)

    def _requested_part(self, size: int) -> tuple[int, int] | None:
        """The bytes (start, end) to answer with; None if none of those asked for are there."""
        headers = self.request.headers
        requested = parse_request_range(headers["Range"]) if "Range" in headers else None
        if requested is None:
            return 0, size
        condition = headers.get("If-Range")
        if condition is not None and not if_range_matches(
            condition, self._headers.get("Etag"), self.modified
        ):
            return 0, size
        return resolve_range(requested, size)

    @classmethod
    def _sends_content(cls) -> bool:
        """Whether what is served is what the file holds."""
        return getattr(cls.get_content, "__func__", None) is _GET_CONTENT

    def _negotiates(self) -> bool:
        """Whether a compressed file may be sent in place of the one that was asked for."""
        wanted = self.precompressed
        if wanted is None:
            wanted = self.settings.get("static_precompressed", False)
        cls = type(self)
        return wanted and cls._sends_content() and cls.get_content_size is StaticFileHandler.get_content_size

    def _describe_coding(self) -> None:
        vary_by_encoding(self._headers)
        sibling = self._sibling
        if sibling is None:
            return
        already = self._headers.get("Content-Encoding")
        self.set_header("Content-Encoding", f"{already}, {sibling.coding}" if already else sibling.coding)
        etag = self._headers.get("Etag")
        if etag and etag.endswith('"'):
            # Whoever computes it: a strong tag is of these very bytes alone (RFC 9110, 8.8.3).
            self.set_header("Etag", f'{etag[:-1]}-{sibling.coding}"')

    # ---- the answer's head

    def set_headers(self) -> None:
        """Sets the headers that describe the file; for those of an application, `set_extra_headers`."""
        self.set_header("Accept-Ranges", "bytes")
        self.set_etag_header()
        if self.modified is not None:
            self.set_header("Last-Modified", self.modified)
        content_type = self.get_content_type()
        if content_type:
            self.set_header("Content-Type", content_type)
        seconds = self.get_cache_time(self.path, self.modified, content_type)
        if seconds > 0:
            self.set_header("Expires", http_date(wall() + seconds))
            self.set_header("Cache-Control", f"max-age={seconds}")
        self.set_extra_headers(self.path)

    def set_extra_headers(self, path: str) -> None:
        """For subclasses: adds headers to those of the file."""

    def compute_etag(self) -> str | None:
        """The file's version in quotes; None if it has none."""
        if self._sibling is not None:
            # What a subclass knows of versions, it knows of the files themselves.
            version = StaticFileHandler._get_cached_version(self._sibling.path)
        else:
            assert self.absolute_path is not None
            version = self._get_cached_version(self.absolute_path)
        return f'"{version}"' if version else None

    def should_return_304(self) -> bool:
        """Whether the client has this state of the file: If-None-Match decides, else If-Modified-Since."""
        headers = self.request.headers
        if "If-None-Match" in headers:
            return self.check_etag_header()
        since = headers.get("If-Modified-Since")
        if since is None or self.modified is None:
            return False
        date = parse_http_date(since)
        return date is not None and self.modified <= date

    def get_cache_time(self, path: str, modified: datetime.datetime | None, mime_type: str) -> int:
        """Seconds that the client may keep the file without asking; 0 = not said.

        `CACHE_MAX_AGE` if the request has the argument `v`, else 0.
        """
        return self.CACHE_MAX_AGE if "v" in self.request.arguments else 0

    def get_content_type(self) -> str:
        """The media type, guessed from the name; compressed files are served as what they are."""
        assert self.absolute_path is not None
        media_type, encoding = mimetypes.guess_type(self.absolute_path)
        if encoding == "gzip":
            return "application/gzip"
        if encoding is not None or media_type is None:
            return "application/octet-stream"
        return media_type

    # ---- the file

    def parse_url_path(self, url_path: str) -> str:
        """For subclasses: a path of the file system from that of the URL (`/` between its parts)."""
        return url_path.replace("/", os.sep) if os.sep != "/" else url_path

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Where the file `path` lies; for subclasses that have several roots.

        Raises a 403 for a path that leads out of `root`.
        """
        absolute_path = os.path.abspath(os.path.join(root, path))
        if not is_inside(absolute_path, os.path.abspath(root)):
            raise HTTPError(403, "%s is not in root static directory", path)
        if _ON_WINDOWS and is_windows_alias(path):
            raise HTTPError(403, "%s is not a file", path)
        return absolute_path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Returns where the file really lies (of a directory: its default file) if it may be served.

        Raises a 403 for what is outside of `root` (symbolic links resolved), no regular file, or unreadable,
        a 404 for what is not there.  Returns None if it has answered: a directory without its last slash.
        """
        root = os.path.abspath(root)
        if not is_inside(absolute_path, root):
            raise HTTPError(403, "%s is not in root static directory", self.path)
        # Before anything tells whether the target of a link exists.
        absolute_path = resolved_inside(absolute_path, root, self.allowed_symlink_directory, self.path)
        found = look_up(absolute_path)
        if stat.S_ISDIR(found.st_mode) and self.default_filename is not None:
            url_path = self.request.path
            if not url_path.endswith("/"):
                if url_path[1:2] in ("/", "\\"):
                    # Browsers would take what follows for a host.
                    raise HTTPError(403, "cannot redirect path with two initial slashes")
                self.redirect(url_path + "/", permanent=True)
                return None
            absolute_path = os.path.join(absolute_path, self.default_filename)
            absolute_path = resolved_inside(absolute_path, root, self.allowed_symlink_directory, self.path)
            found = look_up(absolute_path)
        require_readable_file(absolute_path, found, self.path)
        self._stat_result = absolute_path, found
        return absolute_path

    def _stat(self) -> os.stat_result:
        if self._sibling is not None:
            return self._sibling.found
        assert self.absolute_path is not None
        if self._stat_result is None or self._stat_result[0] != self.absolute_path:
            self._stat_result = self.absolute_path, look_up(self.absolute_path)
        return self._stat_result[1]

    def get_content_size(self) -> int:
        """The file's size in bytes."""
        return self._stat().st_size

    def get_modified_time(self) -> datetime.datetime | None:
        """When the file was last changed, in UTC, to the second; None = not known."""
        return datetime.datetime.fromtimestamp(int(self._stat().st_mtime), datetime.UTC)

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Generator[bytes, None, None]:
        """The bytes `start:end` of a file, in pieces.  Subclasses may return them as one `bytes`.

        Raises, at the first piece, a 403 or 404 for what cannot be read.
        """
        return read_file(abspath, start or 0, end)

    # ---- versions

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        """The URL of a static file; `RequestHandler.static_url` calls it.

        `settings` are the application's: `static_url_prefix` (default `/static/`) and `static_path`.
        """
        url: str = settings.get("static_url_prefix", "/static/") + path
        version = cls.get_version(settings, path) if include_version else None
        return f"{url}?v={version}" if version else url

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """The version of a static file, for its URL; None, and a line in the log, if it has none.

        Raises a 403 for a path that leads out of `settings["static_path"]`.
        """
        root = settings["static_path"]
        absolute_path = cls.get_absolute_path(root, path)

        def compute(absolute_path: str) -> str:
            # A subclass with places of its own answers for them itself.
            if isinstance(root, str | os.PathLike) and is_inside(absolute_path, os.path.abspath(root)):
                arguments = settings.get("static_handler_args") or {}
                allowed = arguments.get("allowed_symlink_directory", cls.allowed_symlink_directory)
                if cls._reads_files and not stat.S_ISREG(look_up(absolute_path).st_mode):
                    raise HTTPError(403, "%s is not a file", absolute_path)
                resolved_inside(absolute_path, os.path.abspath(root), allowed, path)
            return cls.get_content_version(absolute_path)

        return cached_version(cls._static_hashes, cls._lock, cls.MAX_CACHED_VERSIONS, absolute_path, compute)

    @classmethod
    def _get_cached_version(cls, abs_path: str) -> str | None:
        return cached_version(
            cls._static_hashes, cls._lock, cls.MAX_CACHED_VERSIONS, abs_path, cls.get_content_version
        )

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """The version of a file: the SHA-512 of its content, in hexadecimal.

        Raises `ValueError` for more than `MAX_VERSION_CONTENT_SIZE` bytes, a 403 or 404 for what cannot
        be read.
        """
        # A large file is not read in vain.
        if cls._reads_files and look_up(abspath).st_size > cls.MAX_VERSION_CONTENT_SIZE:
            raise too_large(cls.MAX_VERSION_CONTENT_SIZE)
        return hash_of(cls.get_content(abspath), cls.MAX_VERSION_CONTENT_SIZE)


#: Ours; where a subclass has another, or somebody has put another in its place, it is asked for every byte.
_GET_CONTENT = vars(StaticFileHandler)["get_content"].__func__
