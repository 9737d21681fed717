"""`MODULE:NAME` finds an application, or says what is there instead."""

import sys

import pytest

from zonda.cli.load import CannotLoad, load_application
from zonda.web import Application

SITE = """
from zonda.web import Application

app = Application()
other = Application()
answer = 42


def make():
    return app


def make_for(name):
    return app


def make_nothing():
    pass


async def make_later():
    return app


class Site:
    pass
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    (tmp_path / "site_of_test.py").write_text(SITE)
    (tmp_path / "package_of_test").mkdir()
    (tmp_path / "package_of_test" / "site.py").write_text(SITE)
    (tmp_path / "broken_of_test.py").write_text("import nosuchlibrary\n")
    (tmp_path / "raising_of_test.py").write_text("1 / 0\n")
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize("place", ["site_of_test:app", "site_of_test:make", "package_of_test.site:app"])
def test_an_application_or_a_factory_is_found(place):
    assert isinstance(load_application(place), Application)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("site_of_test", "'site_of_test' does not name an application; write MODULE:NAME"),
        (":app", "write MODULE:NAME"),
        ("site_of_test:", "write MODULE:NAME"),
        ("site_of_test:app()", "write MODULE:NAME"),
        ("nosuchmodule:app", "no module named 'nosuchmodule' in "),
        ("nosuchpackage.site:app", "no module named 'nosuchpackage'"),
        ("package_of_test.nothing:app", "no module named 'package_of_test.nothing'"),
        ("site_of_test.py:app", "give 'site_of_test', without .py"),
        (".site_of_test:app", "give its full name"),
        ("site_of_test:ap", "site_of_test.py has no 'ap' (what is there: app, other)"),
        ("site_of_test:answer", "site_of_test:answer is of type int; a zonda.web.Application"),
        ("site_of_test:Site", "site_of_test:Site is the class Site"),
        ("site_of_test:make_for", "cannot be called without arguments (missing a required argument: 'name')"),
        ("site_of_test:make_nothing", "site_of_test:make_nothing() returned an object of type NoneType"),
        ("site_of_test:make_later", "is a coroutine function"),
    ],
)
def test_anything_else_is_told(place, said):
    with pytest.raises(CannotLoad) as caught:
        load_application(place)
    assert said in str(caught.value)


def test_the_applications_own_mistakes_come_through():
    with pytest.raises(ModuleNotFoundError, match="nosuchlibrary"):
        load_application("broken_of_test:app")
    with pytest.raises(ZeroDivisionError):
        load_application("raising_of_test:app")
