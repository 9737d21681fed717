"""Answers: status, headers, cookies, what `write` takes, flushed and empty ones, tags and conditions."""

import datetime
from collections.abc import Callable
from typing import Any, ClassVar

from package import NOW, RequestHandler, escape

Action = Callable[[RequestHandler], Any]


class ActionHandler(RequestHandler):
    """Does what the last part of the path names."""

    ACTIONS: ClassVar[dict[str, Action]] = {}

    def answer(self, name: str) -> None:
        self.ACTIONS[name](self)

    get = head = post = put = delete = answer


def actions(**named: Action) -> type[ActionHandler]:
    return type("Actions", (ActionHandler,), {"ACTIONS": named})


def _twice(first: Action, second: Action) -> Action:
    return lambda handler: (first(handler), second(handler))


STATUS = actions(
    created=lambda h: h.set_status(201),
    teapot=lambda h: h.set_status(418),
    unknown=lambda h: h.set_status(599),
    odd=lambda h: h.set_status(799),
    named=lambda h: h.set_status(200, "Very Well"),
    unknown_named=lambda h: h.set_status(599, "So So"),
    empty_reason=lambda h: h.set_status(200, ""),
    bytes_reason=lambda h: h.set_status(200, b"Bytes"),
    split=lambda h: h.set_status(200, "OK\r\nX-Evil: 1"),
    latin=lambda h: h.set_status(200, "sch\xf6n"),
    wide=lambda h: h.set_status(200, "\u2603"),
    string=lambda h: h.set_status("202"),
    none=lambda h: h.set_status(None),
    asked=lambda h: (h.set_status(404), h.write(str(h.get_status()))),
    twice=_twice(lambda h: h.set_status(404, "X"), lambda h: h.set_status(200)),
    continue_=lambda h: h.set_status(100),
    no_content=lambda h: h.set_status(204),
    no_content_body=lambda h: (h.set_status(204), h.write("body")),
    no_content_header=lambda h: (
        h.set_status(204),
        h.set_header("Content-Type", "text/x"),
        h.set_header("X-A", "b"),
    ),
    reset_content=lambda h: h.set_status(205),
    not_modified=lambda h: h.set_status(304),
    not_modified_body=lambda h: (h.set_status(304), h.write("body")),
    not_modified_headers=lambda h: (
        h.set_status(304),
        h.set_header("Content-Language", "de"),
        h.set_header("Etag", '"x"'),
    ),
    no_content_length=lambda h: (h.set_status(204), h.set_header("Content-Length", "0")),
    cleared=lambda h: (h.set_status(500), h.set_header("X-A", "1"), h.clear(), h.write("clean")),
)

STAMP = datetime.datetime(2020, 2, 29, 12, 30, 15)

