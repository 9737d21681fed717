"""The way of a body from libcurl to a `streaming_callback`, held back where the callback is slower."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from zonda.log import app_log


class _CurlStreamingBuffer:
    """What came and was not yet passed on: libcurl may not be entered again from its own callbacks.

    At `max_buffer_size` the transfer pauses, until what is there was passed on.  `client` is asked for its
    loop, for `max_body_size`, and to have libcurl go on.
    """

    max_buffer_size = 1 << 20

    def __init__(self, client: Any, curl: Any, callback: Callable[[bytes], Any]) -> None:
        self._client = client
        self._curl = curl
        self._callback = callback
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._received = 0
        self._scheduled = False
        self.paused = False
        #: More came than `max_body_size`; the transfer fails.
        self.body_too_large = False

    def write(self, chunk: bytes) -> int:
        """libcurl's WRITEFUNCTION: how much was taken, or that it is to be given again later."""
        if self._held >= self.max_buffer_size:
            self.paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        if self._received + len(chunk) > self._client.max_body_size:
            self.body_too_large = True
            return 0
        self._received += len(chunk)
        self._held += len(chunk)
        self._pieces.append(chunk)
        if not self._scheduled:
            self._scheduled = True
            self._client.io_loop.add_callback(self.flush)
        return len(chunk)

    def flush(self) -> None:
        """Passes on what is there, and has a paused transfer go on."""
        self._scheduled = False
        while self._pieces:
            piece = self._pieces.popleft()
            self._held -= len(piece)
            try:
                self._callback(piece)
            except Exception:
                app_log.error("Exception in callback %r", self._callback, exc_info=True)
        if self.paused and self._curl is not None:
            self.paused = False
            try:
                # Gives what was held back at once, by `write`.
                self._curl.pause(pycurl.PAUSE_CONT)
            except pycurl.error:
                return  # the transfer failed while it was paused: its end says so
            # libcurl before 8 does not ask for it by itself.
            self._client._set_timeout(0)

    def detach(self) -> None:
        """The transfer is over: what is left is passed on, and libcurl let go."""
        self._curl = None
        self.flush()
