"""Runs a handler's method for a request: what waits becomes a coroutine, what does not is just called."""

from asyncio import CancelledError, current_task
from collections.abc import Awaitable, Coroutine, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zonda._core.wire.errors import HTTPInputError
from zonda.log import app_log

from .arguments import decode_argument
from .errors import Finish, HTTPError
from .xsrf import check_cross_origin

if TYPE_CHECKING:
    from .handler_like import Handler

#: Methods that change nothing, and so need no protection against forged requests (RFC 9110 section 9.2.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_EMPTY: Any = ()
_NO_NAMES: Any = MappingProxyType({})
#: What the usual methods are called by: a name that stands in the source is found sooner than one just made.
_NAMES = {"GET": "get", "HEAD": "head", "POST": "post", "PUT": "put", "DELETE": "delete", "PATCH": "patch"}


def perform(
    handler: "Handler", args: Iterable[Any], kwargs: dict[str, Any]
) -> Coroutine[Any, Any, None] | None:
    """Prepares and calls the method of the request.

    Returns None when all is done, or the rest as a coroutine, where something has to be waited for.  Never
    raises: what a handler raises becomes its error page.
    """
    try:
        request = handler.request
        method = request.method
        if method not in handler.SUPPORTED_METHODS:
            raise HTTPError(405)
        # Of each request its own, even if empty: `prepare` may change them.
        handler.path_args = decoded = []
        for arg in args:
            # The shortest way is for text, which the usual method would give back as it is.
            if type(arg) is not str or type(handler).decode_argument is not decode_argument:
                arg = None if arg is None else handler.decode_argument(arg)
            decoded.append(arg)
        handler.path_kwargs = named = {}
        if kwargs:
            for name, arg in kwargs.items():
                named[name] = None if arg is None else handler.decode_argument(arg, name=name)
        if request.body:
            request._parse_body()
        if method not in _SAFE:
            settings = handler.application.settings
            if settings.get("cross_origin_protection"):
                check_cross_origin(handler)
            if settings.get("xsrf_cookies"):
                handler.check_xsrf_cookie()
        waiting = handler.prepare()
        if waiting is not None or handler._body_complete is not None:
            return None if handler._finished and waiting is None else _from_prepare(handler, waiting)
        if handler._finished:
            return None
        call = getattr(handler, _NAMES.get(method) or method.lower())
        kwargs = handler.path_kwargs
        waiting = call(*handler.path_args, **kwargs) if kwargs else call(*handler.path_args)
        if waiting is not None:
            let_empty_go(handler)
            return _from_method(handler, waiting)
        if handler._auto_finish and not handler._finished:
            handler.finish()
    except (Exception, CancelledError) as error:
        answer_exception(handler, error)
    return None


def let_empty_go(handler: "Handler") -> None:
    """Many may wait with this one: of containers that were its own and stayed empty, all have the same.

    They cannot be changed: what one handler put into them would be there for the others.
    """
    if not handler.path_args:
        handler.path_args = _EMPTY
    if not handler.path_kwargs:
        handler.path_kwargs = _NO_NAMES
    if not handler._transforms:
        handler._transforms = _EMPTY


async def _from_prepare(handler: "Handler", waiting: Awaitable[Any] | None) -> None:
    try:
        if waiting is not None:
            await waiting
        if handler._finished:
            return
        body = handler._body_complete
        if body is not None:
            handler._prepared.set_result(None)
            if not await body:
                return
        method = getattr(handler, handler.request.method.lower())
        result = method(*handler.path_args, **handler.path_kwargs)
        if result is not None:
            let_empty_go(handler)
            await result
        if handler._auto_finish and not handler._finished:
            handler.finish()
    except (Exception, CancelledError) as error:
        answer_awaited(handler, error)
    finally:
        _let_body_go(handler)


async def _from_method(handler: "Handler", waiting: Awaitable[Any]) -> None:
    try:
        await waiting
        if handler._auto_finish and not handler._finished:
            handler.finish()
    except (Exception, CancelledError) as error:
        answer_awaited(handler, error)


def _let_body_go(handler: "Handler") -> None:
    prepared = handler._prepared
    if prepared is not None and not prepared.done():
        prepared.set_result(None)


def answer_awaited(handler: "Handler", error: BaseException) -> None:
    """Answers what came out of an `await`.

    To await something that was cancelled is the handler's error.  That the handler's own Task is cancelled is
    not: the client gets a 500, nothing is logged, and the Task ends as cancelled.
    """
    task = current_task()
    if isinstance(error, CancelledError) and task is not None and task.cancelling():
        if not handler._finished:
            handler.send_error(500)
        raise error
    answer_exception(handler, error)


def answer_exception(handler: "Handler", error: BaseException) -> None:
    """Logs what a handler raised, and sends the page for it, unless the answer is out already."""
    if isinstance(error, Finish):
        if not handler._finished:
            handler.finish(*error.args)
        return
    if isinstance(error, HTTPInputError):
        # Malformed input that was noticed late: a form that is none.
        error = HTTPError(400, "Invalid body: %s", error)
    try:
        handler.log_exception(type(error), error, error.__traceback__)
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)
    if handler._finished:
        # The method raised behind finish(): the client has its answer.
        return
    status = error.status_code if isinstance(error, HTTPError) else 500
    handler.send_error(status, exc_info=(type(error), error, error.__traceback__))
