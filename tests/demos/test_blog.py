"""The blog demo on a PostgreSQL of its own: entries, logins, what is refused, and the life of the pool."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.postgres import Postgres, needs_postgres, running_postgres

pytestmark = needs_postgres

PROGRAM = Path(__file__).parents[2] / "demos" / "blog" / "main.py"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with running_postgres() as postgres:
        yield postgres


def execute(postgres: Postgres, query: str) -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(postgres.dsn)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    return asyncio.run(run())


@dataclass
class Blog:
    postgres: Postgres
    demo: Any
    name: str
    password: str

    def reader(self) -> "Reader":
        return Reader(self.demo.visitor())

    def author(self) -> "Reader":
        reader = self.reader()
        answer = reader.send("/login", name=self.name, password=self.password)
        assert (answer.status, answer.headers["Location"]) == (302, "/")
        return reader


@dataclass
class Reader:
    visitor: Any

    def get(self, path: str) -> Any:
        return self.visitor.get(path)

    def send(self, path: str, **fields: str) -> Any:
        """Posts the fields with the token of a form; the form is on the page of login, for everybody."""
        token = re.search(r'name="_xsrf" value="([^"]+)"', self.get("/login").body)
        assert token is not None
        return self.visitor.post(path, {"_xsrf": token[1], **fields})

    def publish(self, title: str, body: str) -> str:
        answer = self.send("/compose", title=title, body=body)
        assert answer.status == 302
        return str(answer.headers["Location"])


@pytest.fixture
def blog(cluster: Postgres, start_demo: Callable[..., Any]) -> Blog:
    execute(cluster, "DROP TABLE IF EXISTS entries, authors")
    demo = start_demo("blog", "main.py", f"--database={cluster.dsn}")
    told = next(line for line in demo.lines if "password" in line)
    found = re.fullmatch(r"The first author is (\w+), with the password (\S+)", told)
    assert found is not None
    return Blog(cluster, demo, found[1], found[2])


def test_entries_are_published_shown_and_changed(blog: Blog) -> None:
    assert "Nothing here yet." in blog.reader().get("/").body
    author = blog.author()
    path = author.publish("Größe", "first line\r\n\r\nsecond line")
    for page in ("/", path):
        body = blog.reader().get(page).body
        assert "Größe" in body and "first line\n\nsecond line</p>" in body and "changed since" not in body
    assert "Change it" in author.get(path).body and "Change it" not in blog.reader().get(path).body
    form = author.get(path.replace("entry", "compose")).body
    assert 'value="Größe"' in form and "first line\n\nsecond line</textarea>" in form
    author.send(path.replace("entry", "compose"), title="Smaller", body="third")
    body = blog.reader().get(path).body
    assert "<h1>Smaller</h1>" in body and "changed since" in body and "first line" not in body


def test_markup_in_an_entry_is_text(blog: Blog) -> None:
    author = blog.author()
    path = author.publish("<b>&amp;</b>", "</p></textarea><script>alert(1)</script>")
    for page in ("/", path, path.replace("entry", "compose")):
        body = author.get(page).body
        assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in body and "<script" not in body and "<b>" not in body
    assert "default-src 'none'" in author.get(path).headers["Content-Security-Policy"]


def test_sql_in_a_field_is_text(blog: Blog) -> None:
    author = blog.author()
    text = "'); DROP TABLE entries; --"
    path = author.publish(text, text)
    assert "&#x27;); DROP TABLE entries; --" in blog.reader().get(path).body.replace("&#39;", "&#x27;")
    assert blog.reader().send("/login", name=text, password="' OR 1=1 --").status == 403


def test_older_entries_are_on_further_pages(blog: Blog) -> None:
    author = blog.author()
    for number in range(12):
        author.publish(f"Entry no. {number}.", "text")
    pages = [author.get("/").body]
    older = re.search(r'class="older" href="([^"]+)"', pages[0])
    assert older is not None
    pages.append(author.get(older[1]).body)
    shown = [re.findall(r"no\. (\d+)\.", page) for page in pages]
    assert shown == [[str(number) for number in numbers] for numbers in (range(11, 1, -1), (1, 0))]
    assert 'class="older"' not in pages[1]


@pytest.mark.parametrize(
    "path", ["/entry/1", "/entry/0", f"/entry/{2**31}", f"/entry/{'9' * 400}", "/?before=x", "/?before=-1"]
)
def test_what_is_not_there_is_not_found(blog: Blog, path: str) -> None:
    assert blog.reader().get(path).status == 404


def test_only_an_author_writes(blog: Blog) -> None:
    reader = blog.reader()
    answer = reader.get("/compose")
    assert (answer.status, answer.headers["Location"]) == (302, "/login?next=%2Fcompose")
    assert reader.send("/compose", title="x", body="x").status == 403
    for name, password in ((blog.name, "wrong"), ("nobody", blog.password), (blog.name, blog.password + " ")):
        answer = reader.send("/login", name=name, password=password)
        assert answer.status == 403 and "No author has that name and that password." in answer.body
    assert "author" not in reader.visitor.cookies
    forged = blog.author().visitor.cookies["author"].split("|")
    forged[4] = "1:Mg=="
    reader.visitor.cookies["author"] = "|".join(forged)
    assert reader.get("/compose").status == 302
    assert "Nothing here yet." in reader.get("/").body


def test_nobody_changes_the_entry_of_another(blog: Blog) -> None:
    path = blog.author().publish("Mine", "text")
    query = "INSERT INTO authors (name, salt, password_key) VALUES ('other', '', '') RETURNING id"
    [[other]] = execute(blog.postgres, query)
    execute(blog.postgres, f"UPDATE entries SET author = {other}")
    author, form = blog.author(), path.replace("entry", "compose")
    assert author.get(form).status == 404
    assert author.send(form, title="Theirs", body="text").status == 404
    assert "<h1>Mine</h1>" in author.get(path).body


def test_a_login_leads_on_within_the_site_and_ends(blog: Blog) -> None:
    reader = blog.reader()
    for onward, led in (
        ("/compose", "/compose"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example", "/"),
    ):
        answer = reader.send("/login", name=blog.name, password=blog.password, next=onward)
        assert (answer.status, answer.headers["Location"]) == (302, led)
        [cookie] = [line for line in answer.headers.get_all("Set-Cookie") if line.startswith("author=")]
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Log out author" in reader.get("/").body
    reader.send("/logout")
    assert "Log out" not in reader.get("/").body and "author" not in reader.visitor.cookies


@pytest.mark.parametrize("path", ["/login", "/logout", "/compose"])
def test_a_post_without_its_xsrf_token_is_refused(blog: Blog, path: str) -> None:
    author = blog.author()
    fields = {"title": "forged", "body": "forged", "name": blog.name, "password": blog.password}
    assert author.visitor.post(path, fields).status == 403
    assert "Log out author" in author.get("/").body and "forged" not in author.get("/").body


@pytest.mark.parametrize(
    "fields", [{}, {"title": "x"}, {"title": " ", "body": "x"}, {"title": "x" * 201, "body": "x"}]
)
def test_entries_that_are_empty_or_too_long_are_refused(blog: Blog, fields: dict[str, str]) -> None:
    author = blog.author()
    assert author.send("/compose", **fields).status == 400
    assert "Nothing here yet." in author.get("/").body


def test_a_zero_byte_disturbs_nothing(blog: Blog) -> None:
    author = blog.author()
    assert "a b" in author.get(author.publish("title", "a\0b")).body
    assert blog.reader().send("/login", name="a\0b", password="a\0b").status == 403


def test_without_its_database_it_says_so_and_with_it_goes_on(blog: Blog) -> None:
    author = blog.author()
    path = author.publish("Kept", "text")
    blog.postgres.stop()
    try:
        for _ in range(2):
            answer = author.get(path)
            assert answer.status == 503 and "503: Service Unavailable" in answer.body
        assert author.get("/static/blog.css").status == 200
    finally:
        blog.postgres.start()
    assert "<h1>Kept</h1>" in author.get(path).body


def test_the_pool_is_closed_with_the_application_and_authors_stay(
    blog: Blog, start_demo: Callable[..., Any]
) -> None:
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zonda blog'"
    assert execute(blog.postgres, count)[0][0] >= 1
    blog.demo.process.terminate()
    blog.demo.wait_for_line("The pool is closed")
    assert blog.demo.process.wait(10) == 0
    assert execute(blog.postgres, count)[0][0] == 0
    again = start_demo("blog", "main.py", f"--database={blog.postgres.dsn}")
    assert not any("password" in line for line in again.lines)
    assert Blog(blog.postgres, again, blog.name, blog.password).author().publish("t", "b") == "/entry/1"


@pytest.mark.parametrize(
    "database",
    ["postgresql://tests@/postgres?host=/nowhere", "postgresql://tests@/missing?host={}", "http://x/"],
)
def test_a_database_that_cannot_be_had_is_told_in_words(
    cluster: Postgres, free_port: Callable[[], int], database: str
) -> None:
    arguments = [f"--port={free_port()}", f"--database={database.format(cluster.folder)}"]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), *arguments], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1 and done.stderr.startswith("No blog without its database: ")
    assert "Traceback" not in done.stderr
