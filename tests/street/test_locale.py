import pytest

from zonda import locale


@pytest.fixture(autouse=True)
def nothing_loaded():
    yield
    locale.set_default_locale("en_US")
    locale._loaded({}, use_gettext=False)


def load(path, **files):
    for code, text in files.items():
        (path / f"{code}.csv").write_text(text, encoding="utf-8")
    locale.load_translations(str(path))


def test_the_first_code_that_fits_wins(tmp_path):
    load(tmp_path, fr_FR='"yes","oui"', de='"yes","ja"')
    assert locale.get("xx", "fr-fr", "de").translate("yes") == "oui"
    assert locale.get("DE_at").translate("yes") == "ja"
    assert locale.get("fr_FR_x", "", "fr").code == "en_US"


def test_plural_forms(tmp_path):
    load(tmp_path, fr='"%d day","%d jour","singular"\n"%d days","%d jours","plural"\n')
    french = locale.get("fr")
    assert french.translate("%d day", "%d days", 1) == "%d jour"
    assert french.translate("%d day", "%d days", 0) == "%d jours"
    with pytest.raises(AssertionError, match="no count"):
        french.translate("%d day", "%d days")


def test_loading_again_takes_effect_at_once(tmp_path):
    load(tmp_path, fr='"yes","oui"')
    assert locale.get("fr").translate("yes") == "oui"
    load(tmp_path, fr='"yes","ouais"')
    assert locale.get("fr").translate("yes") == "ouais"


def test_what_makes_no_sense_is_logged_and_left_out(tmp_path, expect_log):
    expect_log("zonda.general", "Unrecognized locale 'pt-BR'")
    expect_log("zonda.general", "Unrecognized locale 'a.b'")
    expect_log("zonda.general", "Unrecognized plural indicator 'many' in fr.csv line 2")
    (tmp_path / "readme.txt").write_text("no translation")
    load(tmp_path, **{"pt-BR": "a,b", "a.b": "a,b", "fr": '"a","b"\n"c","d","many"\n\nalone\n"e","f"\n'})
    assert locale.get_supported_locales() == {"en_US", "fr"}
    assert [locale.get("fr").translate(text) for text in "ace"] == ["b", "c", "f"]


def test_a_broken_catalogue_is_logged(tmp_path, expect_log):
    expect_log("zonda.general", "Cannot load translation for 'es'")
    (tmp_path / "es" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "es" / "LC_MESSAGES" / "app.mo").write_bytes(b"junk")
    locale.load_gettext_translations(str(tmp_path), "app")
    assert locale.get_supported_locales() == {"en_US"}


@pytest.mark.parametrize(("number", "text"), [(-123, "-123"), (-123456, "-123,456"), (1234.5, "1,234.5")])
def test_numbers_below_zero_and_broken_ones(number, text):
    assert locale.get("en_US").friendly_number(number) == text
