"""Decorators: nobody is sent to another host, however the path is written."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.core.web.asking import HOST, Ask, ask, ask_all
from zonda.web import Application, RequestHandler, addslash, authenticated, removeslash


class Add(RequestHandler):
    @addslash
    def get(self) -> None:
        self.write("reached")

    head = post = get


class Remove(RequestHandler):
    @removeslash
    def get(self) -> None:
        self.write("reached")

    head = post = get


class Members(RequestHandler):
    def get_current_user(self) -> Any:
        return self.get_query_argument("user", None)

    def get_login_url(self) -> str:
        return self.get_query_argument("login", "/login")

    @authenticated
    async def get(self) -> None:
        self.write("reached")

    head = post = get


ADD = Application([(".*", Add)])
REMOVE = Application([(".*", Remove)])
MEMBERS = Application([(".*", Members)])


@pytest.mark.parametrize("start", ["//", "///", "/\\", "/\\/", "//user@", "//\\"])
@pytest.mark.parametrize(("application", "end"), [(ADD, ""), (REMOVE, "/"), (REMOVE, "///")])
def test_no_path_names_a_host(start, application, end, expect_log):
    expect_log("zonda.general", "403 GET .*two initial slashes")
    answer = ask(application, uri=f"{start}evil.example/x{end}")
    assert (answer.status, answer["Location"]) == (403, None)


@pytest.mark.parametrize(
    ("application", "uri", "location"),
    [
        (ADD, "/a", "/a/"),
        (ADD, "/a?b=/&c", "/a/?b=/&c"),
        (ADD, "/a//b", "/a//b/"),
        (ADD, "/%2F%2Fevil.example", "/%2F%2Fevil.example/"),
        (REMOVE, "/a/", "/a"),
        (REMOVE, "/a//", "/a"),
        (REMOVE, "/a/?b", "/a?b"),
    ],
)
def test_the_way_to_the_other_path(application, uri, location):
    get, head, post = ask_all(application, Ask("GET", uri), Ask("HEAD", uri), Ask("POST", uri))
    assert (get.status, get["Location"]) == (head.status, head["Location"]) == (301, location)
    assert post.status == 404


@pytest.mark.parametrize(("application", "uri"), [(ADD, "/a/"), (ADD, "/"), (REMOVE, "/a"), (REMOVE, "/")])
def test_the_right_path_is_served(application, uri):
    assert ask(application, uri=uri).body == b"reached"


def test_users_are_let_in():
    get, post = ask_all(MEMBERS, Ask("GET", "/?user=u"), Ask("POST", "/?user=u"))
    assert get.body == post.body == b"reached"


def test_others_are_sent_to_the_login_page_or_refused():
    get, head, post = ask_all(MEMBERS, Ask("GET", "/x?a=b&c"), Ask("HEAD", "/x?a=b&c"), Ask("POST", "/x"))
    assert get.status == head.status == 302
    assert get["Location"] == head["Location"] == "/login?next=%2Fx%3Fa%3Db%26c"
    assert post.status == 403


def test_a_login_page_elsewhere_gets_the_whole_address():
    location = ask(MEMBERS, uri="/x?login=https://id.example/")["Location"] or ""
    assert parse_qs(urlsplit(location).query) == {"next": [f"http://{HOST}/x?login=https://id.example/"]}


@pytest.mark.parametrize("uri", ["//evil.example/x", "/\\evil.example/x", "///evil.example"])
def test_the_login_page_is_never_told_to_lead_to_another_host(uri):
    """A page that redirects to `next` as it stands stays on the host that was asked."""
    location = ask(MEMBERS, uri=uri)["Location"] or ""
    assert parse_qs(urlsplit(location).query) == {"next": [f"http://{HOST}{uri}"]}


def test_a_decorated_method_is_still_itself():
    assert Members.get.__name__ == Add.get.__name__ == Remove.get.__name__ == "get"
