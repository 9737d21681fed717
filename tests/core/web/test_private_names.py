"""Private names of Tornado's that real projects use, and methods that they replace while the program runs."""

from http.cookies import SimpleCookie

import pytest

from tests.core.web.asking import Ask, ask_all
from zonda.options import define, options
from zonda.web import Application, OutputTransform, RequestHandler


class Hello(RequestHandler):
    def get(self):
        self.write("hello")


class Slow(RequestHandler):
    async def get(self):
        self.write("hello")


def said(application, *asks):
    return [answer.body.decode() for answer in ask_all(application, *asks)]


def test_unimplemented_method_tells_which_methods_there_are():
    """As jupyter_server lists them."""

    class Lists(RequestHandler):
        def get(self):
            names = [name.lower() for name in self.SUPPORTED_METHODS]
            self.write(" ".join(name for name in names if getattr(self, name) != self._unimplemented_method))

        def post(self):
            self._unimplemented_method()

    assert Lists.put is RequestHandler._unimplemented_method
    get, post = ask_all(Application([("/", Lists)]), Ask(), Ask("POST"))
    assert (get.body, post.status) == (b"get post", 405)


def test_transforms_are_those_of_this_answer():
    class Shouts(OutputTransform):
        def transform_first_chunk(self, status_code, headers, chunk, finishing):
            headers["X-Shouts"] = "yes"
            return status_code, headers, chunk.upper()

    class Chooses(Hello):
        def prepare(self):
            if self.request.query == "none":
                self._transforms = []
            elif self.request.query == "more":
                self._transforms = [*self._transforms, Shouts(self.request)]

    class Long(Chooses):
        def get(self):
            self.write("hello" * 1000)

    compressing = Application([("/", Chooses), ("/long", Long)], compress_response=True)
    packed = [("Accept-Encoding", "gzip")]
    answers = ask_all(
        compressing,
        Ask(uri="/long", headers=packed),
        Ask(uri="/long?none", headers=packed),
        Ask(uri="/?more"),
    )
    assert [answer["Content-Encoding"] for answer in answers] == ["gzip", None, None]
    assert (answers[2].body, answers[2]["X-Shouts"]) == (b"HELLO", "yes")
    assert said(Application([("/", Chooses)]), Ask(), Ask(uri="/?more")) == ["hello", "HELLO"]


def test_xsrf_token_may_be_set_and_forgotten():
    """As jupyterhub does."""

    class Sets(RequestHandler):
        def get(self):
            self._xsrf_token = b"mine"
            mine = self.xsrf_token
            del self._xsrf_token
            self.write(f"{mine!r} {self.xsrf_token != mine} {self._xsrf_token == self.xsrf_token}")

    assert said(Application([("/", Sets)]), Ask()) == ["b'mine' True True"]


def test_cookies_of_a_request_may_be_set_and_read_anew():
    class Sets(RequestHandler):
        def get(self):
            before = self.get_cookie("a")
            self.request._cookies = SimpleCookie("a=2")
            then = self.get_cookie("a")
            del self.request._cookies
            self.request.headers["Cookie"] = "a=3"
            self.write(f"{before} {then} {self.get_cookie('a')}")

    assert said(Application([("/", Sets)]), Ask(headers=[("Cookie", "a=1")])) == ["1 2 3"]


def test_the_stream_under_a_request():
    closed = []

    class Closes(RequestHandler):
        def get(self):
            stream = self.request.connection.stream
            assert stream.socket.getpeername()[0] == "127.0.0.1" and not stream.closed()
            stream.set_close_callback(lambda: closed.append(True))
            stream.write(b"HTTP/1.1 299 Raw\r\nContent-Length: 0\r\n\r\n")
            stream.close()
            self._finished = True

    assert [answer.status for answer in ask_all(Application([("/", Closes)]), Ask())] == [299]
    assert closed == [True]


def test_options_of_the_global_parser():
    """As flower looks whether an option is its own."""
    define("private-name", default=5, type=int)
    try:
        assert "private-name" in options._options
        assert options._options["private-name"].value() == 5
        assert options._options["private-name"].type is int
    finally:
        del options._options["private-name"]
    assert "private_name" not in options


@pytest.mark.parametrize("handler", [Hello, Slow])
@pytest.mark.parametrize("of", ["RequestHandler", "its own class"])
class TestReplacedAtRunTime:
    """By debuggers, tracers and metrics, behind requests that were served without."""

    def asked(self, handler, of, monkeypatch, name, replace):
        application = Application([("/", handler)])
        assert said(application, Ask()) == ["hello"]
        seen = []
        cls = RequestHandler if of == "RequestHandler" else handler
        monkeypatch.setattr(cls, name, replace(getattr(cls, name), seen))
        answers = said(application, Ask())
        monkeypatch.undo()
        assert said(application, Ask()) == ["hello"]
        return seen, answers

    @pytest.mark.parametrize("name", ["__init__", "prepare", "on_finish"])
    def test_what_it_calls(self, handler, of, monkeypatch, name):
        def replace(original, seen):
            def replaced(self, *args, **kwargs):
                seen.append(name)
                return original(self, *args, **kwargs)

            return replaced

        assert self.asked(handler, of, monkeypatch, name, replace) == ([name], ["hello"])

    def test_execute(self, handler, of, monkeypatch):
        def replace(original, seen):
            async def _execute(self, transforms, *args, **kwargs):
                seen.append(self.request.path)
                await original(self, transforms, *args, **kwargs)
                seen.append(self.get_status())

            return _execute

        assert self.asked(handler, of, monkeypatch, "_execute", replace) == (["/", 200], ["hello"])

    def test_log_exception(self, handler, of, monkeypatch):
        def replace(original, seen):
            def fails(self):
                raise ZeroDivisionError

            monkeypatch.setattr(handler, "get", fails)
            return lambda self, typ, value, tb: seen.append(typ)

        seen, answers = self.asked(handler, of, monkeypatch, "log_exception", replace)
        assert seen == [ZeroDivisionError] and "500: Internal Server Error" in answers[0]
