"""Translations and local forms of dates, numbers and lists.

    zonda.locale.load_translations("translations")
    user_locale = zonda.locale.get("es_LA", "fr")
    print(user_locale.translate("Sign out"))

Texts come from CSV files (`load_translations`) or from gettext catalogues
(`load_gettext_translations`), loaded once when the program starts.

Beyond Tornado, where Babel is installed (extra `babel`): languages that Tornado does not know by name have
one, CSV files take the plural forms of any language, and after `use_cldr()` dates, lists and numbers are
written as in the language, and not as in English, where the program has no translation for them.

Source: Tornado documentation, page `locale`.
"""

import codecs
import datetime
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zonda._core.base.cldr import PLURAL_CATEGORIES, cldr
from zonda._core.base.locale_names import LOCALE_NAMES, MONTHS, WEEKDAYS
from zonda.log import gen_log

if TYPE_CHECKING:
    import gettext

__all__ = [
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "set_default_locale",
    "use_cldr",
]

#: Between context and message in the keys of gettext catalogues.
CONTEXT_SEPARATOR = "\x04"

_default_locale = "en_US"
# Code to what was loaded for it: {"plural": {message: translation}, ...} or a gettext catalogue.
_translations: dict[str, Any] = {}
_supported_locales = frozenset([_default_locale])
_use_gettext = False
_use_cldr = False

_CODE = re.compile(r"[a-z]+(_[A-Z]+)?")
_FORMS = ("plural", "singular", "unknown")


def get(*locale_codes: str) -> "Locale":
    """The loaded locale closest to the first of the codes for which there is any, or the default."""
    return Locale.get_closest(*locale_codes)


def set_default_locale(code: str) -> None:
    """Sets the locale of the texts in the program itself, used where no other fits; "en_US" at first."""
    global _default_locale
    _default_locale = code
    _loaded(_translations, _use_gettext)


def get_supported_locales() -> Iterable[str]:
    """The codes of all loaded locales and of the default."""
    return _supported_locales


def use_cldr(use: bool = True) -> None:
    """Has dates, lists and numbers written as CLDR says, where the program has not translated them:
    "22 janvier 2024, 15:12" where it would be "January 22, 2024 at 15:12"; English itself stays as it is.
    Raises RuntimeError where Babel is not installed.
    """
    global _use_cldr
    if use and cldr("de") is None:
        raise RuntimeError("use_cldr() needs Babel, which is not installed: pip install zonda[babel]")
    _use_cldr = use
    Locale._cache = {}


def _loaded(translations: dict[str, Any], use_gettext: bool) -> None:
    global _translations, _supported_locales, _use_gettext
    _translations = translations
    _use_gettext = use_gettext
    _supported_locales = frozenset([*translations, _default_locale])
    Locale._cache = {}


def load_translations(directory: str, encoding: str | None = None) -> None:
    """Loads every `CODE.csv` of a directory, such as `es_LA.csv`, in place of what was loaded before.

    A row is `"text","translation"` and perhaps a third cell, `plural` or `singular`:

        "%(name)s liked this","A %(name)s le gustó esto","singular"
        "%(list)s liked this","A %(list)s les gustó esto","plural"

    Where there is Babel it may be a plural category too, of those that CLDR has for the language (`zero`,
    `one`, `two`, `few`, `many`, `other`); the text is then the plural one, whatever the category:

        "%(files)d files","%(files)d pliki","few"

    `encoding` is UTF-8 by default, or UTF-16 if a file begins with its byte order mark.  A file or a row that
    makes no sense is logged and left out.  Raises OSError, UnicodeDecodeError.
    """
    import csv

    translations: dict[str, dict[str, dict[str, str]]] = {}
    for name in sorted(os.listdir(directory)):
        code, extension = os.path.splitext(name)
        if extension != ".csv":
            continue
        path = os.path.join(directory, name)
        if _CODE.fullmatch(code) is None:
            gen_log.error("Unrecognized locale %r (path: %s)", code, path)
            continue
        with open(path, encoding=encoding or _encoding(path), newline="") as file:
            translations[code] = _read_rows(csv.reader(file), name, code)
    _loaded(translations, use_gettext=False)
    gen_log.debug("Supported locales: %s", sorted(_supported_locales))


def _encoding(path: str) -> str:
    with open(path, "rb") as file:
        start = file.read(3)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # With or without its own byte order mark.
    return "utf-8-sig"


