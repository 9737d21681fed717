"""Answers that are streams of server-sent events (HTML standard, section 9.2)."""

import asyncio
from typing import TYPE_CHECKING, Any

from zonda._core.wire.sse import CONTENT_TYPE, print_event
from zonda.escape import json_encode

if TYPE_CHECKING:
    from .handler_like import Handler


def start(handler: "Handler") -> "asyncio.Future[None]":
    """Sends the head of a stream.  Raises `RuntimeError` once something else was sent."""
    if handler._headers_written:
        raise RuntimeError("a stream of events begins with its head, and another was sent already")
    handler.set_header("Content-Type", CONTENT_TYPE)
    handler.set_header("Cache-Control", "no-store")
    # nginx holds answers back unless it is told not to.
    handler.set_header("X-Accel-Buffering", "no")
    # A compressor would keep a window for as long as the stream lasts.
    handler._transforms = []
    return handler.flush()


def send(
    handler: "Handler", data: Any, event: str | None, id: str | None, retry: int | None
) -> "asyncio.Future[None]":
    """Sends an event, and the head before the first.  Raises `ValueError` as `print_event` does."""
    printed = print_event(
        json_encode(data) if isinstance(data, dict) else data, event=event, id=id, retry=retry
    )
    if not handler._headers_written:
        start(handler)
    handler.write(printed)
    return handler.flush()
