"""Routing: patterns, named groups, hosts, routers; redirects and trailing slashes."""

from typing import Any

from package import RequestHandler, httputil, web


class ShowHandler(RequestHandler):
    """Says which route took the request, and with what."""

    def initialize(self, name: str = "", **more: Any) -> None:
        self.name, self.more = name, more

    def answer(self, *args: str | None, **kwargs: str | None) -> None:
        self.write({"route": self.name, "more": self.more, "args": args, "kwargs": kwargs})

    get = post = head = answer


class GetOnlyHandler(RequestHandler):
    def get(self) -> None:
        self.write("get only")


class EveryMethodHandler(RequestHandler):
    SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

    def answer(self) -> None:
        self.set_header("X-Method", self.request.method)
        self.write(self.request.method)

    get = head = post = put = patch = delete = options = propfind = answer


class SlashHandler(RequestHandler):
    @web.addslash
    def get(self, *args: str) -> None:
        self.write(self.request.path)

    head = get

    @web.addslash
    def post(self, *args: str) -> None:
        self.write("posted")


class NoSlashHandler(RequestHandler):
    @web.removeslash
    def get(self, *args: str) -> None:
        self.write(self.request.path)

    head = get


class ReverseHandler(RequestHandler):
    def get(self) -> None:
        self.write(
            {
                "plain": self.reverse_url("plain"),
                "one": self.reverse_url("one", "a b/c"),
                "two": self.reverse_url("two", 1, "é"),
            }
        )


class RedirectsHandler(RequestHandler):
    def get(self) -> None:
        argument = self.get_argument
        status = argument("status", None)
        self.redirect(
            argument("to"), permanent=argument("permanent", "") == "1", status=int(status) if status else None
        )

    post = get


class LateRedirectHandler(RequestHandler):
    def get(self) -> None:
        self.write("before")
        self.flush()
        self.redirect("/elsewhere")


class LockedHandler(RequestHandler):
    def get_current_user(self) -> str | None:
        return self.get_cookie("user")

    @web.authenticated
    def get(self) -> None:
        self.write(f"user {self.current_user}")

    @web.authenticated
    def post(self) -> None:
        self.write(f"posted by {self.current_user}")

    head = get


class FarLockedHandler(LockedHandler):
    def get_login_url(self) -> str:
        return "http://login.example/in?x=1"


def answer_plainly(request: Any) -> None:
    """An application of the kind that `FallbackHandler` hands over to."""
    body = f"fallback {request.uri}".encode()
    request.connection.write_headers(
        httputil.ResponseStartLine("", 200, "OK"),
        httputil.HTTPHeaders({"Content-Length": str(len(body))}),
        body,
    )
    request.connection.finish()


def show(pattern: str, name: str, **more: Any) -> Any:
    return web.url(pattern, ShowHandler, {"name": name, **more}, name=name)


ROUTES = [
    show(r"/plain", "plain"),
    show(r"/one/([^/]+)", "one"),
    show(r"/two/([0-9]+)/(.*)", "two", extra=1),
    show(r"/named/(?P<first>[a-z]+)/(?P<second>[^/]*)", "named"),
    show(r"/maybe(?:/([a-z]+))?", "maybe"),
    show(r"/namedmaybe(?:/(?P<word>[a-z]+))?", "namedmaybe"),
    show(r"/nested/((a+)(b+))", "nested"),
    show(r"/dots/v1.0", "dots"),
    show(r"/exact/end$", "exact"),
    show(r"^/caret/(x)", "caret"),
    show(r"/first.*", "first"),
    show(r"/first/never", "never"),
    show(r"/(?:de|fr)/page", "alternatives"),
    show(r"/unicode/(\w+)", "unicode"),
    show(r"/umlaut/ü", "umlaut"),
    show(r"/percent/%20", "percent"),
    show(r"/", "root"),
    (r"/getonly", GetOnlyHandler),
    (r"/every", EveryMethodHandler),
    (r"/slash/?(.*)", SlashHandler),
    (r"/dir/?", SlashHandler),
    (r"/file/?", NoSlashHandler),
    (r"/(/evil.example)/?", NoSlashHandler),
    (r"/reverse", ReverseHandler),
    (r"/redirects", RedirectsHandler),
    (r"/lateredirect", LateRedirectHandler),
    (r"/locked", LockedHandler),
    (r"/farlocked", FarLockedHandler),
    (r"/moved", web.RedirectHandler, {"url": "/new"}),
    (r"/found", web.RedirectHandler, {"url": "/new", "permanent": False}),
    (r"/movedquery", web.RedirectHandler, {"url": "/new?b=2"}),
    (r"/old/(.*?)/(.*)", web.RedirectHandler, {"url": "/new/{1}/{0}"}),
    (r"/far", web.RedirectHandler, {"url": "http://other.example/x"}),
    (r"/gone", web.ErrorHandler, {"status_code": 410}),
    (r"/fallback/.*", web.FallbackHandler, {"fallback": answer_plainly}),
]


def add_hosts(application: Any) -> None:
    application.add_handlers(r"www\.example\.com", [show(r"/host", "www")])
    application.add_handlers(r"(.*)\.example\.com", [show(r"/host", "any"), show(r"/host/(.*)", "anypath")])
    application.add_handlers(r".*\.example\.org$", [show(r"/host", "org"), show(r"/plain", "org plain")])


def hosted_application(settings: dict[str, Any]) -> Any:
    """An application with a default host, and nothing for the others."""
    application = web.Application(default_host="www.example.com", **settings)
    application.add_handlers(r"www\.example\.com", [show(r"/host", "www"), show(r"/", "www root")])
    application.add_handlers(r"api\.example\.com", [show(r"/host", "api")])
    return application


def router(main: Any, routing: Any) -> Any:
    """Routers in routers, and a matcher of one's own."""

    class TokenMatches(routing.Matcher):  # type: ignore[misc, name-defined]
        def match(self, request: Any) -> dict[str, Any] | None:
            return {} if request.headers.get("X-Token") == "open" else None

    inner = web.Application([show(r"/app/(\w+)", "inner"), show(r"/app.*", "inner rest")])
    return routing.RuleRouter(
        [
            routing.Rule(TokenMatches(), web.Application([show(r"/.*", "token")])),
            routing.Rule(routing.HostMatches("inner.example"), inner),
            routing.Rule(
                routing.PathMatches(r"/under/.*"),
                routing.RuleRouter(
                    [
                        routing.Rule(
                            routing.PathMatches(r"/under/app.*"),
                            web.Application([show(r"/under/app/(.*)", "under")]),
                        )
                    ]
                ),
            ),
            routing.Rule(routing.AnyMatches(), main),
        ]
    )