def _read_rows(rows: Iterable[Sequence[str]], file_name: str, code: str) -> dict[str, dict[str, str]]:
    forms: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            continue
        message, translation, *more = (cell.strip() for cell in row)
        form = (more and more[0]) or "unknown"
        if form not in _FORMS and (form not in PLURAL_CATEGORIES or cldr(code) is None):
            gen_log.error("Unrecognized plural indicator %r in %s line %d", form, file_name, number)
            continue
        forms.setdefault(form, {})[message] = translation
    return forms


def load_gettext_translations(directory: str, domain: str) -> None:
    """Loads every `CODE/LC_MESSAGES/DOMAIN.mo` below a directory, in place of what was loaded before.

    Such files are made with `xgettext`, `msgmerge` and `msgfmt`.  One that cannot be read is logged.
    """
    import gettext
    from pathlib import Path

    translations: dict[str, gettext.NullTranslations] = {}
    for path in sorted(Path(directory).glob(f"*/LC_MESSAGES/{domain}.mo")):
        code = path.parts[-3]
        if code.startswith("."):
            continue
        try:
            with path.open("rb") as file:
                translations[code] = gettext.GNUTranslations(file)
        except (OSError, ValueError) as error:
            gen_log.error("Cannot load translation for %r: %s", code, error)
    _loaded(translations, use_gettext=True)
    gen_log.debug("Supported locales: %s", sorted(_supported_locales))


