"""Decorators of handler methods: only for users who are logged in, only with or without a trailing slash.

Source: Tornado documentation, `tornado.web` (decorators) and "Authentication and security".
"""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from .errors import HTTPError

_Method = Callable[..., Any]


def authenticated(method: _Method) -> _Method:
    """Lets in users with a `current_user`; others are sent to `get_login_url()` if they GET, else get a 403.

    The login page finds the address they came for in the argument `next`, unless its own has a query already.
    """

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        request = self.request
        if request.method not in ("GET", "HEAD"):
            raise HTTPError(403)
        url = self.get_login_url()
        if "?" not in url:
            # `//host/...` would lead the login page away from here: such a path is told with its host.
            absolute = urlsplit(url).scheme or not _is_local(request.uri)
            url += "?" + urlencode({"next": request.full_url() if absolute else request.uri})
        self.redirect(url)
        return None

    return wrapper


def addslash(method: _Method) -> _Method:
    """Sends GET and HEAD requests for `/foo` to `/foo/`; the route's pattern must match both."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        if path.endswith("/"):
            return method(self, *args, **kwargs)
        _redirect(self, path + "/")
        return None

    return wrapper


def removeslash(method: _Method) -> _Method:
    """Sends GET and HEAD requests for `/foo/` to `/foo`; the route's pattern must match both."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        if path == "/" or not path.endswith("/"):
            return method(self, *args, **kwargs)
        _redirect(self, path.rstrip("/"))
        return None

    return wrapper


def _redirect(handler: Any, path: str) -> None:
    request = handler.request
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(404)
    if not _is_local(path):
        raise HTTPError(403, "cannot redirect path with two initial slashes")
    handler.redirect(f"{path}?{request.query}" if request.query else path, permanent=True)


def _is_local(uri: str) -> bool:
    """Whether a browser takes this for a path of the same host: `//host` and `/\\host` it does not."""
    return uri.startswith("/") and not uri.startswith(("//", "/\\"))
