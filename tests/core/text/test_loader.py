"""Loaders: names, the cache, and the walls of the root directory."""

import os

import pytest

from zonda.template import BaseLoader, DictLoader, Loader


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "site"
    (root / "a" / "b").mkdir(parents=True)
    (tmp_path / "site-secret").mkdir()
    for path, text in {
        "secret.html": "secret",
        "site-secret/x.html": "secret",
        "site/t.html": "t {% include a/u.html %}",
        "site/a/u.html": "u {% include b/v.html %}",
        "site/a/b/v.html": "v {% include ../../w.html %}",
        "site/w.html": "w",
        "site/a/out.html": "{% include ../../secret.html %}",
    }.items():
        (tmp_path / path).write_text(text)
    return root


def test_names_are_relative_to_the_template_that_asks(site):
    loader = Loader(str(site))
    assert loader.load("t.html").generate() == b"t u v w"
    assert sorted(loader.templates) == ["a/b/v.html", "a/u.html", "t.html", "w.html"]


def test_an_absolute_name_inside_the_root_is_allowed(site):
    assert Loader(str(site)).load(str(site / "w.html")).generate() == b"w"
    assert Loader(str(site)).load("a/../w.html").generate() == b"w"


def test_the_root_of_the_file_system_may_be_the_root(site):
    assert Loader("/").load(str(site / "w.html")).generate() == b"w"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.html",
        "a/../../secret.html",
        "../site-secret/x.html",
        "a/b/../../../secret.html",
        "",
        ".",
        "..",
    ],
)
def test_a_name_does_not_lead_out_of_the_root(site, name):
    with pytest.raises(PermissionError, match="is outside of the template directory"):
        Loader(str(site)).load(name)


def test_an_absolute_name_does_not_lead_out_of_the_root(site):
    loader = Loader(str(site))
    for path in (site.parent / "secret.html", site.parent / "site-secret" / "x.html", "/etc/passwd"):
        with pytest.raises(PermissionError):
            loader.load(str(path))
    assert loader.templates == {}


def test_an_include_does_not_lead_out_of_the_root(site):
    with pytest.raises(PermissionError, match=r"'\.\./\.\./secret\.html' is outside"):
        Loader(str(site)).load("a/out.html")


def test_a_missing_file_and_a_nul(site):
    with pytest.raises(FileNotFoundError):
        Loader(str(site)).load("none.html")
    with pytest.raises(ValueError):
        Loader(str(site)).load("w.html\0.txt")
    with pytest.raises(KeyError):
        DictLoader({}).load("none.html")


#: (name, parent, answer of DictLoader, answer of Loader("/srv/root")), as Tornado 6.6.1 resolves them.
PATHS = [
    ("c", "a/b", "a/c", "a/c"),
    ("/c", "a/b", "/c", "/c"),
    ("../c", "a/b", "c", "c"),
    ("../../c", "a/b", "../c", "../../c"),
    ("../../c", "a/d/b", "c", "c"),
    ("c", "<string>", "c", "c"),
    ("c", "/a/b", "c", "c"),
    ("./c", "a/b", "a/c", "a/c"),
    ("c", None, "c", "c"),
    ("c", "", "c", "c"),
    ("a//c", "x", "a/c", "a/c"),
    ("../c", None, "../c", "../c"),
    ("c", "b", "c", "c"),
]


@pytest.mark.parametrize(("name", "parent", "in_dict", "in_files"), PATHS)
def test_resolve_path(name, parent, in_dict, in_files):
    assert DictLoader({}).resolve_path(name, parent) == in_dict
    assert Loader("/srv/root").resolve_path(name, parent) == in_files


def test_a_template_is_read_once_until_reset(site):
    loader = Loader(str(site))
    first = loader.load("w.html")
    (site / "w.html").write_text("new")
    assert loader.load("w.html") is first
    loader.reset()
    assert loader.load("w.html").generate() == b"new"


def test_the_root_does_not_follow_the_working_directory(site, monkeypatch):
    monkeypatch.chdir(site.parent)
    loader = Loader("site")
    monkeypatch.chdir(os.sep)
    assert loader.load("w.html").generate() == b"w"


def test_a_loader_of_ones_own():
    class Shouting(BaseLoader):
        def resolve_path(self, name, parent_path=None):
            return name.upper()

        def _create_template(self, name):
            return DictLoader({"t": f"<{name}>"}).load("t")

    loader = Shouting()
    assert loader.load("x").generate() == b"<X>"
    assert list(loader.templates) == ["X"]
    for missing in (lambda: BaseLoader().resolve_path("x"), lambda: BaseLoader()._create_template("x")):
        with pytest.raises(NotImplementedError):
            missing()