HEADERS = actions(
    text=lambda h: h.set_header("X-A", "text"),
    bytes=lambda h: h.set_header("X-A", b"bytes"),
    number=lambda h: h.set_header("X-A", 42),
    float=lambda h: h.set_header("X-A", 1.5),
    none=lambda h: h.set_header("X-A", None),
    list=lambda h: h.set_header("X-A", ["a"]),
    time=lambda h: h.set_header("X-A", STAMP),
    zoned=lambda h: h.set_header("X-A", STAMP.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2)))),
    case=lambda h: h.set_header("x-lower-CASE", "1"),
    empty=lambda h: h.set_header("X-A", ""),
    blanks=lambda h: h.set_header("X-A", "  a b  "),
    tab=lambda h: h.set_header("X-A", "a\tb"),
    latin=lambda h: h.set_header("X-A", "\xe9"),
    wide=lambda h: h.set_header("X-A", "\u2603"),
    newline=lambda h: h.set_header("X-A", "a\r\nX-B: b"),
    lf=lambda h: h.set_header("X-A", "a\nb"),
    cr=lambda h: h.set_header("X-A", "a\rb"),
    nul=lambda h: h.set_header("X-A", "a\0b"),
    delete=lambda h: h.set_header("X-A", "a\x7fb"),
    name_blank=lambda h: h.set_header("X A", "1"),
    name_colon=lambda h: h.set_header("X:A", "1"),
    name_empty=lambda h: h.set_header("", "1"),
    name_newline=lambda h: h.set_header("X\r\nA", "1"),
    name_latin=lambda h: h.set_header("X-\xe9", "1"),
    name_blank_added=lambda h: h.add_header("X A", "1"),
    twice=_twice(lambda h: h.set_header("X-A", "1"), lambda h: h.set_header("x-a", "2")),
    added=_twice(lambda h: h.add_header("X-A", "1"), lambda h: h.add_header("x-a", "2")),
    set_added=_twice(lambda h: h.set_header("X-A", "1"), lambda h: h.add_header("X-A", "2")),
    added_set=_twice(lambda h: h.add_header("X-A", "1"), lambda h: h.set_header("X-A", "2")),
    added_newline=lambda h: h.add_header("X-A", "a\nb"),
    cleared=_twice(lambda h: h.set_header("X-A", "1"), lambda h: h.clear_header("x-a")),
    cleared_absent=lambda h: h.clear_header("X-Never"),
    cleared_type=lambda h: (h.clear_header("Content-Type"), h.write("untyped")),
    cleared_server=lambda h: h.clear_header("Server"),
    cleared_date=lambda h: h.clear_header("Date"),
    own_server=lambda h: h.set_header("Server", "mine"),
    own_type=lambda h: (h.set_header("Content-Type", "text/csv"), h.write("a,b")),
    own_length=lambda h: (h.set_header("Content-Length", "4"), h.write("four")),
    own_connection=lambda h: (h.set_header("Connection", "close"), h.write("closing")),
    own_keepalive=lambda h: (h.set_header("Connection", "keep-alive"), h.write("staying")),
    own_etag=lambda h: (h.set_header("Etag", '"mine"'), h.write("tagged")),
    own_chunked=lambda h: (h.set_header("Transfer-Encoding", "chunked"), h.write("x")),
    vary=_twice(lambda h: h.add_header("Vary", "Cookie"), lambda h: h.add_header("Vary", "Accept")),
    many=lambda h: [h.add_header("X-Many", str(n)) for n in range(40)],
)

