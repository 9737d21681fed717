"""UI modules: pieces of a page that bring their own scripts, styles and head with them.

A template calls one with `{% module Name(arguments) %}`; `rendering.py` puts what all of them bring
into the page, each thing once.  Source: Tornado documentation, "Templates and UI" and `tornado.web.UIModule`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from zonda.escape import linkify
from zonda.util import ObjectDict

if TYPE_CHECKING:
    from .handler_like import Handler


class UIModule:
    """A piece of a page: subclass it, and define `render` and what else it needs.

    A page has one object per module, however often its templates call it.
    """

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.request = handler.request
        self.ui = handler.ui
        self.locale = handler.locale

    @property
    def current_user(self) -> Any:
        """The user of the request."""
        return self.handler.current_user

    def render(self, *args: Any, **kwargs: Any) -> str | bytes:
        """The HTML of the module, for the arguments of the call in the template."""
        raise NotImplementedError()

    def embedded_javascript(self) -> str | bytes | None:
        """A script to embed in the page."""
        return None

    def javascript_files(self) -> Iterable[str] | None:
        """Scripts to link: one address, or several.  Relative ones are static files."""
        return None

    def embedded_css(self) -> str | bytes | None:
        """Styles to embed in the page."""
        return None

    def css_files(self) -> Iterable[str] | None:
        """Style sheets to link: one address, or several.  Relative ones are static files."""
        return None

    def html_head(self) -> str | bytes | None:
        """HTML for the end of the page's head."""
        return None

    def html_body(self) -> str | bytes | None:
        """HTML for the end of the page's body."""
        return None

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """Generates a template's page, for `render` to return."""
        page: bytes = self.handler.render_string(path, **kwargs)
        return page


class linkify_module(UIModule):
    """Escapes a text and turns the addresses in it into links."""

    def render(self, text: str, **kwargs: Any) -> str:
        return linkify(text, **kwargs)


class xsrf_form_html_module(UIModule):
    """The hidden form field with the XSRF token."""

    def render(self) -> str:
        html: str = self.handler.xsrf_form_html()
        return html


class TemplateModule(UIModule):
    """A template as a module: `{% module Template("entry.html", entry=entry) %}`.

    The template says what it brings with `{{ set_resources(css_files=..., embedded_javascript=...) }}`,
    the names being those of the methods of `UIModule`.  It may be called any number of times, but has
    to bring the same each time: ValueError otherwise.
    """

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        # By the template's name, in the order of the first calls.
        self._resources: dict[str, dict[str, Any]] = {}

    def render(self, path: str, **kwargs: Any) -> bytes:
        def set_resources(**resources: Any) -> str:
            if self._resources.setdefault(path, resources) != resources:
                raise ValueError(
                    f"set_resources called with different resources for the same template: {path!r}"
                    f" had {self._resources[path]!r}, now {resources!r}"
                )
            return ""

        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _all(self, name: str) -> list[Any]:
        return [resources[name] for resources in self._resources.values() if name in resources]

    def _files(self, name: str) -> list[str]:
        return [path for files in self._all(name) for path in each(files)]

    def embedded_javascript(self) -> str:
        return "\n".join(self._all("embedded_javascript"))

    def javascript_files(self) -> list[str]:
        return self._files("javascript_files")

    def embedded_css(self) -> str:
        return "\n".join(self._all("embedded_css"))

    def css_files(self) -> list[str]:
        return self._files("css_files")

    def html_head(self) -> str:
        return "".join(self._all("html_head"))

    def html_body(self) -> str:
        return "".join(self._all("html_body"))


def each(files: Any) -> Iterable[Any]:
    """One address or several, as several."""
    return [files] if isinstance(files, str | bytes) else files


class ModuleNamespace:
    """What `modules` is in templates: `modules.Name(arguments)` renders the module of that name."""

    def __init__(self, handler: "Handler", classes: dict[str, type[UIModule]]) -> None:
        self._handler = handler
        self._classes = classes
        #: The modules that were called, by name, in the order of their first calls.
        self._active: dict[str, UIModule] = {}

    def __getitem__(self, name: str) -> Callable[..., str | bytes]:
        return partial(self._render, name, self._classes[name])

    def __getattr__(self, name: str) -> Callable[..., str | bytes]:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no UI module {name!r}; see the setting ui_modules") from None

    def _render(self, name: str, cls: type[UIModule], /, *args: Any, **kwargs: Any) -> str | bytes:
        module = self._active.get(name)
        if module is None:
            module = self._active[name] = cls(self._handler)
        return module.render(*args, **kwargs)


def ui_namespace(handler: "Handler") -> ObjectDict:
    """UI methods bound to the handler, and its modules: what `handler.ui` is.

    It holds the handler, and the handler it, until `release`.
    """
    application = handler.application
    namespace = ObjectDict(
        {name: partial(method, handler) for name, method in application.ui_methods.items()}
    )
    modules = ModuleNamespace(handler, application.ui_modules)
    # The first name is what `{% module %}` is compiled to.
    namespace["_tt_modules"] = namespace["modules"] = modules
    return namespace


def active_modules(handler: "Handler") -> list[UIModule]:
    """The modules that the page's templates called."""
    modules: ModuleNamespace = handler.ui["_tt_modules"]
    return list(modules._active.values())


def release(handler: "Handler") -> None:
    """Lets go of what `ui_namespace` made, so that handler and modules are not garbage to be collected."""
    namespace = handler._ui
    handler._ui = None
    namespace["_tt_modules"]._active.clear()
