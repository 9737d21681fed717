"""Routers: from a request to whoever answers it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from zonda._core.link.delegates import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
from zonda._core.server.delegates import CallbackServe
from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.headers import HTTPHeaders
from zonda._core.wire.startline import RequestStartLine, ResponseStartLine
from zonda.log import app_log

from .matchers import params_of
from .route_table import RouteTable
from .rule import Rule, as_rule


class Router(HTTPServerConnectionDelegate):
    """Finds whoever answers a request: subclass it and define `find_handler`.

    A router is itself something an `HTTPServer` serves.
    Source: Tornado documentation, `tornado.routing`.
    """

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """The delegate that answers this request, or None if it is not for this router.

        `kwargs` are what routers above have found out.
        """
        raise NotImplementedError()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _RoutingDelegate(self, server_conn, request_conn)


class ReversibleRouter(Router):
    """A router whose routes have names."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """The URL of the route `name` with these arguments, or None if there is none."""
        raise NotImplementedError()


class _RoutingDelegate(HTTPMessageDelegate):
    """Waits for the head, asks the router, and passes everything on."""

    def __init__(self, router: Router, server_conn: object, request_conn: HTTPConnection) -> None:
        self._router = router
        self._server_conn = server_conn
        self._request_conn = request_conn
        self._delegate: HTTPMessageDelegate | None = None

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> Any:
        assert isinstance(start_line, RequestStartLine)
        request = HTTPServerRequest(
            connection=self._request_conn,
            server_connection=self._server_conn,
            start_line=start_line,
            headers=headers,
        )
        self._delegate = self._router.find_handler(request)
        if self._delegate is None:
            app_log.debug("Delegate for %s %s request not found", start_line.method, start_line.path)
            self._delegate = _NotFound(self._request_conn)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        assert self._delegate is not None
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        assert self._delegate is not None
        self._delegate.finish()

    def on_connection_close(self) -> None:
        if self._delegate is not None:
            self._delegate.on_connection_close()


class _NotFound(HTTPMessageDelegate):
    """Answers 404 where no router knows the request."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def finish(self) -> None:
        self._connection.write_headers(
            ResponseStartLine("HTTP/1.1", 404, "Not Found"), HTTPHeaders({"Content-Length": "0"})
        )
        self._connection.finish()


class RuleRouter(Router):
    """Asks its rules one after the other; the first that matches and whose target takes the request wins.

    `rules` are `Rule`s, or sequences (pattern or matcher, target[, target_kwargs[, name]]).
    """

    def __init__(self, rules: Iterable[Rule | Sequence[Any]] | None = None) -> None:
        self.rules: list[Rule] = RouteTable()
        if rules:
            self.add_rules(rules)

    def add_rules(self, rules: Iterable[Rule | Sequence[Any]]) -> None:
        """Appends rules."""
        for given in rules:
            self.rules.append(self.process_rule(as_rule(given)))

    def process_rule(self, rule: Rule) -> Rule:
        """Called with each rule that is added; returns what to add.  For subclasses."""
        return rule

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        for rule, params in self._matches(request):
            if rule.target_kwargs:
                params["target_kwargs"] = rule.target_kwargs
            delegate = self.get_target_delegate(rule.target, request, **params)
            if delegate is not None:
                return delegate
        return None

    def _matches(self, request: HTTPServerRequest) -> Iterator[tuple[Rule, dict[str, Any]]]:
        """The rules that match, and what their matchers give."""
        rules = self.rules
        if type(rules) is not RouteTable:
            for rule in rules:
                params = rule.matcher.match(request)
                if params is not None:
                    yield rule, params
            return
        path, index = request.path, rules.indexed()
        match = index.first(path, request, 0)
        while match is not None:
            rule, args, kwargs, params, at = match
            yield rule, params_of(args, kwargs) if params is None else params
            match = index.first(path, request, at)

    def get_target_delegate(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> HTTPMessageDelegate | None:
        """The delegate of a rule's target, or None if the target does not take the request.

        For subclasses that know more kinds of targets.
        """
        if isinstance(target, Router):
            return target.find_handler(request, **target_params)
        if isinstance(target, HTTPServerConnectionDelegate):
            return target.start_request(request.server_connection, request.connection)
        if callable(target):
            return CallbackServe(partial(target, **target_params)).delegate(request.connection)
        return None


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A `RuleRouter` that finds rules by their names, those of routers inside it too."""

    def __init__(self, rules: Iterable[Rule | Sequence[Any]] | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if rule.name:
            if rule.name in self.named_rules:
                app_log.warning("Multiple handlers named %s; replacing previous value", rule.name)
            self.named_rules[rule.name] = rule
        return rule

    def reverse_url(self, name: str, *args: Any) -> str | None:
        if name in self.named_rules:
            return self.named_rules[name].matcher.reverse(*args)
        for rule in self.rules:
            if isinstance(rule.target, ReversibleRouter):
                url = rule.target.reverse_url(name, *args)
                if url is not None:
                    return url
        return None
