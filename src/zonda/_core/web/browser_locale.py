"""The locale a browser asks for (RFC 9110, 12.5.4)."""

from typing import TYPE_CHECKING

from zonda import locale
from zonda._core.wire.abnf import parse_qvalues

if TYPE_CHECKING:
    from .handler_like import Handler

#: Languages that are looked at; browsers send a few, and each costs a search of the locales.
_MOST_LANGUAGES = 50
#: A field this long (in characters) is not a browser's, and is left unread.
_LONGEST_FIELD = 4096


def get_browser_locale(handler: "Handler", default: str) -> locale.Locale:
    """The supported locale closest to the first, by weight, of the languages in Accept-Language.

    `default` is the code to take where the field is missing, too long or names nothing acceptable.  Where no
    language of it is supported, it is the default of `zonda.locale`.
    """
    languages = handler.request.headers.get("Accept-Language")
    if not languages or len(languages) > _LONGEST_FIELD:
        return locale.get(default)
    codes = [code for code, _ in parse_qvalues(languages)[:_MOST_LANGUAGES]]
    return locale.get(*codes) if codes else locale.get(default)
