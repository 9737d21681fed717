"""Pages: where templates are looked for, whose loader is whose, and no garbage behind a page."""

import gc
import textwrap
from types import SimpleNamespace
from typing import Any

import pytest

from tests.core.web.asking import Ask, ask, ask_all
from tests.core.wire.growth import assert_linear
from zonda._core.web import rendering
from zonda.template import DictLoader
from zonda.web import Application, RequestHandler, UIModule


@pytest.fixture(autouse=True)
def _no_loaders_left():
    yield
    RequestHandler._template_loaders.clear()


class Handler:
    """What `_with_resources` asks of a handler."""

    render_linked_js = rendering.render_linked_js
    render_embed_js = rendering.render_embed_js
    render_linked_css = rendering.render_linked_css
    render_embed_css = rendering.render_embed_css


def showing(templates: dict[str, str], name: str = "page.html", **settings: Any) -> Application:
    class Page(RequestHandler):
        def get(self) -> None:
            self.render(name)

    return Application([("/", Page)], template_loader=DictLoader(templates), **settings)


class Styled(UIModule):
    def render(self) -> str:
        return "<b>styled</b>"

    def embedded_css(self) -> str:
        return "b { color: red }"

    def css_files(self) -> list[str]:
        return ["https://cdn.example/a.css?x&y", "https://cdn.example/a.css?x&y"]

    def embedded_javascript(self) -> str:
        return "go()"

    def html_body(self) -> str:
        return "<hr>"


def test_applications_with_loaders_of_their_own_do_not_mix():
    one, two = showing({"page.html": "one"}), showing({"page.html": "two"})
    for application, body in ((one, b"one"), (two, b"two"), (one, b"one")):
        assert ask(application).body == body


def test_templates_stand_beside_the_file_of_the_handler(tmp_path):
    """Without the setting `template_path`: beside who calls render, not beside a base class or zonda."""
    (tmp_path / "beside.html").write_text("found {{ 1 + 1 }}")
    source = textwrap.dedent(
        """
        from zonda.web import RequestHandler
        class Page(RequestHandler):
            def get(self):
                self.render("beside.html")
        """
    )
    namespace: dict[str, Any] = {"__name__": "application_elsewhere"}
    exec(compile(source, str(tmp_path / "handlers.py"), "exec"), namespace)
    assert ask(Application([("/", namespace["Page"])])).body == b"found 2"


@pytest.mark.parametrize("name", ["../secret.html", "/etc/passwd", "a/../../secret.html"])
def test_no_template_outside_of_the_directory(name, tmp_path, expect_log):
    (tmp_path / "secret.html").write_text("secret")
    (tmp_path / "templates").mkdir()

    class Page(RequestHandler):
        def get(self) -> None:
            self.render(self.get_query_argument("name"))

    expect_log("zonda.application", "Uncaught exception")
    application = Application([("/", Page)], template_path=str(tmp_path / "templates"))
    answer = ask(application, uri=f"/?name={name}")
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_settings_reach_the_loader(tmp_path):
    (tmp_path / "page.html").write_text("{{ '<' }}   x\n\n y")

    class Page(RequestHandler):
        def get(self) -> None:
            self.render("page.html")

    where = str(tmp_path)
    assert ask(Application([("/", Page)], template_path=where)).body == b"&lt; x\ny"
    RequestHandler._template_loaders.clear()
    raw = Application([("/", Page)], template_path=where, autoescape=None, template_whitespace="all")
    assert ask(raw).body == b"<   x\n\n y"


@pytest.mark.parametrize(("cached", "second"), [(True, b"old"), (False, b"new")])
def test_compiled_template_cache(cached, second, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")

    class Page(RequestHandler):
        def get(self) -> None:
            self.render("page.html")
            page.write_text("new")

    application = Application([("/", Page)], template_path=str(tmp_path), compiled_template_cache=cached)
    assert [answer.body for answer in ask_all(application, Ask(), Ask())] == [b"old", second]


def test_what_a_module_brings_comes_once_and_escaped():
    page = "<head></head><body>{% module Styled() %}{% module Styled() %}</body>"
    body = ask(showing({"page.html": page}, ui_modules={"Styled": Styled})).body.decode()
    assert body.count("<b>styled</b>") == 2
    assert body.count('href="https://cdn.example/a.css?x&amp;y"') == 1
    assert body.index("color: red") < body.index("</head>") < body.index("go()") < body.index("</body>")
    assert body.index("<hr>") < body.index("</body>")


@pytest.mark.parametrize(("page", "missing"), [("</body>", "</head>"), ("<head></head>", "</body>")])
def test_a_page_without_a_place_for_it(page, missing, expect_log):
    log = expect_log("zonda.application", "Uncaught exception")
    broken = showing({"page.html": page + "{% module Styled() %}"}, ui_modules={"Styled": Styled})
    assert ask(broken).status == 500
    exc_info = log.records[0].exc_info
    assert exc_info is not None
    assert f"the page has no {missing}" in str(exc_info[1])


def test_an_unknown_module_is_named(expect_log):
    log = expect_log("zonda.application", "Uncaught exception")
    assert ask(showing({"page.html": "{% module Nope() %}"})).status == 500
    exc_info = log.records[0].exc_info
    assert exc_info is not None
    assert "no UI module 'Nope'" in str(exc_info[1])


def test_a_template_that_brings_different_things_is_told(expect_log):
    templates = {
        "page.html": '<head></head>{% for n in (1, 2) %}{% module Template("part.html", n=n) %}{% end %}',
        "part.html": '{{ set_resources(embedded_css=".c%d {}" % n) }}',
    }
    expect_log("zonda.application", "Uncaught exception")
    assert ask(showing(templates)).status == 500


def test_a_page_with_modules_leaves_no_garbage():
    """Handler, module and namespace hold one another while the page is made, and not afterwards."""
    left: list[str] = []

    class Page(RequestHandler):
        def get(self) -> None:
            self.render("page.html")

    loader = DictLoader({"page.html": "<head></head><body>{% module Styled() %}{{ say() }}</body>"})
    application = Application(
        [("/", Page)],
        template_loader=loader,
        ui_modules={"Styled": Styled},
        ui_methods={"say": lambda handler: type(handler).__name__},
    )
    ask_all(application, Ask(), Ask())
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        assert ask(application).status == 200
        gc.collect()
        left = [type(item).__name__ for item in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not {"Page", "Styled", "ModuleNamespace", "ObjectDict"}.intersection(left)


def test_growth():
    """A page of n modules with files of their own."""

    def module(number: int) -> Any:
        return SimpleNamespace(
            css_files=lambda: [f"/{number}.css", "/all.css"],
            javascript_files=lambda: f"/{number}.js",
            embedded_css=lambda: "a {}",
            embedded_javascript=lambda: "a()",
            html_head=lambda: "<meta>",
            html_body=lambda: None,
        )

    handler: Any = Handler()
    assert_linear(
        lambda n: [module(number) for number in range(n)],
        lambda modules: rendering._with_resources(handler, b"<head></head><body></body>", modules),
        50,
    )


@pytest.mark.parametrize(
    ("path", "absolute"),
    [("/a", True), ("//a", True), ("http://a", True), ("https://a", True), ("a", False), ("", False)],
)
def test_is_absolute(path, absolute):
    assert rendering.is_absolute(path) is absolute
