"""Makes the handler of a request, and runs it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

from zonda._core.server.request import HTTPServerRequest
from zonda.log import app_log

from . import application_settings
from .execute import perform
from .handler import _EXECUTE, RequestHandler
from .static import StaticFileHandler

#: The loop itself holds tasks weakly.
_running: set["asyncio.Task[None]"] = set()
#: `_finished` needs none, and each Task would keep a copy.
_NO_CONTEXT = Context()


def start(
    application: Any,
    request: HTTPServerRequest,
    handler_class: Any,
    handler_kwargs: dict[str, Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    stream: Callable[[RequestHandler], None] | None,
) -> "asyncio.Task[None] | None":
    """Makes the handler and runs it; a Task if something has to be waited for.

    To be called in a copy of the context: what a handler sets in it ends with the request.
    """
    settings = application.settings
    if settings.get("compiled_template_cache") is False:
        application_settings.forget_templates(RequestHandler)
    if settings.get("static_hash_cache") is False:
        StaticFileHandler.reset()
    try:
        if handler_kwargs:
            handler = handler_class(application, request, **handler_kwargs)
        else:
            handler = handler_class(application, request)
    except Exception:
        # There is no handler that could answer: the server does.
        app_log.error("Uncaught exception in the making of %r", handler_class, exc_info=True)
        application_settings.answer_500(request)
        return None
    if stream is not None:
        stream(handler)
    handler._transforms = transforms = []
    if application.transforms:
        for transform in application.transforms:
            # A comprehension would cost every request the cell in which it finds `request`.
            transforms.append(transform(request))  # noqa: PERF401
    if handler_class._execute is _EXECUTE:
        waiting = perform(handler, args, kwargs)
    else:
        waiting = handler._execute(transforms, *args, **kwargs)
    if waiting is None:
        return None
    if request._exchange is not None:
        # It may wait for long, with many others.
        request._exchange.head.lowered = None
    return run_later(waiting)


def run_later(rest: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Runs the rest of a handler's work as a Task."""
    task = asyncio.get_running_loop().create_task(rest)
    _running.add(task)
    task.add_done_callback(_finished, context=_NO_CONTEXT)
    return task


def _finished(task: "asyncio.Task[None]") -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        app_log.error("Uncaught exception", exc_info=task.exception())
