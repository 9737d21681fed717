"""Topics over a stream of server-sent events."""

import asyncio
import json
from collections import deque
from typing import Any

from zonda._core.wire.sse import CONTENT_TYPE, SSEReader

from .http import HttpTransport

#: Of an answer that is no stream, what is read.
_ERROR_BYTES = 65536
#: A body without end.
_NO_END = 2**62


class SSETransport(HttpTransport):
    name = "sse"
    most = _NO_END

    async def listen(self) -> None:
        stream = _Stream()
        request = self.get(
            CONTENT_TYPE, request_timeout=0, header_callback=stream.head, streaming_callback=stream.body
        )
        fetched = asyncio.ensure_future(self._http.fetch(request, raise_error=False))
        fetched.add_done_callback(lambda _: stream.something.set())
        reader = SSEReader(self.limits)
        rest = b""
        try:
            while stream.chunks or not fetched.done():
                async for chunk in stream.take():
                    self.hear()
                    if not stream.has_events:
                        rest = (rest + chunk)[:_ERROR_BYTES]
                        continue
                    self.ready()
                    for event in reader.feed(chunk):
                        await self.hand_over(json.loads(event.data))
            response = fetched.result()
        finally:
            stream.release()
            fetched.cancel()
        if not stream.has_events:
            await self.refused(response.code, rest)
        self.end("the stream has ended")

    def check(self) -> None:
        if self.held or not self._told:
            return
        if self.heard is None:
            due = self._begun + self.limits.channel_answer_timeout
        else:
            due = self.heard + self.limits.channel_keepalive + self.limits.channel_answer_timeout
        if self.loop.time() > due:
            self.end("nothing comes over the stream")


class _Stream:
    """An answer's body, piece by piece; the next one comes when one is taken."""

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()
        self.something = asyncio.Event()
        self.has_events = False
        self._status = ""
        self._taken: asyncio.Future[None] | None = None
        self._over = False

    def head(self, line: str) -> None:
        if line.startswith("HTTP/"):
            self._status = line.split()[1]
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            kind = value.partition(";")[0].strip().lower()
            self.has_events = self._status == "200" and kind == CONTENT_TYPE

    def body(self, chunk: bytes) -> "asyncio.Future[None] | None":
        if self._over:
            return None
        self.chunks.append(chunk)
        self.something.set()
        self._taken = asyncio.get_running_loop().create_future()
        return self._taken

    async def take(self) -> Any:
        await self.something.wait()
        self.something.clear()
        while self.chunks:
            yield self.chunks.popleft()
        self._let_come()

    def release(self) -> None:
        """Nothing is taken any more."""
        self._over = True
        self._let_come()

    def _let_come(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
