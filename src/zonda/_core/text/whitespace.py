"""What becomes of the white space in a template's text."""

import re

#: One class, one quantifier: no position of the text is looked at twice.
_RUN = re.compile(r"\s+")
_BLANKS = re.compile(r"[\t ]+")


def filter_whitespace(mode: str, text: str) -> str:
    """The text as whitespace mode `mode` leaves it.

    `all` changes nothing; `single` makes one space of each run of blanks and one newline of each
    run that holds a newline; `oneline` makes one space of each run.  Raises ValueError for any
    other mode.  Source: Tornado documentation, `tornado.template.filter_whitespace`.
    """
    if mode == "all":
        return text
    if mode == "single":
        return _RUN.sub(_single, text)
    if mode == "oneline":
        return _RUN.sub(" ", text)
    raise ValueError(f"invalid whitespace mode {mode!r}: allowed are all, single, oneline")


def _single(run: re.Match[str]) -> str:
    blank = run.group()
    return "\n" if "\n" in blank else _BLANKS.sub(" ", blank)
