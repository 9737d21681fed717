"""`Application`: routes, settings, and the way from an exchange to a handler."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from zonda._core.base.errors import ProtocolError
from zonda._core.link.delegates import HTTPMessageDelegate
from zonda._core.link.exchange import Exchange
from zonda._core.server.delegates import DelegateServe
from zonda._core.server.request import HTTPServerRequest, request_of
from zonda._core.wire.errors import HTTPInputError
from zonda.log import access_log

from . import application_settings
from .arguments import decode_argument
from .handler import RequestHandler
from .handler_delegate import HandlerDelegate, StreamedBody
from .matchers import NO_NAMES, AnyMatches, DefaultHostMatches, HostMatches, unquoted
from .redirect import ErrorHandler
from .route_table import RouteTable
from .routes import ReversibleRouter, ReversibleRuleRouter
from .rule import Rule
from .start import start
from .static import StaticFileHandler

if TYPE_CHECKING:
    from zonda._core.server.httpserver import HTTPServer


class ApplicationRouter(ReversibleRuleRouter):
    """A router whose targets may be handler classes, and lists of rules."""

    def __init__(self, application: "Application", rules: Iterable[Any] | None = None) -> None:
        self.application = application
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if isinstance(rule.target, list | tuple):
            rule.target = ApplicationRouter(self.application, rule.target)
        return rule

    def get_target_delegate(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> HTTPMessageDelegate | None:
        if isinstance(target, type) and issubclass(target, RequestHandler):
            return self.application.get_handler_delegate(request, target, **target_params)
        return super().get_target_delegate(target, request, **target_params)


#: What a route leads to: handler class, its keyword arguments, what the path gave by place and by name.
_Found = tuple[Any, dict[str, Any], Sequence[Any], dict[str, Any]]
#: The route leads to something that is no handler.
_ELSEWHERE: _Found = (None, {}, (), {})


class Application(ReversibleRouter):
    """A collection of request handlers that make up a web application.

    `handlers` are routes: (pattern, handler class[, arguments of its `initialize`[, name]]), `url(...)`,
    or rules of `zonda.routing`; the first that matches wins.  `default_host` is whose routes
    serve hosts that no `add_handlers` names.  Keyword arguments are settings.  An
    instance is served by `listen`, or by `HTTPServer`.

    Source: Tornado documentation, `tornado.web.Application`.
    """

    #: What the Server field says.
    server_name: ClassVar[str] = application_settings.SERVER_NAME
    static_handler_class: ClassVar[type[RequestHandler]] = StaticFileHandler
    #: Watches source files for `autoreload=True`; the street puts it in.
    start_autoreload: ClassVar[Callable[[], None] | None] = None

    settings: dict[str, Any]

    def __init__(
        self,
        handlers: Iterable[Rule | Sequence[Any]] | None = None,
        default_host: str | None = None,
        transforms: list[Any] | None = None,
        **settings: Any,
    ) -> None:
        application_settings.complete(settings)
        cls = type(self)
        #: Whether Tornado's interface is as it was: then `_serve_exchange` need not go through it.
        self._is_plain = (
            cls.find_handler is _FIND_HANDLER
            and cls.get_handler_delegate is _GET_HANDLER_DELEGATE
            and cls.start_request is _START_REQUEST
        )
        self.settings = settings
        self.default_host = default_host
        self.transforms: list[Any] = application_settings.transforms(settings, transforms)
        self.ui_methods: dict[str, Any] = {}
        self.ui_modules: dict[str, Any] = {}
        application_settings.load_ui(self)
        rules = application_settings.static_rules(settings, StaticFileHandler) + list(handlers or ())
        self.wildcard_router = ApplicationRouter(self, rules)
        self.default_router = ApplicationRouter(self, [Rule(AnyMatches(), self.wildcard_router)])
        rules_by_host = self.default_router.rules
        assert isinstance(rules_by_host, RouteTable)
        #: The index of that one rule: as long as it is the index, there are no routes for particular hosts.
        self._any_host = rules_by_host.indexed()
        if settings.get("autoreload") and Application.start_autoreload is not None:
            Application.start_autoreload()

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        family: Any = application_settings.ANY_FAMILY,
        backlog: int = 128,
        flags: int | None = None,
        reuse_port: bool = False,
        **kwargs: Any,
    ) -> "HTTPServer":
        """Serves this application on a port, and returns the server; `kwargs` are those of `HTTPServer`."""
        from zonda._core.server.httpserver import HTTPServer  # others may serve it: ASGI, WSGI, tests

        server = HTTPServer(self, **kwargs)
        server.listen(
            port, address=address, family=family, backlog=backlog, flags=flags, reuse_port=reuse_port
        )
        return server

    def add_handlers(self, host_pattern: str, host_handlers: Iterable[Any]) -> None:
        """Appends routes for hosts that a regular expression describes; they go before those for any host."""
        matcher = HostMatches(host_pattern)
        rule = Rule(matcher, ApplicationRouter(self, host_handlers))
        self.default_router.rules.insert(-1, rule)
        if self.default_host is not None:
            self.wildcard_router.add_rules(
                [(DefaultHostMatches(self, matcher.host_pattern), list(host_handlers))]
            )

    def add_transform(self, transform_class: Any) -> None:
        self.transforms.append(transform_class)

    def reverse_url(self, name: str, *args: Any) -> str:
        """The path of the route `name`; raises `KeyError` if there is none."""
        url = self.default_router.reverse_url(name, *args)
        if url is None:
            raise KeyError(f"{name} not found in named urls")
        return url

    def log_request(self, handler: RequestHandler) -> None:
        """Writes the line of a finished request to the access log; the setting `log_function` replaces it."""
        log_function = self.settings.get("log_function")
        if log_function is not None:
            log_function(handler)
            return
        status = handler._status_code
        level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
        if _logs(level):
            milliseconds = 1000.0 * handler.request.request_time()
            access_log.log(level, "%d %s %.2fms", status, handler._request_summary(), milliseconds)

    # ---- Tornado's interface

    def __call__(self, request: HTTPServerRequest) -> "asyncio.Task[None] | None":
        """Runs the handler of a request whose body is there already."""
        delegate: Any = self.find_handler(request)
        task: asyncio.Task[None] | None = delegate.execute()
        return task

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        delegate = self.default_router.find_handler(request)
        if delegate is not None:
            return delegate
        handler_class, handler_kwargs = self._default_handler()
        return self.get_handler_delegate(request, handler_class, handler_kwargs)

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: Any,
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> HandlerDelegate:
        """The delegate that runs a handler class for a request.  For routers of your own."""
        return HandlerDelegate(self, request, target_class, target_kwargs, path_args, path_kwargs)

    def _default_handler(self) -> tuple[Any, dict[str, Any]]:
        handler_class = self.settings.get("default_handler_class")
        if handler_class is not None:
            return handler_class, self.settings.get("default_handler_args") or {}
        return ErrorHandler, {"status_code": 404}

    # ---- the way of one request

    def _serve_exchange(self, exchange: Exchange) -> None:
        """Answers an exchange, without Tornado's delegates unless somebody has redefined them."""
        if not self._is_plain:
            DelegateServe(self)(exchange)
            return
        try:
            request = request_of(exchange)
        except HTTPInputError as error:
            exchange.refuse(ProtocolError(str(error)))
            return
        router = self.default_router
        if type(router.rules) is RouteTable and router.rules.known is self._any_host:
            # Most applications have no routes for particular hosts.
            router = self.wildcard_router
        found = _find(router, request)
        if found is _ELSEWHERE:
            DelegateServe(self)(exchange)
            return
        if found is None:
            handler_class, handler_kwargs = self._default_handler()
            found = handler_class, handler_kwargs, (), NO_NAMES
        handler_class, handler_kwargs, args, kwargs = found
        if exchange.complete:
            # A copy of the context: what a handler sets in it ends with the request.
            copy_context().run(start, self, request, handler_class, handler_kwargs, args, kwargs, None)
        elif handler_class._stream_request_body:
            stream = partial(_stream, exchange)
            copy_context().run(start, self, request, handler_class, handler_kwargs, args, kwargs, stream)
        else:
            run = partial(start, self, request, handler_class, handler_kwargs, args, kwargs, None)
            exchange.on_end = partial(_run_with_body, exchange, request, run)


