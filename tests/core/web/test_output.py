"""Answers: lengths, phrases and tags that a handler sets itself, and what comes out of an `await`."""

import asyncio
from typing import Any

import pytest

from tests.core.web.asking import Ask, ask, ask_all
from zonda.web import Application, HTTPError, RequestHandler, stream_request_body


def answering(get: Any) -> Application:
    return Application([("/", type("Answering", (RequestHandler,), {"get": get, "head": get}))])


@pytest.mark.parametrize("body", [b"", b"ok", b"o" * 50])
def test_a_length_that_is_not_the_body_s_never_reaches_the_next_answer(body, expect_log):
    """What is announced and does not come would be taken from the next answer (response splitting)."""

    def get(self: RequestHandler) -> None:
        self.set_header("Content-Length", "42")
        self.finish(body)

    expect_log("zonda.application", "Uncaught exception")
    expect_log("zonda.general", "after headers written|partial response")
    with pytest.raises((IndexError, AssertionError, ValueError)):
        answer = ask(answering(get))
        assert len(answer.body) == 42


def test_an_announced_length_without_a_body():
    """HEAD and 304 tell the length of the body they do not have (RFC 9110, 8.6)."""

    def get(self: RequestHandler) -> None:
        self.set_header("Content-Length", "42")
        self.set_status(int(self.get_query_argument("status")))

    head, not_modified = ask_all(answering(get), Ask("HEAD", "/?status=200"), Ask("GET", "/?status=304"))
    assert head["Content-Length"] == not_modified["Content-Length"] == "42"
    assert head.body == not_modified.body == b""


@pytest.mark.parametrize("reason", ["OK\r\nX-Injected: 1", "a\x00b", "a\x7fb", "<script>", "€"])
def test_nothing_comes_loose_of_a_reason(reason):
    def get(self: RequestHandler) -> None:
        raise HTTPError(400, reason=reason)

    answer = ask(answering(get))
    assert answer["X-Injected"] is None
    assert answer.body == b"<html><title>400: Unknown</title><body>400: Unknown</body></html>"


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\x00b", "a\x7fb", "a\x1fb"])
def test_no_header_is_split(value):
    def get(self: RequestHandler) -> None:
        for name, content in (("X-A", value), ("X-" + value, "a")):
            with pytest.raises(ValueError):
                self.set_header(name, content)
            with pytest.raises(ValueError):
                self.add_header(name, content)
        self.set_header("X-Tab", "a\tb")

    answer = ask(answering(get))
    assert (answer.status, answer["X-Tab"], answer["X-A"]) == (200, "a\tb", None)


def test_a_tag_of_the_handler_s_own_stands():
    def get(self: RequestHandler) -> None:
        self.set_header("Etag", '"mine"')
        self.write("page")

    assert ask(answering(get))["Etag"] == '"mine"'


@pytest.mark.parametrize("where", ["in the subclass", "at run time"])
def test_a_computed_tag_is_checked_like_any_header(where, monkeypatch, expect_log):
    app = answering(lambda self: self.write("x"))
    owner = app.wildcard_router.rules[0].target if where == "in the subclass" else RequestHandler
    monkeypatch.setattr(owner, "compute_etag", lambda self: '"a\x07b"')
    expect_log("zonda.application", "Uncaught exception")
    assert ask(app).status == 500
    monkeypatch.setattr(owner, "compute_etag", lambda self: '"a-b"')
    assert ask(app)["Etag"] == '"a-b"'


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_may_be_raised(status):
    def get(self: RequestHandler) -> None:
        raise HTTPError(status)

    answer = ask(answering(get))
    assert (answer.status, answer.body, answer["Content-Type"]) == (status, b"", None)


def test_what_was_cancelled_elsewhere_is_an_error_here(expect_log):
    def cancelled() -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        return future

    async def get(self: RequestHandler) -> None:
        await cancelled()

    def plain(self: RequestHandler) -> None:
        cancelled().result()

    log = expect_log("zonda.application", "Uncaught exception")
    assert [ask(answering(method)).status for method in (get, plain)] == [500, 500]
    assert len(log.records) == 2


def test_a_handler_that_is_cancelled_itself_ends_as_cancelled():
    tasks = []

    async def get(self: RequestHandler) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        task.cancel()
        await asyncio.get_running_loop().create_future()

    assert ask(answering(get)).status == 500
    assert tasks[0].cancelled()


def test_an_answer_before_the_end_of_a_streamed_body_ends_the_connection():
    @stream_request_body
    class Refusing(RequestHandler):
        def prepare(self) -> None:
            raise HTTPError(401)

    endless = [("Transfer-Encoding", "chunked")]
    answer = ask(Application([("/", Refusing)]), "GET", headers=endless)
    assert (answer.status, answer["Connection"]) == (401, "close")
