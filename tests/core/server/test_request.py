"""Requests: a cookie read alone is the one that `cookies` shows."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.web.asking import ask
from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.cookies import parse_cookie
from zonda.httputil import HTTPHeaders
from zonda.web import Application, RequestHandler

NAMES = st.sampled_from(["a", "b", "path", "Expires", "a b", "__Host-a", "", "é", "a:b", "a@b"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters=";\x7f"), max_size=8)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=5)


def request(fields: list[str]) -> HTTPServerRequest:
    headers = HTTPHeaders()
    for field in fields:
        headers.add("Cookie", field.strip())
    return HTTPServerRequest("GET", "/", headers=headers)


@given(FIELDS, st.booleans())
@example([("a", '"q\\073\\"x"'), ("a", "2")], True)
def test_one_cookie_is_what_all_of_them_say(pairs: list[tuple[str, str]], together: bool) -> None:
    pieces = [f"{name}={value}" for name, value in pairs]
    fields = ["; ".join(pieces)] if together else pieces
    jar = request(fields).cookies
    alone = request(fields)
    for name in {*parse_cookie("; ".join(pieces)), "a", "path", "é", "missing"}:
        assert alone._cookie(name) == (jar[name].value if name in jar else None)


def test_cookies_of_several_fields_are_read_from_the_wire_and_from_changed_headers() -> None:
    class Reads(RequestHandler):
        def get(self) -> None:
            before = [self.get_cookie(name) for name in ("a", "b", "path", "missing")]
            assert "headers" not in vars(self.request)
            shown = {name: morsel.value for name, morsel in self.request.cookies.items()}
            del self.request._cookies
            self.request.headers["Cookie"] = "a=3"
            self.write(
                {"before": before, "shown": shown, "then": [self.get_cookie("a"), self.get_cookie("b")]}
            )

    headers = [("Cookie", "a=1; path=x"), ("cookie", 'b="\xe9"'), ("Cookie", "a=2")]
    answer = ask(Application([("/", Reads)]), headers=headers)
    assert answer.body == (
        b'{"before": ["2", "\\u00c3\\u00a9", null, null], "shown": {"a": "2", "b": "\\u00c3\\u00a9"},'
        b' "then": ["3", null]}'
    )