WRITE = actions(
    nothing=lambda h: None,
    text=lambda h: h.write("text"),
    unicode=lambda h: h.write("gr\u00fc\u00dfe \u2603 \U0001f600"),
    bytes=lambda h: h.write(b"\x00\xff"),
    bytearray=lambda h: h.write(bytearray(b"array")),
    dict=lambda h: h.write({"a": [1, 2.5, None, True], "b": "</script>", "c": "\u00e9"}),
    empty_dict=lambda h: h.write({}),
    int_keys=lambda h: h.write({1: 2}),
    unserializable=lambda h: h.write({"a": object()}),
    dict_type=lambda h: (h.set_header("Content-Type", "application/vnd.x+json"), h.write({"a": 1})),
    list=lambda h: h.write([1, 2]),
    int=lambda h: h.write(1),
    none=lambda h: h.write(None),
    surrogate=lambda h: h.write("\ud800"),
    pieces=lambda h: [h.write(str(n)) for n in range(20)],
    big=lambda h: h.write("0123456789abcdef" * 20_000),
    finish=lambda h: h.finish("finished"),
    finish_dict=lambda h: h.finish({"a": 1}),
    finish_none=lambda h: h.finish(None),
    write_finish=lambda h: (h.write("a"), h.finish("b")),
    finish_twice=lambda h: (h.finish("a"), h.finish("b")),
    write_after=lambda h: (h.finish("a"), h.write("b")),
    flush=lambda h: (h.write("a"), h.flush(), h.write("b")),
    flush_finish=lambda h: (h.write("a"), h.flush(), h.finish("b")),
    flush_empty=lambda h: (h.flush(), h.write("late")),
    flush_only=lambda h: h.flush(),
    flush_twice=lambda h: (h.write("a"), h.flush(), h.flush(), h.write("b"), h.flush()),
    flush_header=lambda h: (h.write("a"), h.flush(), h.set_header("X-Late", "1"), h.set_status(500)),
    flush_length=lambda h: (h.set_header("Content-Length", "2"), h.write("a"), h.flush(), h.write("b")),
    flush_too_long=lambda h: (h.set_header("Content-Length", "1"), h.write("a"), h.flush(), h.write("b")),
    flush_too_short=lambda h: (h.set_header("Content-Length", "3"), h.write("a"), h.flush(), h.write("b")),
    too_long=lambda h: (h.set_header("Content-Length", "1"), h.write("ab")),
    too_short=lambda h: (h.set_header("Content-Length", "5"), h.write("ab")),
    flush_chunked=lambda h: (
        h.set_header("Transfer-Encoding", "chunked"),
        h.write("a"),
        h.flush(),
        h.write("b"),
    ),
    flush_coded=lambda h: (h.set_header("Transfer-Encoding", "gzip"), h.write("a"), h.flush(), h.write("b")),
    flush_204=lambda h: (h.set_status(204), h.flush()),
    flush_304=lambda h: (h.set_status(304), h.flush()),
    clear=lambda h: (h.write("forgotten"), h.clear(), h.write("kept")),
    json=lambda h: (
        h.set_header("Content-Type", "application/json"),
        h.write(escape.json_encode([1, "</a>"])),
    ),
    send_error=lambda h: h.send_error(403),
    send_error_reason=lambda h: h.send_error(403, reason="Because"),
    send_error_late=lambda h: (h.write("a"), h.flush(), h.send_error(500)),
    html=lambda h: h.write("<html><body>" + "text " * 500 + "</body></html>"),
    plain_long=lambda h: (h.set_header("Content-Type", "text/plain"), h.write("text " * 500)),
    image_long=lambda h: (h.set_header("Content-Type", "image/png"), h.write("text " * 500)),
    svg_long=lambda h: (h.set_header("Content-Type", "image/svg+xml"), h.write("text " * 500)),
    js_long=lambda h: (
        h.set_header("Content-Type", "application/javascript; charset=x"),
        h.write("text " * 500),
    ),
    json_long=lambda h: h.write({"a": "text " * 500}),
    untyped_long=lambda h: (h.clear_header("Content-Type"), h.write("text " * 500)),
    encoded_long=lambda h: (h.set_header("Content-Encoding", "br"), h.write("text " * 500)),
    almost_long=lambda h: h.write("x" * 1023),
    just_long=lambda h: h.write("x" * 1024),
    vary_long=lambda h: (h.set_header("Vary", "Cookie"), h.write("text " * 500)),
    length_long=lambda h: (h.set_header("Content-Length", "2500"), h.write("text " * 500)),
    tagged_long=lambda h: (h.set_header("Etag", '"mine"'), h.write("text " * 500)),
    flush_long=lambda h: (h.write("text " * 500), h.flush(), h.write("more " * 500)),
    flush_short=lambda h: (h.write("a"), h.flush(), h.write("b"), h.flush()),
    error_long=lambda h: (h.set_status(404), h.write("text " * 500)),
    partial_long=lambda h: (
        h.set_status(206),
        h.set_header("Content-Range", "bytes 0-2499/9999"),
        h.write("text " * 500),
    ),
)

FUTURE = datetime.datetime(2033, 5, 18, 3, 33, 20)