#: Held, since to look up a method of what was imported makes an object of it with every call.
_logs = access_log.isEnabledFor
_FIND_HANDLER = Application.find_handler
_GET_HANDLER_DELEGATE = Application.get_handler_delegate
_START_REQUEST = Application.start_request


def _find(router: ApplicationRouter, request: HTTPServerRequest) -> _Found | None:
    """What the first rule that matches leads to, if it is a handler; None if no rule matches."""
    rules = router.rules
    if type(rules) is not RouteTable or type(router) is not ApplicationRouter:
        return _ELSEWHERE
    path = request.path
    index = rules.known or rules.indexed()
    match = index.first(path, request, 0)
    while match is not None:
        rule, args, kwargs, params, at = match
        target = rule.target
        if isinstance(target, type) and issubclass(target, RequestHandler):
            if params is not None:
                args, kwargs = params.get("path_args", args), params.get("path_kwargs", kwargs)
            elif "%" in path or target.decode_argument is not decode_argument:
                args, kwargs = unquoted(args, kwargs)
            return target, rule.target_kwargs, args, kwargs
        if not isinstance(target, ApplicationRouter):
            return _ELSEWHERE
        found = _find(target, request)
        if found is not None:
            return found
        match = index.first(path, request, at)
    return None


def _run_with_body(exchange: Exchange, request: HTTPServerRequest, run: Callable[[], object]) -> None:
    request.body = exchange.body
    copy_context().run(run)


def _stream(exchange: Exchange, handler: RequestHandler) -> None:
    body = StreamedBody(handler)
    exchange.on_body = body.take
    exchange.on_end = body.end
    exchange.on_close = body.closed
