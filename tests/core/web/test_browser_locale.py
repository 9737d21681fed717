"""Accept-Language: linear, bounded, never an exception."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.growth import assert_linear
from zonda import locale
from zonda._core.web.browser_locale import get_browser_locale


@pytest.fixture(scope="module", autouse=True)
def _languages(tmp_path_factory):
    directory = tmp_path_factory.mktemp("translations")
    for code in ("de", "fr_FR"):
        (directory / f"{code}.csv").write_text('"a","b"\n', encoding="utf-8")
    saved = locale._translations, locale._use_gettext
    locale.load_translations(str(directory))
    yield
    locale._loaded(*saved)


def asks(field: str | None) -> Any:
    headers = {} if field is None else {"Accept-Language": field}
    return SimpleNamespace(request=SimpleNamespace(headers=headers))


def code(field: str | None, default: str = "en_US") -> str:
    return get_browser_locale(asks(field), default).code


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("de", "de"),
        ("fr-FR", "fr_FR"),
        ("de;q=0.5, fr-fr;q=0.6", "fr_FR"),
        ("xx, de;q=0.1", "de"),
        ("de;q=0", "en_US"),
        ("de;q=2", "en_US"),
        ("de;q=nan, fr-FR;q=0.1", "fr_FR"),
        ("de;q=-1", "en_US"),
        ("*", "en_US"),
        ("", "en_US"),
        (None, "en_US"),
    ],
)
def test_the_first_that_is_there(field, expected):
    assert code(field) == expected


@pytest.mark.parametrize("field", [None, "", "de;q=0", "x" * 5000, "fr-FR" + "," * 5000])
def test_the_default(field):
    assert code(field, "de") == "de"


def test_no_more_than_fifty_languages_are_looked_at():
    assert code(",".join(["xx"] * 49 + ["de"])) == "de"
    assert code(",".join(["xx"] * 50 + ["de"])) == "en_US"


@given(st.text(max_size=100) | st.text('a-_;q=,."*\\', max_size=100))
def test_no_field_raises(field):
    assert code(field) in ("de", "fr_FR", "en_US")


@pytest.mark.parametrize("piece", ["a,", "a-", ";q=", '"\\', "de;q=0.1,"])
def test_growth(piece):
    assert_linear(lambda n: asks(piece * n), lambda handler: get_browser_locale(handler, "en_US"), 40)