COOKIE = actions(
    plain=lambda h: h.set_cookie("a", "b"),
    bytes=lambda h: h.set_cookie(b"a", b"b"),
    empty=lambda h: h.set_cookie("a", ""),
    quoted=lambda h: h.set_cookie("a", 'semi;colon,comma "quote" \\back blank'),
    unicode=lambda h: h.set_cookie("a", "gr\u00fc\u00dfe"),
    newline=lambda h: h.set_cookie("a", "x\ny"),
    tab=lambda h: h.set_cookie("a", "x\ty"),
    control=lambda h: h.set_cookie("a", "x\x01y"),
    bad_name=lambda h: h.set_cookie("a b", "c"),
    name_equals=lambda h: h.set_cookie("a=b", "c"),
    name_empty=lambda h: h.set_cookie("", "c"),
    name_unicode=lambda h: h.set_cookie("\u00fc", "c"),
    reserved=lambda h: h.set_cookie("path", "c"),
    domain=lambda h: h.set_cookie("a", "b", domain="example.com"),
    path=lambda h: h.set_cookie("a", "b", path="/foo"),
    no_path=lambda h: h.set_cookie("a", "b", path=None),
    path_evil=lambda h: h.set_cookie("a", "b", path="/;evil=1"),
    domain_evil=lambda h: h.set_cookie("a", "b", domain="a\r\nX: y"),
    samesite_evil=lambda h: h.set_cookie("a", "b", samesite="Lax; evil"),
    expires=lambda h: h.set_cookie("a", "b", expires=FUTURE),
    expires_number=lambda h: h.set_cookie("a", "b", expires=NOW),
    expires_tuple=lambda h: h.set_cookie("a", "b", expires=FUTURE.timetuple()),
    expires_text=lambda h: h.set_cookie("a", "b", expires="soon"),
    days=lambda h: h.set_cookie("a", "b", expires_days=10),
    days_and_expires=lambda h: h.set_cookie("a", "b", expires=FUTURE, expires_days=10),
    age=lambda h: h.set_cookie("a", "b", max_age=100),
    age_zero=lambda h: h.set_cookie("a", "b", max_age=0),
    old_age=lambda h: h.set_cookie("a", "b", **{"max-age": 7}),
    all_flags=lambda h: h.set_cookie(
        "a", "b", httponly=True, secure=True, samesite="Strict", max_age=5, domain="d.example"
    ),
    upper_flags=lambda h: h.set_cookie("a", "b", HttpOnly=True),
    unknown_flag=lambda h: h.set_cookie("a", "b", unknown=True),
    flags_off=lambda h: h.set_cookie("a", "b", httponly=False, secure=False),
    twice=_twice(lambda h: h.set_cookie("a", "1", path="/x"), lambda h: h.set_cookie("a", "2")),
    several=_twice(lambda h: h.set_cookie("b", "1"), lambda h: h.set_cookie("a", "2")),
    cleared=lambda h: h.clear_cookie("a"),
    cleared_path=lambda h: h.clear_cookie("a", path="/p", domain="d.example"),
    cleared_age=lambda h: h.clear_cookie("a", max_age=5),
    cleared_flags=lambda h: h.clear_cookie("a", httponly=True, secure=True, samesite="Lax"),
    cleared_all=lambda h: h.clear_all_cookies(),
    cleared_all_path=lambda h: h.clear_all_cookies(path="/p", domain="x.example"),
    set_cleared=_twice(lambda h: h.set_cookie("a", "1"), lambda h: h.clear_cookie("a")),
    cleared_set=_twice(lambda h: h.clear_cookie("a"), lambda h: h.set_cookie("a", "1")),
    then_error=lambda h: (h.set_cookie("a", "b"), h.send_error(500)),
    then_redirect=lambda h: (h.set_cookie("a", "b"), h.redirect("/x")),
    then_read=lambda h: (h.set_cookie("a", "new"), h.write(h.get_cookie("a", "none"))),
    long=lambda h: h.set_cookie("a", "x" * 5000),
)


class EtagHandler(RequestHandler):
    """Tags of its own choice: `/etag/NAME`."""

    TAGS: ClassVar[dict[str, str | None]] = {
        "none": None,
        "plain": '"plain"',
        "weak": 'W/"weak"',
        "bare": "bare",
        "comma": '"a,b"',
    }

    def compute_etag(self) -> str | None:
        return self.TAGS[self.path_args[0]]

    def get(self, name: str) -> None:
        self.write(name)

    head = get


class DefaultEtagHandler(RequestHandler):
    def get(self) -> None:
        self.set_status(int(self.get_argument("status", "200")))
        self.write("hello")

    head = post = get


class DefaultHeadersHandler(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("X-Default", "1")
        self.set_header("Content-Type", "text/plain")
        self.add_header("X-More", "a")

    def get(self) -> None:
        if self.get_argument("fail", None):
            self.set_header("X-Lost", "1")
            raise RuntimeError("failed")
        self.add_header("X-More", "b")
        self.write("default")


ROUTES = [
    (r"/status/(\w+)", STATUS),
    (r"/set/(\w+)", HEADERS),
    (r"/write/(\w+)", WRITE),
    (r"/cookie/(\w+)", COOKIE),
    (r"/etag/(\w+)", EtagHandler),
    (r"/defaultetag", DefaultEtagHandler),
    (r"/defaultheaders", DefaultHeadersHandler),
]
