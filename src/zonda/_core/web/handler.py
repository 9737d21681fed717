"""`RequestHandler`: one object per request; its methods are what applications call and define.

The methods are thin: what they do stands in the sibling files.  The class is long because Tornado's is.
"""

import http.cookies
import threading
from collections.abc import Awaitable, Callable
from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar, cast

from zonda import escape
from zonda import locale as locales
from zonda._core.server.request import HTTPServerRequest
from zonda._core.wire.cookies import render_set_cookie
from zonda._core.wire.headers import HTTPHeaders
from zonda.log import app_log, gen_log, safe_text

from . import arguments, browser_locale, output, rendering, signing, sse, ui_modules, xsrf
from .error_page import error_page
from .errors import HTTPError
from .etag import matches
from .execute import answer_exception, perform

if TYPE_CHECKING:
    import asyncio

    from zonda._core.net.iostream_socket import IOStream

_REQUIRED: Any = arguments.REQUIRED
#: Of nothing yet: to copy it costs less than to make one.
_SHA1 = sha1(usedforsecurity=False)


def _unimplemented_method(self: "RequestHandler", *args: str, **kwargs: str) -> None:
    raise HTTPError(405)


class RequestHandler:
    """Base class of handlers: subclass it, and define at least one of `get`, `post` and so on.

    Don't override `__init__`; `initialize` gets the keyword arguments of the route.
    Source: Tornado documentation, `tornado.web.RequestHandler`.
    """

    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    #: Template loaders by their directory; `_template_loader_lock` guards it.
    _template_loaders: ClassVar[dict[Any, Any]] = {}
    _template_loader_lock = threading.Lock()
    _stream_request_body = False

    # What a request begins with; set on the instance when it changes.
    _auto_finish = True
    _finished = False
    _headers_written = False
    _status_code = 200
    _reason = "OK"
    _transforms: list[Any] = []  # noqa: RUF012 - read only
    path_args: list[Any] = []  # noqa: RUF012 - read only
    path_kwargs: dict[str, Any] = {}  # noqa: RUF012 - read only
    application: Any
    request: HTTPServerRequest
    _new_cookies: dict[str, str] | None = None
    _ui: Any = None
    _locale: locales.Locale | None = None
    #: Of a streamed body: done when `prepare` is, and when the body is complete (True) or lost (False).
    _prepared: Any = None
    _body_complete: Any = None
    _headers: HTTPHeaders
    _write_buffer: list[bytes]

    def __init__(self, application: Any, request: HTTPServerRequest, **kwargs: Any) -> None:
        self.application = application
        self.request = request
        # Every request asks for these, and what an instance has is found sooner than what its class has.
        self._finished = self._headers_written = False
        self._auto_finish = True
        self._new_cookies = self._ui = self._body_complete = None
        self.clear()
        if type(self).on_connection_close is not _ON_CONNECTION_CLOSE:
            request.connection.set_close_callback(self.on_connection_close)
        if type(self).on_server_leave is not _ON_SERVER_LEAVE:
            request.connection.on_leave = self.on_server_leave
        if kwargs:
            self.initialize(**kwargs)
        elif type(self).initialize is not _INITIALIZE:
            self.initialize()

    # ---- for subclasses to define

    def initialize(self) -> None:
        """Gets the keyword arguments of the route."""

    def prepare(self) -> Awaitable[None] | None:
        """Called before the method of the request; may be a coroutine, may finish the request."""
        return None

    def on_finish(self) -> None:
        """Called when the answer was sent, for clean-up and logging."""

    def on_connection_close(self) -> None:
        """Called when the client went away before its answer was finished."""

    def on_server_leave(self) -> None:
        """Called when the server is about to stop, and waits for this answer.  Not in Tornado.

        For answers that last: a stream of events ends itself here, a long poll answers that there is nothing,
        and the client comes again, to another process.  A WebSocket is closed with 1001 and needs no more.
        """

    def set_default_headers(self) -> None:
        """Sets headers every answer begins with, error pages too."""

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Gets a piece of the body (with `stream_request_body`); what it returns holds the next one back."""
        raise NotImplementedError()

    get = head = post = delete = patch = put = options = cast("Callable[..., Any]", _unimplemented_method)
    _unimplemented_method = _unimplemented_method

    def get_current_user(self) -> Any:
        """Determines the user of this request, for `current_user`; not a coroutine."""
        return None

    def get_user_locale(self) -> locales.Locale | None:
        """Determines the locale from what is known of the user; None = by Accept-Language."""
        return None

    def get_login_url(self) -> str:
        """Where `authenticated` sends users to: the setting `login_url`."""
        self.require_setting("login_url", "@tornado.web.authenticated")
        return cast(str, self.application.settings["login_url"])

    def get_template_path(self) -> str | None:
        """The directory of this handler's templates: the setting `template_path`; None = beside it."""
        return cast("str | None", self.application.settings.get("template_path"))

    def check_trusted_origin(self, origin: str) -> bool:
        """Whether a cross-origin request from here is welcome: the setting `trusted_origins`."""
        return origin in self.application.settings.get("trusted_origins", ())

    # ---- the answer's head

    def clear(self) -> None:
        """Resets headers, status and what was written."""
        self._headers = output.default_headers(self.application.server_name)
        self.set_default_headers()
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Sets the status; `reason` is its phrase, else the usual one."""
        self._status_code = status_code
        self._reason = output.reason_of(status_code, reason)

    def get_status(self) -> int:
        """The status so far."""
        return self._status_code

    def set_header(self, name: str, value: Any) -> None:
        """Sets a header: text, bytes, a whole number or a datetime (in UTC)."""
        self._headers[output.header_name(name)] = output.header_value(value)

    def add_header(self, name: str, value: Any) -> None:
        """Adds a header; it may be sent several times."""
        self._headers.add(output.header_name(name), output.header_value(value))

    def clear_header(self, name: str) -> None:
        """Takes a header back; does not touch cookies."""
        if name in self._headers:
            del self._headers[name]

    def _convert_header_value(self, value: Any) -> str:
        return output.header_value(value)

    # ---- arguments

    def get_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """The last value of an argument of query or body; raises `MissingArgumentError` without a default."""
        return arguments.last(self, self.request.arguments, name, default, strip)

    def get_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of query and body."""
        assert isinstance(strip, bool), "strip is a bool: get_arguments takes no default"
        return arguments.values(self, self.request.arguments, name, strip)

    def get_body_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """Like `get_argument`, of the body."""
        return arguments.last(self, self.request.body_arguments, name, default, strip)

    def get_body_arguments(self, name: str, strip: bool = True) -> list[str]:
        """Like `get_arguments`, of the body."""
        return arguments.values(self, self.request.body_arguments, name, strip)

    def get_query_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """Like `get_argument`, of the query."""
        return arguments.last(self, self.request.query_arguments, name, default, strip)

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """Like `get_arguments`, of the query."""
        return arguments.values(self, self.request.query_arguments, name, strip)

    # The function itself: where a handler has it still, `execute` can tell that nobody has to be asked.
    decode_argument = arguments.decode_argument

    # ---- cookies

    @property
    def cookies(self) -> dict[str, http.cookies.Morsel[str]]:
        """The request's cookies."""
        return self.request.cookies

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """The value of a cookie of the request, or the default."""
        request = self.request
        if type(request) is HTTPServerRequest:
            value = request._cookie(name)
            return default if value is None else value
        # One of the application's own may have cookies of its own.
        morsel = request.cookies.get(name)
        return default if morsel is None else morsel.value

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: Any = None,
        path: str = "/",
        expires_days: float | None = None,
        *,
        max_age: int | None = None,
        httponly: bool = False,
        secure: bool = False,
        samesite: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets a cookie of the answer; raises `ValueError` for what a cookie cannot hold.

        `expires` is a timestamp, a time tuple or a datetime; `expires_days` counts from now.
        """
        if expires_days is not None and not expires:
            expires = output.days_from_now(expires_days)
        cookie = render_set_cookie(
            escape.native_str(name),
            escape.native_str(value),
            domain=domain,
            expires=expires,
            path=path,
            max_age=max_age,
            httponly=httponly,
            secure=secure,
            samesite=samesite,
            **kwargs,
        )
        if self._new_cookies is None:
            self._new_cookies = {}
        self._new_cookies[name] = cookie

    def clear_cookie(self, name: str, **kwargs: Any) -> None:
        """Deletes a cookie of the client's; path and domain must be those it was set with."""
        for taken in ("expires", "max_age"):
            if taken in kwargs:
                raise TypeError(f"clear_cookie() got an unexpected keyword argument {taken!r}")
        self.set_cookie(name, value="", expires=output.days_from_now(-365), **kwargs)

    def clear_all_cookies(self, **kwargs: Any) -> None:
        """Deletes every cookie that the client sent with this request."""
        for name in self.request.cookies:
            self.clear_cookie(name, **kwargs)

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets a cookie that cannot be forged, only read; needs the setting `cookie_secret`."""
        signed = self.create_signed_value(name, value, version=version)
        self.set_cookie(name, signed, expires_days=expires_days, **kwargs)

    set_secure_cookie = set_signed_cookie

    def create_signed_value(self, name: str, value: str | bytes, version: int | None = None) -> bytes:
        """Signs a value so that `get_signed_cookie` knows it."""
        self.require_setting("cookie_secret", "secure cookies")
        settings = self.application.settings
        secret = settings["cookie_secret"]
        key_version = None
        if isinstance(secret, dict):
            # 0 is a version like any other.
            key_version = settings.get("key_version")
        return signing.create_signed_value(secret, name, value, version=version, key_version=key_version)

    def get_signed_cookie(
        self,
        name: str,
        value: str | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """The value of a signed cookie, or None if it is not there, not ours, or too old."""
        self.require_setting("cookie_secret", "secure cookies")
        if value is None:
            value = self.get_cookie(name)
        secret = self.application.settings["cookie_secret"]
        return signing.decode_signed_value(
            secret, name, value, max_age_days=max_age_days, min_version=min_version
        )

    get_secure_cookie = get_signed_cookie

    def get_signed_cookie_key_version(self, name: str, value: str | None = None) -> int | None:
        """The version of the key a signed cookie was signed with, or None."""
        self.require_setting("cookie_secret", "secure cookies")
        if value is None:
            value = self.get_cookie(name)
        return None if value is None else signing.get_signature_key_version(value)

    get_secure_cookie_key_version = get_signed_cookie_key_version

    # ---- XSRF

    @property
    def xsrf_token(self) -> bytes:
        """The token of this user against forged requests; reading it sets its cookie."""
        return xsrf.xsrf_token(self)

    def check_xsrf_cookie(self) -> None:
        """Checks that the request carries the token; raises a 403."""
        xsrf.check_xsrf_cookie(self)

    def xsrf_form_html(self) -> str:
        """The hidden form field that carries the token."""
        return xsrf.xsrf_form_html(self)

    # ---- the answer's body

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """Writes into the answer; a dict is sent as JSON."""
        if self._finished:
            raise RuntimeError("Cannot write() after finish()")
        if type(chunk) is str:
            chunk = chunk.encode()
        elif type(chunk) is not bytes:
            chunk = output.to_bytes(self, chunk)
        self._write_buffer.append(chunk)

    def flush(self, include_footers: bool = False) -> "asyncio.Future[None]":
        """Sends what was written so far.  Await the future to go at the client's pace."""
        return output.flush(self)

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> "asyncio.Future[None]":
        """Ends the answer; the future is done when it is on its way."""
        if self._finished:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self.write(chunk)
        self._finished = True
        try:
            future = output.send(self)
        except Exception:
            # Whoever handles it decides how the answer ends.
            self._finished = False
            raise
        self.application.log_request(self)
        self.on_finish()
        # UI modules hold their handler; nothing needs them any more.
        if self._ui is not None:
            ui_modules.release(self)
        return future

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Sends the client elsewhere: 302, 301 if `permanent`, or `status` (3xx)."""
        if self._headers_written:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not (isinstance(status, int) and 300 <= status <= 399):
            raise ValueError(f"a redirect's status is from 300 to 399, not {status!r}")
        self.set_status(status)
        self.set_header("Location", escape.utf8(url))
        self.finish()

    def detach(self) -> "IOStream":
        """Takes the connection out of HTTP and returns its stream; for upgrades to other protocols."""
        self._finished = True
        stream: IOStream = self.request.connection.detach()
        return stream

    # ---- server-sent events (not in Tornado)

    @property
    def last_event_id(self) -> str:
        """The id of the last event that a client has, which comes again; "" if it has none."""
        return cast(str, self.request.headers.get("Last-Event-ID", ""))

    def start_sse(self) -> "asyncio.Future[None]":
        """Begins a stream of events.  `send_event` does so by itself, with the first event."""
        return sse.start(self)

    def send_event(
        self, data: Any, *, event: str | None = None, id: str | None = None, retry: int | None = None
    ) -> "asyncio.Future[None]":
        """Sends an event: text, or a dict as JSON.  Await the future to go at the client's pace.

        `event`: its type; `id`: for `last_event_id`; `retry`: milliseconds until a client that is cut off
        comes again.  The future raises `StreamClosedError` once the client is gone.
        """
        return sse.send(self, data, event, id, retry)

    # ---- pages

    def render(self, template_name: str, **kwargs: Any) -> "asyncio.Future[None]":
        """Sends a template as the answer."""
        return rendering.render(self, template_name, kwargs)

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """Generates a template's page without sending it."""
        return rendering.render_string(self, template_name, kwargs)

    def render_linked_js(self, js_files: Any) -> str:
        """The HTML that links the scripts of UI modules."""
        return rendering.render_linked_js(self, js_files)

    def render_embed_js(self, js_embed: Any) -> bytes:
        """The HTML that embeds the scripts of UI modules."""
        return rendering.render_embed_js(self, js_embed)

    def render_linked_css(self, css_files: Any) -> str:
        """The HTML that links the style sheets of UI modules."""
        return rendering.render_linked_css(self, css_files)

    def render_embed_css(self, css_embed: Any) -> bytes:
        """The HTML that embeds the styles of UI modules."""
        return rendering.render_embed_css(self, css_embed)

    def get_template_namespace(self) -> dict[str, Any]:
        """The names that templates find besides those given to `render`."""
        return rendering.template_namespace(self)

    def create_template_loader(self, template_path: str) -> Any:
        """Makes the loader of a directory's templates, once per directory."""
        return rendering.create_template_loader(self, template_path)

    @property
    def ui(self) -> Any:
        """The UI methods and modules of the application, bound to this handler."""
        namespace = self._ui
        if namespace is None:
            namespace = self._ui = ui_modules.ui_namespace(self)
        return namespace

    @property
    def locale(self) -> locales.Locale:
        """The locale of this request: `get_user_locale`, else by Accept-Language."""
        found = self._locale
        if found is None:
            found = self._locale = self.get_user_locale() or self.get_browser_locale()
        return found

    @locale.setter
    def locale(self, value: locales.Locale) -> None:
        self._locale = value

    def get_browser_locale(self, default: str = "en_US") -> locales.Locale:
        """The locale that Accept-Language asks for and that is supported."""
        return browser_locale.get_browser_locale(self, default)

    @property
    def current_user(self) -> Any:
        """The user of this request: `get_current_user`, asked once, or what `prepare` assigned."""
        if "_current_user" not in self.__dict__:
            self._current_user = self.get_current_user()
        return self._current_user

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._current_user = value

    # ---- errors

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Sends an error page; `exc_info` among `kwargs` is what caused it."""
        if self._headers_written:
            gen_log.error("Cannot send error response after headers written")
            if not self._finished:
                # The client must not take what it has for the whole: end the connection instead.
                try:
                    self.finish()
                except Exception:
                    gen_log.error("Failed to flush partial response", exc_info=True)
            return
        self.clear()
        reason = kwargs.get("reason")
        error = kwargs["exc_info"][1] if kwargs.get("exc_info") else None
        if isinstance(error, HTTPError) and error.reason:
            reason = error.reason
        self.set_status(status_code, reason=reason)
        try:
            self.write_error(status_code, **kwargs)
        except Exception:
            app_log.error("Uncaught exception in write_error", exc_info=True)
        if not self._finished:
            self.finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Writes the error page; define it for pages of your own."""
        error_page(self, kwargs.get("exc_info"))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Logs what the method of the request raised: an `HTTPError` with a message as a warning."""
        if isinstance(value, HTTPError):
            message = value.get_message()
            if message:
                text = f"{value.status_code} {self._request_summary()}: {safe_text(message)}"
                gen_log.warning("%s", text)
        else:
            app_log.error(
                "Uncaught exception %s\n%r",
                self._request_summary(),
                self.request,
                exc_info=(typ, value, tb),
            )

    def _request_summary(self) -> str:
        request = self.request
        return f"{request.method} {safe_text(request.uri)} ({request.remote_ip})"

    def _handle_request_exception(self, e: BaseException) -> None:
        answer_exception(self, e)

    # ---- settings and addresses

    @property
    def settings(self) -> dict[str, Any]:
        """The application's settings."""
        return cast("dict[str, Any]", self.application.settings)

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Raises an error that says what to do if a setting is missing."""
        if not self.application.settings.get(name):
            raise Exception(f"You must define the {name!r} setting in your application to use {feature}")

    def reverse_url(self, name: str, *args: Any) -> str:
        """The URL of a named route."""
        return cast(str, self.application.reverse_url(name, *args))

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """The URL of a static file, with its version; needs the setting `static_path`."""
        self.require_setting("static_path", "static_url")
        settings = self.application.settings
        handler = settings.get("static_handler_class", self.application.static_handler_class)
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        return base + cast(str, handler.make_static_url(settings, path, **kwargs))

    # ---- entity tags

    def compute_etag(self) -> str | None:
        """The entity tag of the answer; None = none.

        A strong one: SHA-1 of the body.  Tornado's, byte for byte, so that caches survive the change.
        """
        tag = _SHA1.copy()
        for chunk in self._write_buffer:
            tag.update(chunk)
        return f'"{tag.hexdigest()}"'

    def set_etag_header(self) -> None:
        """Sets the entity tag that `compute_etag` gives."""
        etag = self.compute_etag()
        if etag is not None:
            # In what is ours there is nothing to check.
            ours = type(self).compute_etag is _COMPUTE_ETAG
            self._headers._map["Etag"] = etag if ours else output.header_value(etag)

    def check_etag_header(self) -> bool:
        """Whether the client has what the answer's entity tag names: then it is a 304."""
        request = self.request
        exchange = request._exchange
        if exchange is not None:
            head = exchange.head
            # Most clients have nothing, which is seen without taking their headers apart.
            if "\r\nif-none-match:" not in (head.lowered or head.lower):
                return False
        wanted = request.headers.get("If-None-Match")
        return bool(wanted) and matches(wanted, self._headers.get("Etag", ""))

    # ---- the way of a request

    async def _execute(self, transforms: list[Any], *args: Any, **kwargs: Any) -> None:
        """Runs the handler.  Tracers replace it at run time; the fast way then goes through it."""
        self._transforms = transforms
        waiting = perform(self, args, kwargs)
        if waiting is not None:
            await waiting


#: The methods of this class: where a handler still has them, the way of a request is shorter.
_INITIALIZE = RequestHandler.initialize
_ON_CONNECTION_CLOSE = RequestHandler.on_connection_close
_ON_SERVER_LEAVE = RequestHandler.on_server_leave
_EXECUTE = RequestHandler._execute
_COMPUTE_ETAG = RequestHandler.compute_etag


def stream_request_body(cls: type[RequestHandler]) -> type[RequestHandler]:
    """Class decorator: the body comes piece by piece through `data_received`, and `request.body` stays empty.

    Source: Tornado documentation, `tornado.web.stream_request_body`.
    """
    if not issubclass(cls, RequestHandler):
        raise TypeError(f"expected subclass of RequestHandler, got {cls!r}")
    cls._stream_request_body = True
    return cls
