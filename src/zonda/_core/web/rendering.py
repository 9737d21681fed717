"""From a template's name to a page: which loader, which names, and what UI modules add.

Source: Tornado documentation, `tornado.web` (`render`) and "Templates and UI".
"""

import asyncio
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zonda.escape import utf8, xhtml_escape

from .ui_modules import active_modules, each

if TYPE_CHECKING:
    from .handler_like import Handler

_ROOM = __name__.rpartition(".")[0] + "."
_ABSOLUTE = ("/", "http:", "https:")


def render(handler: "Handler", template_name: str, kwargs: dict[str, Any]) -> "asyncio.Future[None]":
    """Generates the page, adds what its UI modules bring, and sends it.

    Raises RuntimeError if the answer is out already, ValueError if the page has no `</head>` or
    `</body>` and a module brings something for it.
    """
    if handler._finished:
        raise RuntimeError("Cannot render() after finish()")
    page = handler.render_string(template_name, **kwargs)
    modules = active_modules(handler)
    if modules:
        page = _with_resources(handler, page, modules)
    future: asyncio.Future[None] = handler.finish(page)
    return future


def render_string(handler: "Handler", template_name: str, kwargs: dict[str, Any]) -> bytes:
    """Generates the page.  `kwargs` win over the names of `template_namespace`."""
    template = _loader(handler).load(template_name)
    page: bytes = template.generate(**{**handler.get_template_namespace(), **kwargs})
    return page


def template_namespace(handler: "Handler") -> dict[str, Any]:
    """The names that every template finds."""
    locale = handler.locale
    return {
        "handler": handler,
        "request": handler.request,
        "current_user": handler.current_user,
        "locale": locale,
        "_": locale.translate,
        "pgettext": locale.pgettext,
        "static_url": handler.static_url,
        "xsrf_form_html": handler.xsrf_form_html,
        "reverse_url": handler.reverse_url,
        **handler.ui,
    }


def create_template_loader(handler: "Handler", template_path: str) -> Any:
    """The setting `template_loader`, or a loader of the directory.

    Settings: `autoescape` and `template_whitespace` are the loader's.
    """
    settings = handler.settings
    if "template_loader" in settings:
        return settings["template_loader"]
    options = {}
    if "autoescape" in settings:
        # None is a value: no escaping.
        options["autoescape"] = settings["autoescape"]
    if "template_whitespace" in settings:
        options["whitespace"] = settings["template_whitespace"]
    from zonda._core.text.loader import Loader  # many applications have no template

    return Loader(template_path, **options)


def _loader(handler: "Handler") -> Any:
    path = handler.get_template_path()
    if not path:
        path = _directory_of_caller()
    # Applications with loaders of their own may name the same directory.
    configured = handler.settings.get("template_loader")
    key = path if configured is None else (path, configured)
    with handler._template_loader_lock:
        loader = handler._template_loaders.get(key)
        if loader is None:
            loader = handler._template_loaders[key] = handler.create_template_loader(path)
    return loader


def _directory_of_caller() -> str:
    """The directory of the file that asked for the template: templates stand beside their handlers."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_ROOM):
        frame = frame.f_back
    return os.path.dirname(os.path.abspath(frame.f_code.co_filename))


def is_absolute(path: str) -> bool:
    """Whether an address stands for itself and is not a static file."""
    return path.startswith(_ABSOLUTE)


def render_linked_js(handler: "Handler", js_files: Iterable[str]) -> str:
    """Script elements for the addresses, each once."""
    return "".join(
        f'<script src="{xhtml_escape(url)}" type="text/javascript"></script>'
        for url in _addresses(handler, js_files)
    )


def render_embed_js(handler: "Handler", js_embed: Iterable[bytes]) -> bytes:
    """A script element with the scripts, wrapped for XHTML."""
    scripts = b"\n".join(js_embed)
    return b'<script type="text/javascript">\n//<![CDATA[\n' + scripts + b"\n//]]>\n</script>"


def render_linked_css(handler: "Handler", css_files: Iterable[str]) -> str:
    """Link elements for the addresses, each once."""
    return "".join(
        f'<link href="{xhtml_escape(url)}" type="text/css" rel="stylesheet"/>'
        for url in _addresses(handler, css_files)
    )


def render_embed_css(handler: "Handler", css_embed: Iterable[bytes]) -> bytes:
    """A style element with the styles."""
    return b'<style type="text/css">\n' + b"\n".join(css_embed) + b"\n</style>"


def _addresses(handler: "Handler", files: Iterable[str]) -> list[str]:
    return [path if is_absolute(path) else handler.static_url(path) for path in dict.fromkeys(files)]


def _with_resources(handler: "Handler", page: bytes, modules: list[Any]) -> bytes:
    """The page with what its modules bring: styles at the end of the head, scripts at that of the body."""
    css_files = [path for module in modules for path in each(module.css_files() or ())]
    css = [utf8(text) for module in modules if (text := module.embedded_css())]
    js_files = [path for module in modules for path in each(module.javascript_files() or ())]
    js = [utf8(text) for module in modules if (text := module.embedded_javascript())]
    heads = [utf8(html) for module in modules if (html := module.html_head())]
    bodies = [utf8(html) for module in modules if (html := module.html_body())]

    scripts = []
    if js_files:
        scripts.append(utf8(handler.render_linked_js(js_files)))
    if js:
        scripts.append(handler.render_embed_js(js))
    head = []
    if css_files:
        head.append(utf8(handler.render_linked_css(css_files)))
    if css:
        head.append(handler.render_embed_css(css))
    if heads:
        head.append(b"".join(heads))

    # Scripts go before the last `</body>` and the rest before the first, as Tornado has it.
    if scripts:
        page = _insert(page, page.rfind(b"</body>"), b"</body>", scripts)
    if head:
        page = _insert(page, page.find(b"</head>"), b"</head>", head)
    if bodies:
        page = _insert(page, page.find(b"</body>"), b"</body>", [b"".join(bodies)])
    return page


def _insert(page: bytes, at: int, tag: bytes, pieces: list[bytes]) -> bytes:
    if at < 0:
        raise ValueError(f"a UI module brings something for the page, but the page has no {tag.decode()}")
    return b"".join([page[:at], b"\n".join(pieces), b"\n", page[at:]])
