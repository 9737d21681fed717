"""Templates, UI modules, translations and static files."""

from pathlib import Path
from typing import Any

from package import RequestHandler, locale, web


class Boxed(web.UIModule):  # type: ignore[misc]
    def render(self, text: str, **options: Any) -> str:
        return f"<b>{text}{sorted(options)}</b>"

    def embedded_css(self) -> str:
        return ".boxed { color: red }"

    def css_files(self) -> list[str]:
        return ["boxed.css", "/abs.css", "http://cdn.example/x.css"]

    def embedded_javascript(self) -> str:
        return "boxed();"

    def javascript_files(self) -> str:
        return "boxed.js"

    def html_head(self) -> str:
        return "<meta name=boxed>"

    def html_body(self) -> str:
        return "<!-- boxed -->"


class Rendered(web.UIModule):  # type: ignore[misc]
    def render(self, n: int) -> str:
        return str(self.render_string("module.html", n=n), "utf-8")


MODULES = {"Boxed": Boxed, "Rendered": Rendered}
METHODS = {"shout": lambda handler, text: text.upper() + handler.request.method}


class PageHandler(RequestHandler):
    """Renders the template that the path names."""

    def get(self, name: str) -> None:
        self.render(
            f"{name}.html",
            items=["<a>", "b&c", 3],
            text="<i>\u00e9</i>",
            url_text="a b/c?&",
            data={"k": "</script>"},
        )

    head = get


class RenderStringHandler(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write(self.render_string("sub/inner.html", word="w"))

    def get_template_namespace(self) -> dict[str, Any]:
        return {**super().get_template_namespace(), "extra": "namespaced"}


class OtherPathHandler(RequestHandler):
    def initialize(self, path: str) -> None:
        self.path = path

    def get_template_path(self) -> str:
        return self.path

    def get(self) -> None:
        self.render("inner.html", word="other", extra="-")


class LocaleHandler(RequestHandler):
    def get(self) -> None:
        here = self.locale
        self.write(
            {
                "code": here.code,
                "browser": self.get_browser_locale("de").code,
                "one": here.translate("Good morning"),
                "few": here.translate("%(n)d person", "%(n)d people", 1) % {"n": 1},
                "many": here.translate("%(n)d person", "%(n)d people", 3) % {"n": 3},
                "list": here.list(["A", "B", "C"]),
                "number": here.friendly_number(1234567),
                "translated": self.locale.translate("missing"),
            }
        )


class UserLocaleHandler(LocaleHandler):
    def get_user_locale(self) -> Any:
        code = self.get_argument("locale", None)
        return locale.get(code) if code else None


class StaticUrlHandler(RequestHandler):
    def get(self) -> None:
        paths = [
            "robots.txt",
            "sub/page.html",
            "missing.txt",
            "sub/odd name +%.txt",
            "../static-secret/secret.txt",
        ]
        self.write(
            {
                "urls": [self.static_url(path) for path in paths],
                "host": self.static_url("robots.txt", include_host=True),
                "bare": self.static_url("robots.txt", include_version=False),
            }
        )


class OwnStaticHandler(web.StaticFileHandler):  # type: ignore[misc]
    """A static handler with every documented hook taken."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("X-Path", path)

    def get_cache_time(self, path: str, modified: Any, mime_type: str) -> int:
        self.set_header("X-Mime", mime_type)
        return 60 if path.endswith(".txt") else 0

    def get_content_type(self) -> str:
        return "text/x-own" if self.path.endswith(".txt") else super().get_content_type()


def routes(files: Path) -> list[Any]:
    locale.load_translations(str(files / "translations"))
    static = str(files / "static")
    return [
        (r"/page/([\w/]+)", PageHandler),
        (r"/renderstring", RenderStringHandler),
        (r"/otherpath", OtherPathHandler, {"path": str(files / "templates" / "sub")}),
        (r"/locale", LocaleHandler),
        (r"/userlocale", UserLocaleHandler),
        (r"/staticurl", StaticUrlHandler),
        (r"/files/(.*)", web.StaticFileHandler, {"path": static}),
        (r"/index/(.*)", web.StaticFileHandler, {"path": static, "default_filename": "index.html"}),
        (r"/owned/(.*)", OwnStaticHandler, {"path": static}),
        (r"/single/()", web.StaticFileHandler, {"path": static + "/robots.txt"}),
        (r"/rootless/(.*)", web.StaticFileHandler, {"path": static + "/nowhere"}),
    ]
