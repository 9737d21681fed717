"""`CurlAsyncHTTPClient`: the client on libcurl, driven by our loop."""

import inspect
import weakref
from typing import Any, ClassVar

import pycurl

from zonda._core.net.loop import IOLoop
from zonda.gen import is_coroutine_function
from zonda.log import app_log, gen_log

from .api import AsyncHTTPClient, Callback
from .curl_transfer import Transfer
from .errors import HTTPClientError
from .message import HTTPRequest, HTTPResponse, _RequestProxy, settled
from .redirect import redirected

#: Phases that libcurl takes the time of, in seconds from the start of a hop.
_TIMES = {
    "namelookup": pycurl.NAMELOOKUP_TIME,
    "connect": pycurl.CONNECT_TIME,
    "appconnect": pycurl.APPCONNECT_TIME,
    "pretransfer": pycurl.PRETRANSFER_TIME,
    "starttransfer": pycurl.STARTTRANSFER_TIME,
    "total": pycurl.TOTAL_TIME,
    "redirect": pycurl.REDIRECT_TIME,
}


class CurlError(HTTPClientError):
    """libcurl failed; `errno` is its number (`curl/curl.h`).  `code` is 599.

    Source: Tornado documentation, `tornado.curl_httpclient`.
    """

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(599, message)
        self.errno = errno


