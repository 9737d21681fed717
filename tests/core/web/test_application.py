"""Which handler a request gets: order, hosts, nesting, and routes that change while the server runs."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.web.asking import Ask, ask, ask_all
from tests.hops.harness import run as hops
from zonda._core.server.request import HTTPServerRequest
from zonda.routing import AnyMatches, HostMatches, Matcher, PathMatches, Router, Rule, RuleRouter
from zonda.web import Application, ErrorHandler, OutputTransform, RequestHandler, url


class Named(RequestHandler):
    """Answers with the name that its route gave it, and what the path gave."""

    def initialize(self, name: str) -> None:
        self.name = name

    def get(self, *args: str, **kwargs: str) -> None:
        self.write(" ".join([self.name, *args, *(f"{key}={kwargs[key]}" for key in sorted(kwargs))]))


def to(pattern: Any, name: str) -> Any:
    return url(pattern, Named, {"name": name}, name=name)


def who(app: Application, uri: str, host: str | None = None, *headers: tuple[str, str]) -> str:
    """What the handler said, or the status of an error; a `host` goes into the target (RFC 9112, 3.2.2)."""
    answer = ask(app, uri=uri if host is None else f"http://{host}{uri}", headers=headers)
    return answer.body.decode() if answer.status == 200 else str(answer.status)


class Elsewhere(Router):
    """A router of the user's own: the request leaves the short way through the application."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.app = Application()

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        if request.path != self.wanted:
            return None
        return self.app.get_handler_delegate(request, Named, target_kwargs={"name": "elsewhere"})


SILENT: dict[str, Any] = {"log_function": lambda handler: None}

