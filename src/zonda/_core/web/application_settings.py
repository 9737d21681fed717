"""What an application's settings bring with them: debug mode, static routes, UI modules, transforms."""

import re
import socket
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from zonda import __version__
from zonda._core.link.exchange import Exchange

from .compress import ContentEncoding
from .ui_modules import TemplateModule, UIModule, linkify_module, xsrf_form_html_module

ANY_FAMILY = socket.AF_UNSPEC
SERVER_NAME = f"zonda/{__version__}"

#: What `debug=True` switches.
_DEBUG = {
    "autoreload": True,
    "compiled_template_cache": False,
    "static_hash_cache": False,
    "serve_traceback": True,
}
_OOPS = b"<html><title>500: Internal Server Error</title><body>500: Internal Server Error</body></html>"


def complete(settings: dict[str, Any]) -> None:
    """Adds the settings that others bring along."""
    if settings.get("debug"):
        for name, value in _DEBUG.items():
            settings.setdefault(name, value)


def transforms(settings: dict[str, Any], given: list[Any] | None) -> list[Any]:
    """The classes that every answer goes through."""
    if given is not None:
        return given
    return [ContentEncoding] if settings.get("compress_response") or settings.get("gzip") else []


def static_rules(settings: dict[str, Any], default_handler: type) -> list[Any]:
    """The routes of `static_path`."""
    path = settings.get("static_path")
    if not path:
        return []
    prefix = settings.get("static_url_prefix", "/static/")
    handler = settings.get("static_handler_class", default_handler)
    arguments = dict(settings.get("static_handler_args", {}))
    arguments["path"] = path
    patterns = (re.escape(prefix) + "(.*)", r"/(favicon\.ico)", r"/(robots\.txt)")
    return [(pattern, handler, arguments) for pattern in patterns]


def load_ui(application: Any) -> None:
    """UI methods and modules, our own and those of the settings."""
    application.ui_modules.update(
        linkify=linkify_module, xsrf_form_html=xsrf_form_html_module, Template=TemplateModule
    )
    settings = application.settings
    _load(application.ui_modules, settings.get("ui_modules", {}), _is_module)
    _load(application.ui_methods, settings.get("ui_methods", {}), _is_method)


def _load(into: dict[str, Any], given: Any, wanted: Any) -> None:
    """From a dict, a Python module, or a list of such; of a module what is `wanted`."""
    if isinstance(given, ModuleType):
        into.update({name: value for name, value in vars(given).items() if wanted(name, value)})
    elif isinstance(given, dict):
        into.update(given)
    elif isinstance(given, Iterable):
        for one in given:
            _load(into, one, wanted)


def _is_module(name: str, value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, UIModule)


def _is_method(name: str, value: Any) -> bool:
    return not name.startswith("_") and callable(value) and name[0].lower() == name[0]


def forget_templates(handler_class: Any) -> None:
    """Reads templates anew: `compiled_template_cache=False`."""
    with handler_class._template_loader_lock:
        for loader in handler_class._template_loaders.values():
            loader.reset()


def answer_500(request: Any) -> None:
    """The answer where there is no handler to give one."""
    connection = request.connection
    if isinstance(connection, Exchange):
        fields: dict[str, str | list[str]] = {
            "Content-Type": "text/html; charset=UTF-8",
            "Content-Length": str(len(_OOPS)),
        }
        connection.respond(500, "", fields, _OOPS)
