"""How a language writes things, by Unicode's CLDR: what Babel knows, where it is installed.

For what a program has not translated; `zonda.locale` asks.  Source: Babel documentation.
"""

import datetime
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

#: The plural categories of CLDR (Unicode Technical Standard 35, "Language Plural Rules").
PLURAL_CATEGORIES = frozenset({"zero", "one", "two", "few", "many", "other"})

#: Phrases of `Locale.format_date` and `format_day`, without their time of day, to patterns of fields.
_PATTERNS = {
    "yesterday": "EEEE",  # Babel has no word for it.
    "%(weekday)s": "EEEE",
    "%(month_name)s %(day)s": "MMMMd",
    "%(weekday)s, %(month_name)s %(day)s": "MMMMEEEEd",
}

#: What of a pattern stands for a name, abbreviated perhaps, and quoted text, which stays as it is.
_NAMES = re.compile(r"'[^']*'|E+|M{3,}")


class Cldr:
    """One language, perhaps of one region."""

    def __init__(self, locale: Any) -> None:
        self._locale = locale
        # Of some languages CLDR has no name, in itself or at all.
        name = locale.get_display_name() or locale.english_name or "Unknown"
        #: In itself, with a capital, as in lists of languages.
        self.name: str = name[:1].upper() + name[1:]
        self.rtl: bool = locale.character_order == "right-to-left"

    def months(self) -> list[str]:
        """As they stand beside a day."""
        names = self._locale.months["format"]["wide"]
        return [names[number] for number in range(1, 13)]

    def weekdays(self) -> list[str]:
        """From Monday on."""
        names = self._locale.days["format"]["wide"]
        return [names[number] for number in range(7)]

    def plural_category(self, count: float) -> str:
        return str(self._locale.plural_form(count))

    def ago(self, unit: str, number: int) -> str:
        """So many of a unit ("second", "minute", "hour") ago."""
        from babel.dates import format_timedelta

        age = datetime.timedelta(**{unit + "s": -number})
        # The unit is chosen already: a larger one would be taken for two of it.
        return str(
            format_timedelta(age, granularity=unit, threshold=2, add_direction=True, locale=self._locale)
        )

    def date(self, phrase: str, moment: datetime.datetime, time: str) -> str:
        """A date as the English phrase gives it, "%(weekday)s at %(time)s" for example."""
        from babel.dates import format_date, get_datetime_format

        of_day, _, of_time = phrase.partition(" at ")
        pattern = _PATTERNS.get(of_day)
        if pattern is None:
            day = format_date(moment, "long", locale=self._locale)
        elif pattern == "EEEE":
            day = format_date(moment, pattern, locale=self._locale)
        else:
            day = format_date(moment, self._in_full(pattern), locale=self._locale)
        if not of_time:
            return str(day)
        both = get_datetime_format("medium", locale=self._locale).replace("'", "")
        return str(both.replace("{0}", time).replace("{1}", day))

    def _in_full(self, fields: str) -> str:
        """How the language arranges these fields, no name abbreviated: Arabic has no such names."""
        from babel.dates import match_skeleton

        skeletons = self._locale.datetime_skeletons
        pattern = str(skeletons[match_skeleton(fields, skeletons)].pattern)
        return _NAMES.sub(lambda found: found[0] if found[0][0] == "'" else found[0][0] * 4, pattern)

    def number(self, value: float) -> str:
        from babel.numbers import format_decimal

        return str(format_decimal(value, locale=self._locale, decimal_quantization=False))

    def list(self, parts: Sequence[str]) -> str:
        from babel.lists import format_list

        return str(format_list(parts, locale=self._locale))


@lru_cache
def cldr(code: str) -> Cldr | None:
    """What CLDR has for a locale such as "pt_BR", or for its language; None without Babel."""
    try:
        # Here and above, since it is slow to import: whoever writes English only does not pay for it.
        from babel import Locale, UnknownLocaleError
    except ImportError:
        return None
    for candidate in (code, code.partition("_")[0]):
        try:
            return Cldr(Locale.parse(candidate))
        except (UnknownLocaleError, ValueError):
            continue
    return None
