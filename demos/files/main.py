"""A folder in the browser: a handler lists, StaticFileHandler serves with ETag, ranges and dates."""

from __future__ import annotations

import contextlib
from pathlib import Path

from zonda.ioloop import IOLoop
from zonda.options import define, options, parse_command_line
from zonda.web import Application, HTTPError, RequestHandler, StaticFileHandler

HERE = Path(__file__).parent


def is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def size_text(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class ListingHandler(RequestHandler):
    def initialize(self, root: Path) -> None:
        self.root = root

    def get(self, path: str) -> None:
        try:
            folder = (self.root / path).resolve()
        except ValueError:  # a zero byte
            raise HTTPError(404) from None
        # Resolved first: neither `..` nor a symbolic link leads out of the root.
        if not folder.is_relative_to(self.root) or not folder.is_dir() or is_hidden(folder, self.root):
            raise HTTPError(404)
        shown = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        folders = sorted(entry.name for entry in shown if entry.is_dir())
        files = sorted((entry.name, size_text(entry.stat().st_size)) for entry in shown if entry.is_file())
        self.render("listing.html", path=path, folders=folders, files=files)


class VisibleFileHandler(StaticFileHandler):
    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        found = super().validate_absolute_path(root, absolute_path)
        if found is not None and is_hidden(Path(found), Path(root)):
            raise HTTPError(404)
        return found


def make_app(root: Path) -> Application:
    resolved = root.resolve()
    return Application(
        [
            (r"/((?:.*/)?)", ListingHandler, {"root": resolved}),
            (r"/(.+)", VisibleFileHandler, {"path": str(resolved)}),
        ],
        template_path=str(HERE / "templates"),
    )


def main() -> None:
    define("port", default=8888, type=int, help="listen on this port of 127.0.0.1")
    define("root", default=str(HERE.parent), help="the folder to show")
    parse_command_line()
    make_app(Path(options.root)).listen(options.port, address="127.0.0.1")
    print(f"{options.root} is on http://127.0.0.1:{options.port}/", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