#: The same routes on the short way, on the way of Tornado's delegates, and mixed with another router.
WAYS: dict[str, Callable[[list[Any]], Application]] = {
    "short": lambda routes: Application(routes),
    "in a list": lambda routes: Application([Rule(AnyMatches(), routes)]),
    "in a list in a list": lambda routes: Application([(r"/.*", [Rule(AnyMatches(), routes)])]),
    "in an application": lambda routes: Application([Rule(AnyMatches(), Application(routes, **SILENT))]),
    "behind a router": lambda routes: Application([Rule(AnyMatches(), Elsewhere("/elsewhere")), *routes]),
    "before a router": lambda routes: Application([*routes, Rule(AnyMatches(), Elsewhere("/elsewhere"))]),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_first_route_that_matches_wins(way):
    app = WAYS[way](
        [
            to("/a/b", "exact"),
            to("/a/(.*)", "prefix"),
            to("/a/c", "hidden"),
            to(r"/(\w+)/x", "regex"),
            to("/z/x", "hidden too"),
            to(re.compile("/open"), "open end"),
            to("/opening", "hidden by the open end"),
            to("/(?P<last>last)", "last"),
            to(r"/opt(/x)?/(.*)", "optional"),
        ]
    )
    assert who(app, "/a/b") == "exact"
    assert who(app, "/a/c") == "prefix c"
    assert who(app, "/z/x") == "regex z"
    assert who(app, "/opening") == "open end"
    assert who(app, "/last") == "last last=last"
    assert who(app, "/a%2Fb") == "404"
    assert who(app, "/a/%62") == "prefix b"
    assert who(app, "/a/b%20c+d%2F?x=/a/b") == "prefix b c+d/"
    assert who(app, "/none") == "404"


def test_static_files_go_before_routes_and_their_prefix_is_text(tmp_path):
    for name in ("x.txt", "robots.txt"):
        (tmp_path / name).write_text("static")
    routes = [to("/robots.txt", "own robots"), to("/(.*)", "own")]
    app = Application(routes, static_path=str(tmp_path), static_url_prefix="/s.(t)+/")
    assert who(app, "/robots.txt") == "static"
    assert who(app, "/s.(t)+/x.txt") == "static"
    assert who(app, "/sat/x.txt") == "own sat/x.txt"
    assert who(app, "/favicon.ico") == "404"


def test_hosts_go_before_any_host_in_the_order_they_were_added():
    app = Application([to("/a", "any"), to("/c", "any c")])
    app.add_handlers("x.example", [to("/a", "x")])
    app.add_handlers(r".*\.example", [to("/a", "some"), to("/b", "some b")])
    assert who(app, "/a", "x.example") == who(app, "/a", "x.example:8888") == "x"
    assert who(app, "/b", "x.example") == "some b"
    assert who(app, "/a", "y.example") == "some"
    assert who(app, "/c", "y.example") == "any c"
    assert who(app, "/a", "x.example.evil") == who(app, "/a", "[::1]:80") == "any"
    assert who(app, "/b", "other") == "404"


def test_the_default_host_serves_those_that_no_proxy_names():
    app = Application([to("/a", "any")], default_host="x.example")
    app.add_handlers("x.example", [to("/a", "x"), to("/b", "x b")])
    assert who(app, "/a", "other") == "any"
    assert who(app, "/b", "other") == "x b"
    assert who(app, "/b", "other", ("X-Real-Ip", "1.2.3.4")) == "404"


def test_routes_may_change_while_the_server_runs():
    app = Application([to("/a", "a")])
    rules = app.wildcard_router.rules
    assert (who(app, "/a"), who(app, "/b")) == ("a", "404")
    app.wildcard_router.add_rules([to("/b", "b")])
    assert who(app, "/b") == "b"
    rules.insert(0, to("/(.*)", "all"))
    assert who(app, "/a") == "all a"
    rules[0] = to("/a", "replaced")
    assert (who(app, "/a"), who(app, "/b")) == ("replaced", "b")
    del rules[0]
    assert who(app, "/a") == "a"
    rules[0].target_kwargs = {"name": "told otherwise"}
    assert who(app, "/a") == "told otherwise"
    app.add_handlers("h.example", [to("/a", "host")])
    assert who(app, "/a", "h.example") == "host"
    app.default_router.rules.insert(0, to("/a", "before hosts"))
    assert who(app, "/a", "h.example") == "before hosts"
    del app.default_router.rules[:2]
    assert who(app, "/a", "h.example") == "told otherwise"


def test_the_route_for_any_host_may_be_replaced_or_followed():
    app = Application([to("/a", "a")])
    app.default_router.add_rules([to("/b", "behind")])
    assert (who(app, "/a"), who(app, "/b")) == ("a", "behind")
    app.default_router.rules[:] = [to("/a", "instead")]
    assert (who(app, "/a"), who(app, "/b")) == ("instead", "404")


def test_rules_kept_in_a_plain_list_are_asked_one_after_the_other():
    app = Application([to("/a", "a")])
    app.wildcard_router.rules = [to("/(.*)", "all"), *app.wildcard_router.rules]
    assert who(app, "/a") == "all a"


def test_a_router_that_does_not_take_the_request_leaves_it_to_the_next():
    app = Application(
        [
            Rule(PathMatches("/e.*"), Elsewhere("/elsewhere")),
            to("/else", "next"),
            Rule(HostMatches("h"), RuleRouter([Rule(PathMatches("/else2"), Elsewhere("/else2"))])),
            to("/else2", "next too"),
        ]
    )
    assert who(app, "/elsewhere") == "elsewhere"
    assert who(app, "/else") == "next"
    assert (who(app, "/else2", "h"), who(app, "/else2")) == ("elsewhere", "next too")


def test_whoever_no_route_wants_goes_to_the_default_handler():
    app = Application([to("/a", "a")], default_handler_class=Named, default_handler_args={"name": "default"})
    assert (who(app, "/a"), who(app, "/b")) == ("a", "default")


def test_a_handler_may_be_told_by_its_dotted_name():
    app = Application([("/e", "zonda.web.ErrorHandler", {"status_code": 418})])
    assert app.wildcard_router.rules[0].target is ErrorHandler
    assert ask(app, uri="/e").status == 418


@pytest.mark.parametrize("argument", ["é", "é".encode()])
def test_a_router_may_give_arguments_as_text_or_bytes(argument):
    class Giving(Elsewhere):
        def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
            given = {"path_args": [argument], "path_kwargs": {"key": argument}}
            return self.app.get_handler_delegate(request, Named, {"name": "given"}, **given)

    assert who(Application([Rule(AnyMatches(), Giving("/"))]), "/") == "given é key=é"


def test_a_handler_s_own_decode_argument_is_asked_for_every_argument_of_a_path():
    """It gets the bytes that the path stands for, or the text that a matcher of one's own gives."""

    class Giving(Matcher):
        def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
            return {"path_args": ["text", None]} if request.path == "/given" else None

    class Asked(Named):
        def decode_argument(self, value: Any, name: str | None = None) -> str:
            return f"<{value!r} {name}>"

        def get(self, *args: Any, **kwargs: Any) -> None:
            super().get(*map(str, args), **kwargs)

    app = Application(
        [
            (r"/place/([^/]+)/([^/]+)?", Asked, {"name": "place"}),
            (r"/name/(?P<key>[^/]+)", Asked, {"name": "name"}),
            Rule(Giving(), Asked, {"name": "given"}),
        ]
    )
    assert who(app, "/place/a%2Fb/") == "place <b'a/b' None> None"
    assert who(app, "/place/plain/b") == "place <b'plain' None> <b'b' None>"
    assert who(app, "/name/plain") == "name key=<b'plain' key>"
    assert who(app, "/given") == "given <'text' None> None"


def test_arguments_of_a_path_are_text_however_they_are_written(expect_log):
    app = Application([to(r"/([^/]+)/(?:([^/]+))?", "place"), to(r"/(?P<key>[^/]+)", "name")])
    assert who(app, "/plain/a%20b+c") == "place plain a b+c"
    assert who(app, "/%C3%A9") == "name key=é"
    expect_log("zonda.general", "Invalid unicode in url")
    expect_log("zonda.general", "Invalid unicode in key")
    assert who(app, "/%FF/x") == who(app, "/%FF") == "400"


def test_what_a_handler_changes_of_its_arguments_is_its_own():
    class Passing(OutputTransform):
        """Changes nothing."""

    class Reading(RequestHandler):
        def get(self, *args: str, **kwargs: str) -> None:
            self.write(f"{args} {kwargs} {len(self._transforms)}")

    class Changing(Reading):
        def prepare(self) -> None:
            self.path_args.append("x")
            self.path_kwargs["name"] = "y"
            self._transforms.append(Passing(self.request))

    app = Application([("/changing", Changing), ("/reading", Reading)])
    answers = ask_all(app, *(Ask(uri=uri) for uri in ("/changing", "/reading", "/changing")))
    assert [answer.body.decode() for answer in answers] == [
        "('x',) {'name': 'y'} 1",
        "() {} 0",
        "('x',) {'name': 'y'} 1",
    ]


def test_find_handler_of_a_subclass_is_asked():
    class Own(Application):
        def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
            return self.get_handler_delegate(request, Named, {"name": "own"})

    assert who(Own([to("/a", "a")]), "/a") == "own"


def test_reverse_url_finds_routes_of_any_host_and_of_lists():
    app = Application([to(r"/c/(\d+)/(\w+)", "c"), ("/n/.*", [to("/n/(.*)", "nested")])])
    app.add_handlers("h", [to("/host", "host")])
    assert app.reverse_url("c", 1, "x y") == "/c/1/x%20y"
    assert app.reverse_url("nested", "a") == "/n/a"
    assert app.reverse_url("host") == "/host"
    with pytest.raises(KeyError, match="none not found in named urls"):
        app.reverse_url("none")


def test_a_request_costs_the_same_calls_among_ten_thousand_routes():
    class Plain(RequestHandler):
        def get(self, *args: str) -> None:
            self.write("x")

    def calls(count: int, pattern: str, path: str) -> int:
        app = Application([(pattern.format(number), Plain) for number in range(1000, 1000 + count)])
        request = f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        return hops(asyncio.new_event_loop, app, request).calls

    for pattern, path in (("/p{}", "/p1005"), ("/api/p{}/(.*)", "/api/p1005/x"), ("/p{}/?", "/p1005/")):
        assert calls(10_000, pattern, path) <= calls(10, pattern, path) + 2
