"""`AsyncHTTPClient`: the interface of clients, of which each loop has one."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

from zonda._core.net.futures import future_set_exception_unless_cancelled, future_set_result_unless_cancelled
from zonda._core.net.loop import IOLoop
from zonda._core.wire.headers import HTTPHeaders
from zonda.util import Configurable, import_object

from .message import HTTPRequest, HTTPResponse, _RequestProxy

Callback = Callable[[HTTPResponse], None]


class AsyncHTTPClient(Configurable):
    """A client that does not block.

    `AsyncHTTPClient()` makes the configured kind, by default `SimpleAsyncHTTPClient`; on one loop it
    is always the same instance, unless `force_instance=True`.  `defaults` are attributes of `HTTPRequest`
    for requests that say nothing.  Other keywords are the implementation's.
    Source: Tornado documentation, `tornado.httpclient`.
    """

    _instances: ClassVar["WeakKeyDictionary[IOLoop, AsyncHTTPClient]"]
    _shared = False

    def __new__(cls, force_instance: bool = False, **kwargs: Any) -> Self:
        if force_instance:
            return super().__new__(cls, **kwargs)  # type: ignore[no-any-return]
        loop = IOLoop.current()
        instances = cls._async_clients()
        client = instances.get(loop)
        if client is None:
            # A client holds its loop, so the weak key alone would never let go of them.
            for ended in [known for known in instances if known.asyncio_loop.is_closed()]:
                del instances[ended]
            client = super().__new__(cls, **kwargs)
            client._shared = True
            instances[loop] = client
        return client  # type: ignore[return-value]

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        # It stands above this interface: named, and not imported, there is no cycle.
        kind: type[Configurable] = import_object("zonda._core.client.simple.SimpleAsyncHTTPClient")
        return kind

    @classmethod
    def configure(cls, impl: "str | type[Configurable] | None", **kwargs: Any) -> None:
        """Chooses the implementation (a class, its name, None for the default) and its keywords."""
        super().configure(impl, **kwargs)

    @classmethod
    def _async_clients(cls) -> "WeakKeyDictionary[IOLoop, AsyncHTTPClient]":
        """The shared client of each loop, for this class alone."""
        if "_instances" not in cls.__dict__:
            cls._instances = WeakKeyDictionary()
        return cls._instances

    def initialize(self, defaults: dict[str, Any] | None = None) -> None:
        self.io_loop = IOLoop.current()
        self.defaults = {**HTTPRequest._DEFAULTS, **(defaults or {})}
        self._closed = False

    def close(self) -> None:
        """Frees what the client holds; it is not used afterwards.

        Usually not needed: the client of a loop goes with the loop.
        """
        if self._closed:
            return
        self._closed = True
        if self._shared:
            for kind in type(self).__mro__:
                instances = kind.__dict__.get("_instances")
                if instances is not None and instances.get(self.io_loop) is self:
                    del instances[self.io_loop]

    def fetch(
        self, request: str | HTTPRequest, raise_error: bool = True, **kwargs: Any
    ) -> "asyncio.Future[HTTPResponse]":
        """Sends a request: a URL with the keywords of `HTTPRequest`, or one that is made.

        Returns a Future of the response.  It fails if there is no answer, and with `raise_error` if its
        status is an error (`HTTPClientError`).  A callable in place of `raise_error`, or as `callback`, is
        called with the response, in every case (the interface of 2009).
        Raises: `RuntimeError` once the client is closed, `ValueError` for keywords beside an `HTTPRequest`.
        """
        if self._closed:
            raise RuntimeError("fetch() called on closed AsyncHTTPClient")
        callback = kwargs.pop("callback", None)
        if callable(raise_error):
            callback = raise_error
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(url=request, **kwargs)
        elif kwargs:
            raise ValueError("kwargs can't be used if request is an HTTPRequest object")
        if not isinstance(request.headers, HTTPHeaders):
            request.headers = HTTPHeaders(request.headers)
        future: asyncio.Future[HTTPResponse] = self.io_loop.asyncio_loop.create_future()
        if callback is None:
            answer = functools.partial(_resolve, future, raise_error)
        else:
            answer = functools.partial(_call_back, future, callback)
        self.fetch_impl(_RequestProxy(request, self.defaults), answer)  # type: ignore[arg-type]
        return future

    def fetch_impl(self, request: HTTPRequest, callback: Callback) -> None:
        """Does the work; `callback` gets the response, also where there is none (code 599)."""
        raise NotImplementedError


def _resolve(future: "asyncio.Future[HTTPResponse]", raise_error: bool, response: HTTPResponse) -> None:
    error = response.error
    if error is not None and (raise_error or not response._error_is_response_code):
        future_set_exception_unless_cancelled(future, error)
    else:
        future_set_result_unless_cancelled(future, response)


def _call_back(future: "asyncio.Future[HTTPResponse]", callback: Callback, response: HTTPResponse) -> None:
    future_set_result_unless_cancelled(future, response)
    callback(response)
