import datetime
import sys

import babel
import pytest

from zonda import locale
from zonda._core.base.cldr import cldr


@pytest.fixture(autouse=True)
def nothing_loaded():
    yield
    cldr.cache_clear()
    locale.use_cldr(False)
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
    expect_log("zonda.general", "Unrecognized plural indicator 'lots' in fr.csv line 2")
    (tmp_path / "readme.txt").write_text("no translation")
    load(tmp_path, **{"pt-BR": "a,b", "a.b": "a,b", "fr": '"a","b"\n"c","d","lots"\n\nalone\n"e","f"\n'})
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


@pytest.fixture
def without_babel(monkeypatch):
    cldr.cache_clear()
    monkeypatch.setitem(sys.modules, "babel", None)


#: A Monday.
THEN = datetime.datetime(2024, 1, 22, 15, 12)


def ago(**age):
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(**age)


@pytest.mark.parametrize(
    ("code", "name", "rtl"),
    [
        ("de", "Deutsch", False),
        ("de_AT", "Deutsch (Österreich)", False),
        ("ur_PK", "اردو (پاکستان)", True),
        ("arn", "Mapudungun", False),
        ("xx_YY", "Unknown", False),
        # Tornado's own, which CLDR writes otherwise or does not know.
        ("es_LA", "Español", False),
        ("zh_CN", "中文(简体)", False),
        ("he_IL", "עברית", True),
    ],
)
def test_names_of_languages(tmp_path, code, name, rtl):
    load(tmp_path, **{code: '"yes","ja"'})
    assert (locale.get(code).name, locale.get(code).rtl) == (name, rtl)


@pytest.mark.parametrize(
    ("known", "name"), [({"de", "en"}, "Deutsch"), ({"en"}, "German"), (set(), "Unknown")], ids=str
)
def test_names_of_languages_that_cldr_has_in_no_words_of_their_own(tmp_path, monkeypatch, known, name):
    # Which languages these are differs from one release of CLDR to the next.
    written = babel.Locale.get_display_name

    def written_in_what_is_known(self, in_language=None):
        return written(self, in_language) if str(in_language or self) in known else None

    monkeypatch.setattr(babel.Locale, "get_display_name", written_in_what_is_known)
    cldr.cache_clear()
    load(tmp_path, de='"yes","ja"')
    assert locale.get("de").name == name


@pytest.mark.usefixtures("without_babel")
def test_without_babel_all_is_tornados(tmp_path, expect_log):
    expect_log("zonda.general", "Unrecognized plural indicator 'few' in pl.csv line 1")
    load(tmp_path, pl='"%(n)d files","%(n)d pliki","few"')
    assert (locale.get("pl").name, locale.get("pl").rtl) == ("Unknown", False)
    with pytest.raises(RuntimeError, match=r"pip install zonda\[babel\]"):
        locale.use_cldr()


def test_plural_categories_in_csv_files(tmp_path):
    rows = '"%d file","%d plik","singular"\n"%d files","%d pliki","few"\n"%d files","%d plików","many"\n'
    load(tmp_path, pl=rows)
    polish = locale.get("pl")
    said = [polish.translate("%d file", "%d files", n) % n for n in (1, 2, 5, 22)]
    assert said == ["1 plik", "2 pliki", "5 plików", "22 pliki"]
    # What has no category, and what is no plural, is as ever.
    assert polish.translate("%d day", "%d days", 5) == "%d days"
    assert polish.translate("%d files") == "%d files"


def written(code):
    there = locale.get(code)
    return [
        there.format_date(THEN, relative=False, full_format=True),
        there.format_date(THEN, relative=False, full_format=True, shorter=True),
        there.format_date(ago(days=100), shorter=True).split()[-1],
        there.format_date(ago(days=3), shorter=True) in there._weekdays,
        there.format_date(ago(minutes=55)),
        there.format_date(ago(minutes=3)),
        there.format_date(ago(hours=24, seconds=-1)),
        there.format_day(THEN),
        there.format_day(THEN, dow=False),
        there.list(["A", "B", "C"]),
        there.friendly_number(-1234567),
    ]


def english_style():
    return [
        "January 22, 2024 at 15:12",
        "January 22, 2024",
        str(ago(days=100).day),
        True,
        "1 hour ago",
        "3 minutes ago",
        "24 hours ago",
        "Monday, January 22",
        "January 22",
        "A, B and C",
        "-1234567",
    ]


def test_dates_lists_and_numbers_are_in_english_style_until_cldr_is_used(tmp_path):
    load(tmp_path, de_DE='"yes","ja"')
    assert written("de_DE") == english_style()
    locale.use_cldr()
    german = written("de_DE")
    assert german == [
        "22. Januar 2024, 15:12",
        "22. Januar 2024",
        locale.get("de_DE")._months[ago(days=100).month - 1],
        True,
        "vor 1 Stunde",
        "vor 3 Minuten",
        "vor 24 Stunden",
        "Montag, 22. Januar",
        "22. Januar",
        "A, B und C",
        "-1.234.567",
    ]
    assert locale.get("de_DE")._weekdays[0] == "Montag"
    assert written("en_US")[-5:] == [
        "24 hours ago",
        "Monday, January 22",
        "January 22",
        "A, B and C",
        "-1,234,567",
    ]
    locale.use_cldr(False)
    assert written("de_DE") == english_style()


@pytest.mark.parametrize(
    ("code", "day"),
    [
        # No abbreviated names, short months, quoted text in the pattern, months as numbers.
        ("ar", "الاثنين، 22 يناير"),
        ("fr_FR", "lundi 22 janvier"),
        ("pt_BR", "segunda-feira, 22 de janeiro"),
        ("ja", "1月22日月曜日"),
    ],
)
def test_days_are_written_in_full(tmp_path, code, day):
    load(tmp_path, **{code: '"yes","ja"'})
    locale.use_cldr()
    assert locale.get(code).format_day(THEN) == day


def test_what_the_program_has_translated_goes_before_cldr(tmp_path):
    load(
        tmp_path,
        de='January,Jänner\n"%(month_name)s %(day)s",%(day)s. %(month_name)s!\n'
        "%(commas)s and %(last)s,%(commas)s sowie %(last)s\n1 hour ago,grad eben,singular\n",
    )
    locale.use_cldr()
    german = locale.get("de")
    assert german.format_day(THEN, dow=False) == "22. Jänner!"
    assert german.list(["A", "B", "C"]) == "A, B sowie C"
    assert german.format_date(ago(hours=1)) == "grad eben"
    assert german.format_date(ago(hours=2)) == "vor 2 Stunden"