class CurlAsyncHTTPClient(AsyncHTTPClient):
    """A client on libcurl: proxies, digest authentication, HTTP/2, network interfaces by name.

    Up to `max_clients` requests are under way at once, others wait.  `max_body_size` bounds a body, in bytes,
    after it was decompressed, and also where it goes to a `streaming_callback`.
    Source: Tornado documentation, `tornado.curl_httpclient`.
    """

    _EVENTS: ClassVar[dict[int, int]] = {
        pycurl.POLL_NONE: 0,
        pycurl.POLL_IN: IOLoop.READ,
        pycurl.POLL_OUT: IOLoop.WRITE,
        pycurl.POLL_INOUT: IOLoop.READ | IOLoop.WRITE,
    }

    def initialize(  # type: ignore[override]
        self, max_clients: int = 10, defaults: dict[str, Any] | None = None, max_body_size: int = 104857600
    ) -> None:
        super().initialize(defaults=defaults)
        self.max_clients = max_clients
        self.max_body_size = max_body_size
        #: Requests that wait for their turn, in the order they came; they give up by themselves.
        self._queue: dict[Transfer, None] = {}
        self._active: dict[Any, Transfer] = {}
        self._fds: set[int] = set()
        self._timer: Any = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_clients)
        # libcurl's object does not take part in the collection of cycles.
        this = weakref.ref(self)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, lambda msecs: _call(this, "_set_timeout", msecs))
        self._multi.setopt(
            pycurl.M_SOCKETFUNCTION,
            lambda event, fd, multi, data: _call(this, "_watch", event, fd),
        )

    def close(self) -> None:
        if not self._closed:
            for transfer in self._active.values():
                self._multi.remove_handle(transfer.curl)
                transfer.close_hop()
            for transfer in self._queue:
                if transfer.timer is not None:
                    self.io_loop.remove_timeout(transfer.timer)
            self._active.clear()
            self._queue.clear()
            self._multi.close()
            self._set_timeout(-1)
            for fd in self._fds:
                self.io_loop.remove_handler(fd)
            self._fds.clear()
        super().close()

    def fetch_impl(self, request: HTTPRequest, callback: Callback) -> None:
        asked: HTTPRequest = request.request if isinstance(request, _RequestProxy) else request
        streaming = asked.streaming_callback
        if streaming is not None and (
            is_coroutine_function(streaming) or inspect.iscoroutinefunction(streaming)
        ):
            raise TypeError("streaming_callback cannot be a coroutine in curl_httpclient")
        transfer = Transfer(self, settled(request), asked, callback, self.io_loop.time())
        if len(self._active) < self.max_clients and not self._queue:
            # Not now: whoever asked gets the Future first.
            self._queue[transfer] = None
            self.io_loop.add_callback(self._process_queue)
            return
        self._queue[transfer] = None
        settings = transfer.request
        times = [time for time in (settings.connect_timeout, settings.request_timeout) if time]
        if times:
            transfer.timer = self.io_loop.call_later(min(times), self._give_up, transfer)
        gen_log.debug(
            "max_clients limit reached, request queued. %d active, %d queued requests.",
            len(self._active),
            len(self._queue),
        )

    def handle_callback_exception(self, callback: Any) -> None:
        """A callback raised: it is logged."""
        app_log.error("Exception in callback %r", callback, exc_info=True)

    # ---- requests in, responses out

    def _process_queue(self) -> None:
        while self._queue and len(self._active) < self.max_clients:
            transfer = next(iter(self._queue))
            del self._queue[transfer]
            if transfer.timer is not None:
                self.io_loop.remove_timeout(transfer.timer)
                transfer.timer = None
            transfer.started = self.io_loop.time()
            self._start(transfer)

    def _start(self, transfer: Transfer) -> None:
        try:
            curl = transfer.context.run(transfer.set_up, self.io_loop.time())
            self._multi.add_handle(curl)
        except Exception as error:
            transfer.close_hop()
            self._answer(transfer, _without_answer(transfer, error))
        else:
            self._active[curl] = transfer

    def _give_up(self, transfer: Transfer) -> None:
        del self._queue[transfer]
        transfer.started = self.io_loop.time()
        error = CurlError(pycurl.E_OPERATION_TIMEDOUT, "Timeout in request queue")
        self._answer(transfer, _without_answer(transfer, error))

    def _answer(self, transfer: Transfer, response: HTTPResponse) -> None:
        response.request_time = self.io_loop.time() - transfer.started
        response.start_time = transfer.asked.start_time
        response.time_info["queue"] = transfer.started - transfer.since
        try:
            transfer.context.run(transfer.callback, response)
        except Exception:
            self.handle_callback_exception(transfer.callback)

    # ---- libcurl's side

    def _set_timeout(self, msecs: int) -> None:
        """libcurl wants to be called after so many milliseconds; -1: no more."""
        if self._timer is not None:
            self.io_loop.remove_timeout(self._timer)
            self._timer = None
        if msecs >= 0 and not self._closed:
            self._timer = self.io_loop.call_later(msecs / 1000.0, self._time_has_come)

    def _time_has_come(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _watch(self, event: int, fd: int) -> None:
        """libcurl waits for something else on a socket."""
        if event == pycurl.POLL_REMOVE:
            if fd in self._fds:
                self._fds.discard(fd)
                self.io_loop.remove_handler(fd)
        elif fd in self._fds:
            self.io_loop.update_handler(fd, self._EVENTS[event])
        else:
            self._fds.add(fd)
            self.io_loop.add_handler(fd, self._ready, self._EVENTS[event])

    def _ready(self, fd: Any, events: int) -> None:
        action = pycurl.CSELECT_IN if events & IOLoop.READ else 0
        if events & IOLoop.WRITE:
            action |= pycurl.CSELECT_OUT
        self._act(fd, action)

    def _act(self, fd: int, action: int) -> None:
        if self._closed:
            return
        try:
            self._multi.socket_action(fd, action)
        except pycurl.error:
            gen_log.error("libcurl cannot go on", exc_info=True)
        self._collect()

    def _collect(self) -> None:
        """Takes the transfers that have ended out of libcurl."""
        left = 1
        while left and not self._closed:
            left, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._finish(curl, None)
            for curl, errno, message in failed:
                self._finish(curl, CurlError(errno, message))
        self._process_queue()

    def _finish(self, curl: Any, error: CurlError | None) -> None:
        transfer = self._active.pop(curl)
        self._multi.remove_handle(curl)
        times = {name: curl.getinfo(number) for name, number in _TIMES.items()}
        transfer.close_hop()
        if self._closed:
            return  # by a callback that got the last of the body
        if transfer.location is not None and (error is None or transfer.skipped > self.max_body_size):
            self._follow(transfer, transfer.location)
            return
        if error is None:
            response = HTTPResponse(
                transfer.asked,
                transfer.status,
                headers=transfer.headers,
                buffer=transfer.body,
                effective_url=transfer.request.url,
                reason=transfer.reason,
                time_info=times,
            )
            transfer.body.seek(0)
        else:
            if transfer.body_too_large:
                message = f"the body is larger than max_body_size ({self.max_body_size} bytes)"
                error = CurlError(error.errno, message)
            elif transfer.failure is not None:
                error = CurlError(error.errno, f"the head of the answer cannot be read: {transfer.failure}")
            response = _without_answer(transfer, error)
            response.time_info = times
        self._answer(transfer, response)

    def _follow(self, transfer: Transfer, location: str) -> None:
        try:
            transfer.request = redirected(transfer.request, transfer.status, location)
        except ValueError as error:
            self._answer(transfer, _without_answer(transfer, error))
        else:
            self._start(transfer)


def _without_answer(transfer: Transfer, error: BaseException) -> HTTPResponse:
    return HTTPResponse(transfer.asked, 599, error=error, effective_url=transfer.request.url)


def _call(this: "weakref.ref[CurlAsyncHTTPClient]", method: str, *args: Any) -> None:
    client = this()
    if client is not None:
        getattr(client, method)(*args)