class Locale:
    """A language and how it writes things; `get` returns the one for a code."""

    _cache: "dict[str, Locale]" = {}  # noqa: RUF012 (by code, of all locales; replaced when others are loaded)

    @classmethod
    def get_closest(cls, *locale_codes: str) -> "Locale":
        """The locale of the first code for which there is one, by whole code or by language alone."""
        for code in locale_codes:
            language, *region = code.replace("-", "_").split("_") if code else [""]
            if not language or len(region) > 1:
                continue
            for candidate in ("_".join([language.lower(), *map(str.upper, region)]), language.lower()):
                if candidate in _supported_locales:
                    return cls.get(candidate)
        return cls.get(_default_locale)

    @classmethod
    def get(cls, code: str) -> "Locale":
        """The locale of a supported code; AssertionError for another one."""
        locale = cls._cache.get(code)
        if locale is None:
            assert code in _supported_locales, f"locale {code!r} is not loaded"
            translations = _translations.get(code)
            if translations is None:
                locale = CSVLocale(code, {})
            elif _use_gettext:
                locale = GettextLocale(code, translations)
            else:
                locale = CSVLocale(code, translations)
            cls._cache[code] = locale
        return locale

    def __init__(self, code: str) -> None:
        self.code = code
        known = LOCALE_NAMES.get(code)
        language = cldr(code) if _use_cldr or not known else None
        #: The language's name in itself; "Unknown" if neither `LOCALE_NAMES` nor Babel has it.
        self.name = known["name"] if known else language.name if language else "Unknown"
        #: Whether it is written from right to left.
        self.rtl = language.rtl if language and not known else code.startswith(("fa", "ar", "he"))
        # For what is not translated.
        self._cldr = language if _use_cldr and code.partition("_")[0] != "en" else None
        self._months = [self.translate(name) for name in MONTHS]
        self._weekdays = [self.translate(name) for name in WEEKDAYS]
        if self._cldr is not None:
            if self._months == list(MONTHS):
                self._months = self._cldr.months()
            if self._weekdays == list(WEEKDAYS):
                self._weekdays = self._cldr.weekdays()

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """The message in this language, or itself if there is no translation.

        With `plural_message` there must be a `count`; if it is not 1, the plural is what is translated.
        """
        raise NotImplementedError()

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """`translate` for a message that means different things in different contexts."""
        raise NotImplementedError()

    def format_date(
        self,
        date: int | float | datetime.datetime,
        gmt_offset: int = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """A date and time as a reader would say it: "2 minutes ago", "yesterday at 3:12 pm", "April 28".

        `date` is UTC: a datetime, or seconds since 1970.  `gmt_offset` is minutes from the reader's
        time to UTC (300 in New York in winter), `relative=False` gives times and not distances,
        `shorter` leaves the time of day out, `full_format=True` gives day, month, year and time in any case.
        """
        if isinstance(date, int | float):
            date = datetime.datetime.fromtimestamp(date, datetime.UTC)
        elif date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        now = datetime.datetime.now(datetime.UTC)
        if date > now:
            if relative and date - now < datetime.timedelta(minutes=1):
                # The clocks of two machines differ a little.
                date = now
            else:
                full_format = True
        age = now - date
        if relative and not full_format and age.days == 0:
            return self._format_age(age.seconds)
        offset = datetime.timedelta(minutes=gmt_offset)
        local_date = date - offset
        yesterday = now - offset - datetime.timedelta(days=1)

        if full_format or age.days >= 334:  # 11 months: the same month of another year would mislead
            phrase = "%(month_name)s %(day)s, %(year)s"
        elif age.days == 0:
            return self._format_time(local_date)
        elif age.days == 1 and local_date.day == yesterday.day and relative:
            phrase = "yesterday"
        elif age.days < 5:
            phrase = "%(weekday)s"
        else:
            phrase = "%(month_name)s %(day)s"
        return self._say(phrase if shorter else phrase + " at %(time)s", local_date)

    def _say(self, phrase: str, date: datetime.datetime) -> str:
        time = self._format_time(date)
        template = self.translate(phrase)
        if template == phrase and self._cldr is not None:
            return self._cldr.date(phrase, date, time)
        return template % {
            "month_name": self._months[date.month - 1],
            "weekday": self._weekdays[date.weekday()],
            "day": str(date.day),
            "year": str(date.year),
            "time": time,
        }

    def _format_age(self, seconds: int) -> str:
        if seconds < 50:
            unit, number = "second", seconds
        elif seconds < 50 * 60:
            unit, number = "minute", round(seconds / 60)
        else:
            unit, number = "hour", round(seconds / 3600)
        one, many = f"1 {unit} ago", f"%({unit}s)d {unit}s ago"
        template = self.translate(one, many, number)
        if template in (one, many) and self._cldr is not None:
            return self._cldr.ago(unit, number)
        return template % {unit + "s": number}

    def _format_time(self, time: datetime.datetime) -> str:
        if self.code in ("en", "en_US"):
            return f"{time.hour % 12 or 12}:{time.minute:02} {'am' if time.hour < 12 else 'pm'}"
        if self.code == "zh_CN":
            return f"{'上午' if time.hour < 12 else '下午'}{time.hour % 12 or 12}:{time.minute:02}"
        return f"{time.hour}:{time.minute:02}"

    def format_day(self, date: datetime.datetime, gmt_offset: int = 0, dow: bool = True) -> str:
        """The day of a date, such as "Monday, January 22", without the weekday if `dow` is false."""
        local_date = date - datetime.timedelta(minutes=gmt_offset)
        return self._say(
            "%(weekday)s, %(month_name)s %(day)s" if dow else "%(month_name)s %(day)s", local_date
        )

    def list(self, parts: Any) -> str:
        """A sequence of texts as one: "A, B and C"; a single part as it is, nothing as ""."""
        if not parts:
            return ""
        if len(parts) == 1:
            return str(parts[0])
        phrase = "%(commas)s and %(last)s"
        template = self.translate(phrase)
        if template == phrase and self._cldr is not None:
            return self._cldr.list([str(part) for part in parts])
        comma = " و " if self.code.startswith("fa") else ", "
        return template % {
            "commas": comma.join(parts[:-1]),
            "last": parts[-1],
        }

    def friendly_number(self, value: int) -> str:
        """An integer with commas between thousands in US English; elsewhere without, or by `use_cldr`."""
        if self.code in ("en", "en_US"):
            return f"{value:,}"
        return str(value) if self._cldr is None else self._cldr.number(value)


class CSVLocale(Locale):
    """A locale with texts from `load_translations`."""

    def __init__(self, code: str, translations: dict[str, dict[str, str]]) -> None:
        self.translations = translations
        self._plurals = cldr(code) if PLURAL_CATEGORIES & translations.keys() else None
        super().__init__(code)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        form = "unknown"
        if plural_message is not None:
            assert count is not None, "plural_message was given, and no count"
            if self._plurals is not None:
                of_category = self.translations.get(self._plurals.plural_category(count), {})
                if plural_message in of_category:
                    return of_category[plural_message]
            message, form = (message, "singular") if count == 1 else (plural_message, "plural")
        return self.translations.get(form, {}).get(message, message)

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """`translate`, whatever the context: CSV files have none.  Logs a warning."""
        if self.translations:
            gen_log.warning("pgettext is not supported by CSVLocale")
        return self.translate(message, plural_message, count)


class GettextLocale(Locale):
    """A locale with texts from `load_gettext_translations`."""

    def __init__(self, code: str, translations: "gettext.NullTranslations") -> None:
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext
        self._catalogue = translations
        super().__init__(code)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        if plural_message is None:
            return self.gettext(message)
        assert count is not None, "plural_message was given, and no count"
        return self.ngettext(message, plural_message, count)

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """The message's translation in one context; extract with `xgettext --keyword=pgettext:1c,2`."""
        if plural_message is None:
            return self._catalogue.pgettext(context, message)
        assert count is not None, "plural_message was given, and no count"
        return self._catalogue.npgettext(context, message, plural_message, count)
