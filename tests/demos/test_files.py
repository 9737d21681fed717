"""The demo that shows a folder: what it lists, what it serves, and what it keeps to itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def visitor(start_demo: Callable[..., Any], tmp_path: Path) -> Any:
    root = tmp_path / "root"
    (root / "sub & more").mkdir(parents=True)
    (root / "sub & more" / "100%.txt").write_text("deep")
    (root / "letter.txt").write_text("0123456789" * 200)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "secret.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (root / "link").symlink_to(tmp_path / "outside")
    return start_demo("files", "main.py", f"--root={root}").visitor()


def test_listings_lead_to_files(visitor: Any) -> None:
    page = visitor.get("/").body
    assert '<a href="./letter.txt">letter.txt</a></td><td>2.0 KB</td>' in page
    assert '<a href="./sub%20%26%20more/">sub &amp; more/</a>' in page
    assert ".hidden" not in page
    deeper = visitor.get("/sub%20%26%20more/")
    assert '<a href="./100%25.txt">100%.txt</a>' in deeper.body and '<a href="../">' in deeper.body
    assert visitor.get("/sub%20%26%20more/100%25.txt").body == "deep"


def test_files_come_in_ranges_and_only_once(visitor: Any) -> None:
    part = visitor.get("/letter.txt", headers={"Range": "bytes=5-7"})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, "567", "bytes 5-7/2000")
    again = visitor.get("/letter.txt", headers={"If-None-Match": part.headers["Etag"]})
    assert (again.status, again.body) == (304, "")


@pytest.mark.parametrize(
    "path",
    [
        "/missing.txt",
        "/missing/",
        "/.hidden/",
        "/.hidden/secret.txt",
        "/link/",
        "/link/secret.txt",
        "/../outside/",
        "/../outside/secret.txt",
        "/%2e%2e/outside/secret.txt",
        "/%00/",
    ],
)
def test_nothing_else_is_shown(visitor: Any, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status in (400, 403, 404)
    assert "secret" not in answer.body
